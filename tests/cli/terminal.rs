//! Progress bars and colors on terminals.

use super::*;

/// Output of a command on a terminal emulated by util-linux's `script`. None if `script` isn't installed.
pub fn on_a_terminal(folder: &TempDir, variable: (&str, &str), flags: &[&str]) -> Option<String> {
    let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
    let output = terminal(folder, &flags)?.env(variable.0, variable.1).output().unwrap();
    Some(String::from_utf8(output.stdout).unwrap())
}

/// A command in a terminal of 80 or `TINYGPT_TEST_COLUMNS` columns. It exits with the command's exit code.
pub fn terminal(folder: &TempDir, flags: &[String]) -> Option<std::process::Command> {
    let version = Command::new("script").arg("--version").output();
    if !version.is_ok_and(|output| output.stdout.starts_with(b"script from util-linux")) {
        eprintln!("skipped: there is no util-linux script to play a terminal");
        return None;
    }
    let mut command = std::process::Command::new("script");
    command.current_dir(folder.path());
    let line = format!("stty cols ${{TINYGPT_TEST_COLUMNS:-80}}; exec \"$TINYGPT\" {}", flags.join(" "));
    command.args(["-qec", &line, "/dev/null"]);
    command.env("SHELL", "/bin/sh").env("TERM", "xterm").env("TINYGPT", env!("CARGO_BIN_EXE_tinygpt"));
    command.env_remove("NO_COLOR").env_remove("CLICOLOR").env_remove("COLUMNS");
    Some(command)
}

/// Clears the line before the bar redraws it.
pub const ERASE_LINE: &str = "\x1b[2K";

#[test]
fn terminal_output_has_no_colors() {
    let folder = folder();
    let training = [SMALL, &["--out", "run"]].concat();
    let wrong = ["--act", "swigul"];
    for (flags, said) in [
        (["--help"].as_slice(), "Usage"),
        (&["--layer", "2"], "--layers"),
        (&wrong, "swiglu"),
        (&training, "validation loss"),
        (&["generate", "--max-tokens", "3", "--checkpoint", "run"], "tokens/s"),
        (&["acts"], "swiglu"),
    ] {
        let Some(plain) = on_a_terminal(&folder, ("TERM", "xterm-256color"), flags) else { return };
        assert!(plain.contains(said), "{plain}");
        assert!(!plain.replace(ERASE_LINE, "").contains('\x1b'), "{flags:?}: {plain:?}");
    }
}

#[test]
fn terminals_show_a_bar_and_dumb_terminals_show_lines() {
    let folder = folder();
    let training = [SMALL, &["--out", "run", "--force"]].concat();
    let Some(bar) = on_a_terminal(&folder, ("TERM", "xterm"), &training) else { return };
    assert!(bar.contains(ERASE_LINE) && !bar.contains("step 12/12"), "{bar:?}");
    let Some(lines) = on_a_terminal(&folder, ("TERM", "dumb"), &training) else { return };
    assert!(!lines.contains('\x1b') && !lines.replace("\r\n", "\n").contains('\r'), "{lines:?}");
    let last = lines.lines().find(|line| line.starts_with("step 12/12")).unwrap_or_default();
    // The bar names the stage, since scoring a long validation text can take minutes.
    assert!(last.ends_with("scoring"), "{lines}");
}
