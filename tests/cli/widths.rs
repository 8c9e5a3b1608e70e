//! Tables and lines fit the terminal, and `--wide` shows whole tables.

use super::terminal::on_a_terminal;
use super::*;
use unicode_width::UnicodeWidthStr;

fn columns(line: &str) -> usize {
    UnicodeWidthStr::width(line)
}

/// Replaces numbers with `#`, shortens runs of spaces and dashes to one, and sorts table rows. The result is the same
/// on any machine.
fn masked(output: &str) -> String {
    let mut lines: Vec<String> = output.lines().map(mask).collect();
    let is_row =
        |line: &String| line.starts_with('|') && !line.contains("activation") && !line.contains("|-");
    let (start, end) = (lines.iter().position(is_row), lines.iter().rposition(is_row));
    if let (Some(start), Some(end)) = (start, end) {
        lines[start..=end].sort();
    }
    lines.join("\n")
}

fn mask(line: &str) -> String {
    let mut masked = String::new();
    for c in line.chars() {
        let (c, joins) = match c {
            '0'..='9' | '.' if masked.ends_with('#') => continue,
            '0'..='9' => ('#', false),
            '+' | '-' if !masked.ends_with(['-', '|']) => ('±', false),
            c => (c, c == ' ' || c == '-'),
        };
        if !(joins && masked.ends_with(c)) {
            masked.push(c);
        }
    }
    masked.replace("<#", "#")
}

/// Two seeds are too few for a verdict, so the output has the same width for any losses.
const COMPARISON: &[&str] = &["--acts", "relu,identity", "--seeds", "2", "--out", "cmp"];

#[test]
fn comparison_tables_fit_80_columns_and_grow_with_the_terminal() {
    let folder = folder();
    let compare = |columns: &str, flags: &[&str]| {
        let mut command = tinygpt(&folder);
        command.arg("compare").args(small_but(&[COMPARISON, flags].concat()));
        succeed(if columns.is_empty() { &mut command } else { command.env("COLUMNS", columns) })
    };
    let narrow = compare("", &[]);
    let fits = |table: &str, width| {
        table.lines().filter(|line| line.starts_with('|')).all(|line| columns(line) <= width)
    };
    assert!(fits(&narrow, 80), "{narrow}");
    let rows = |baseline: &str, other: &str| {
        format!("| identity | too few seeds | # | {other} |\n| relu | baseline | # | {baseline} |")
    };
    let verdict = |narrow: &str| narrow.lines().last().unwrap().to_string();
    assert_eq!(
        masked(&narrow),
        format!(
            "| activation | verdict | final loss | vs relu [#% CI] | seeds |\n|-|-|-:|-:|-:|\n{}\n\n{}",
            rows("± | #", "±#% [±#, ±#] | #"),
            mask(&verdict(&narrow))
        )
    );
    assert!(
        verdict(&narrow).starts_with("Verdicts need at least 3 seeds; this comparison has 2. "),
        "{narrow}"
    );

    let roomy = compare("200", &[]);
    assert!(fits(&roomy, 200), "{roomy}");
    let titles = "| activation | verdict | final loss | vs relu [#% CI] | seeds | p (Holm) | seeds needed | std | \
                  loss ± relu's | by text [#% CI] | perplexity | bits/byte | best evaluation | tokens/s | \
                  time to baseline's loss | peak memory | FLOPs/token | FFN RMS at start | parameters | FFN width | \
                  learning rate |";
    let fitting = masked(&roomy).lines().next().unwrap().to_string();
    assert!(titles.starts_with(&fitting) && fitting.ends_with("| bits/byte |"), "{fitting}");

    let wide = compare("80", &["--wide"]);
    assert_eq!(masked(&wide).lines().next(), Some(titles));
    // With --wide, the table is the same in a terminal of any width.
    assert_eq!(wide, compare("200", &["--wide"]));
}

/// Whether a line has no spaces to break it at, for example in a model's text.
fn is_word(line: &str) -> bool {
    !line.trim_start_matches([' ', '|']).contains(' ')
}

/// The lines that a terminal with `columns` columns shows. Each redraw of a line counts as a line of its own.
fn lines_at(folder: &TempDir, columns: usize, flags: &[&str]) -> Option<Vec<String>> {
    let columns = columns.to_string();
    let shown = on_a_terminal(folder, ("TINYGPT_TEST_COLUMNS", &columns), flags)?;
    let shown = shown.replace(super::terminal::ERASE_LINE, "\r");
    Some(shown.split(['\r', '\n']).map(ToString::to_string).collect())
}

#[test]
fn command_output_fits_the_terminal() {
    let folder = folder();
    let training = [SMALL, &["--out", "run"]].concat();
    let runs = [SMALL, &["--out", "runs/glu-leaky_relu", "--act", "glu:leaky_relu"]].concat();
    let comparing = [&["compare"], SMALL, &["--acts", "glu:leaky_relu,relu", "--seeds", "3"]].concat();
    for flags in [
        training.as_slice(),
        &runs,
        &comparing,
        &[&training[..], &["--dry-run", "--force"]].concat(),
        &["runs"],
        &["acts"],
        &["eval", "--checkpoint", "run", "--data", "text.txt"],
        &["inspect", "--checkpoint", "run"],
        &["inspect", "--checkpoint", "run", "--prompt", "'the cat sees'"],
        &["inspect", "--checkpoint", "run", "--lang", "ja"],
        &["inspect", "--acts", "relu,tanh", "--layers", "2,3", "--dim", "16", "--heads", "2"],
        &["inspect", "--model", "gpt3-175b"],
        &["bench", "--seconds", "0", "--dim", "16", "--heads", "2", "--context", "16"],
        &["claims", "--steps", "2", "--only", "centring,path"],
    ] {
        for columns in [80, 200] {
            let Some(lines) = lines_at(&folder, columns, flags) else { return };
            // Commands to copy and lines without spaces aren't broken.
            let stays = |line: &str| line.contains(": tinygpt ") || line.contains(": hf ") || is_word(line);
            let mut long = lines.iter().filter(|line| self::columns(line) > columns && !stays(line));
            assert_eq!(long.next(), None, "{flags:?} at {columns} columns:\n{}", lines.join("\n"));
        }
    }
}

#[test]
fn shortened_tables_name_the_hidden_columns() {
    let folder = folder();
    let acts = |flags: &[&str]| tinygpt(&folder).arg("acts").args(flags).output().unwrap();
    let cut = acts(&[]);
    let told = String::from_utf8(cut.stderr).unwrap();
    assert_eq!(told, "--wide adds: FFN parameters, transformers, llama.cpp\n");
    let table = String::from_utf8(cut.stdout).unwrap();
    assert!(table.starts_with("| name ") && !table.contains("LlamaForCausalLM"), "{table}");
    let whole = acts(&["--wide"]);
    assert!(whole.stderr.is_empty());
    let table = String::from_utf8(whole.stdout).unwrap();
    // In Markdown, every row has as many bars as the header.
    let bars: Vec<usize> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.matches('|').count())
        .collect();
    assert!(bars.len() > 20 && bars.iter().all(|count| *count == 7), "{table}");
}
