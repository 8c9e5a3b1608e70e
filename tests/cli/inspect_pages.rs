//! Inspections as pages and pictures.

use super::*;
use roxmltree::Document;

const HOSTILE: &str = "<b>&\"</pre>";

fn page(folder: &TempDir, flags: &[&str]) -> String {
    let mut command = tinygpt(folder);
    succeed(command.args(["inspect", "--threads", "1", "--html", "page.html"]).args(flags));
    String::from_utf8(read(folder, "page.html")).unwrap()
}

/// The body of a page.
fn words(page: &str) -> &str {
    page.split("<main>").nth(1).unwrap()
}

const FRESH: &[&str] =
    &["--acts", "relu,sigmoid", "--layers", "2,12", "--data", "text.txt", "--dim", "16", "--context", "16"];

#[test]
fn a_page_needs_no_other_file_and_escapes_text() {
    let folder = folder();
    train(&folder, &["--out", "run", "--layers", "2", "--act", "relu"]);
    for flags in [
        &["--checkpoint", "run", "--prompt", HOSTILE] as &[&str],
        &["--checkpoint", "run", "--lang", "ja"],
        FRESH,
        &["--model", "gpt3-175b"],
    ] {
        let page = page(&folder, flags);
        assert!(page.contains("default-src 'none'; style-src 'sha256-"), "{flags:?}");
        for foreign in ["<script", "http://", "https://", "src=", "url(h", "style=\"", "unsafe", "<b>", "NaN"]
        {
            assert!(!page.contains(foreign), "{flags:?}: {foreign}");
        }
        assert!(page.matches("<figure").count() >= 2 && words(&page).contains("<pre class=\"command\""));
        // Each chart has a sentence on what it means.
        assert!(page.matches("class=\"meaning\"").count() >= page.matches("<figure").count(), "{flags:?}");
        assert!(!words(&page).contains("<p class=\"meaning\"></p>"), "{flags:?}");
    }
}

#[test]
fn sentences_of_a_page_follow_from_the_measurements() {
    let folder = folder();
    train(&folder, &["--out", "identity", "--act", "identity"]);
    let identity = page(&folder, &["--checkpoint", "identity"]);
    assert!(identity.contains("Every FFN of this model is a linear map"), "{}", words(&identity));
    assert!(
        identity.contains("identity is flat (its derivative is below 1% of the maximum) for at most 0.0%")
    );
    train(&folder, &["--out", "relu", "--act", "relu"]);
    let relu = page(&folder, &["--checkpoint", "relu"]);
    assert!(!relu.contains("Every FFN of this model is a linear map") && relu.contains("relu is flat"));
    let gpt3 = page(&folder, &["--model", "gpt3-175b"]);
    assert!(gpt3.contains("66.4% of all parameters and 66.7% of the"), "{}", words(&gpt3));
    let gpt2 = page(&folder, &["--model", "gpt2", "--lang", "ja"]);
    assert!(
        gpt2.contains("<html lang=\"ja\">") && gpt2.contains("ブロック内のパラメータの66.6%"),
        "{}",
        words(&gpt2)
    );
    let stack = page(&folder, &[FRESH, &["--no-residual"]].concat());
    assert!(
        stack.contains("Untrained FFNs without residual") && stack.contains("(sigmoid) and "),
        "{}",
        words(&stack)
    );
}

#[test]
fn inspect_plot_writes_every_chart_as_svg() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let plot = |flags: &[&str]| -> Vec<String> {
        let _ = std::fs::remove_dir_all(folder.path().join("figures"));
        succeed(tinygpt(&folder).args(["inspect", "--threads", "1", "--plot", "figures"]).args(flags));
        let files = std::fs::read_dir(folder.path().join("figures")).unwrap();
        let mut names: Vec<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        for name in &names {
            let svg = String::from_utf8(read(&folder, &format!("figures/{name}"))).unwrap();
            assert!(svg.contains("<desc>") && !svg.contains("NaN"), "{name}");
            // Charts are in English: not every font has other letters.
            assert!(svg.chars().all(|c| c < '\u{3000}'), "{name}");
            Document::parse(&svg).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let stems = names.iter().map(|name| name.strip_suffix(".svg").unwrap_or_else(|| panic!("{name}")));
        stems.map(String::from).collect()
    };
    let trained = [
        "ffn-output",
        "ffn-path",
        "gradient-norm",
        "lens-divergence",
        "linear-r2",
        "parameters",
        "pre-activations",
        "shares",
    ];
    assert_eq!(plot(&["--checkpoint", "run", "--prompt", "the"]), trained);
    assert_eq!(plot(FRESH), ["gradient-norm-12", "gradient-norm-2", "gradient-ratio"]);
    assert_eq!(plot(&["--model", "gpt2"]), ["ffn-path", "parameters"]);
}

#[test]
fn inspection_pages_work_in_a_browser_in_both_languages() {
    let folder = folder();
    train(&folder, &["--out", "run", "--layers", "2"]);
    for (flags, charts) in [
        (["--checkpoint", "run", "--prompt", HOSTILE].to_vec(), "8 charts\n"),
        (["--checkpoint", "run", "--lang", "ja"].to_vec(), "7 charts\n"),
        ([FRESH, &["--lang", "ja"]].concat(), "3 charts\n"),
    ] {
        let Some(mut check) = script(&folder, "check_report.py") else { return };
        page(&folder, &flags);
        let output = check.arg("page.html").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        // What the script answers where there is no browser to drive.
        if output.status.code() == Some(77) {
            eprintln!("skipped: {said}");
            return;
        }
        assert!(output.status.success(), "{flags:?}: {said}");
        assert_eq!(said, charts, "{flags:?}");
    }
}
