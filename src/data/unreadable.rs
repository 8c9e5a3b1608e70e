//! Files that can't be read as text: among many files they are skipped and named, alone they are refused.

use crate::input_error;
use crate::support::output::shell_word;
use anyhow::Error;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

/// Why one file can't be read as text. Other errors, such as a full disk, aren't about the file.
#[derive(Debug)]
pub struct Unreadable {
    /// A clause whose subject is the file: `is a PNG image`.
    what: String,
    /// What to do about it, or nothing. In commands, `FILE` stands for the file, `BASE` for its name without the
    /// directory, and `STEM` for that without its last extension.
    fix: String,
    /// Whether a text is lost by skipping it.
    is_text: bool,
}

impl Unreadable {
    pub fn new(what: impl Into<String>, fix: impl Into<String>) -> Unreadable {
        Unreadable { what: what.into(), fix: fix.into(), is_text: true }
    }

    /// Of a file that has no text to lose.
    pub fn not_text(what: impl Into<String>, fix: impl Into<String>) -> Unreadable {
        Unreadable { is_text: false, ..Unreadable::new(what, fix) }
    }

    pub fn is_text(&self) -> bool {
        self.is_text
    }

    /// For the contents of a gzip file: the commands of `fix` can't open it, so unpacking comes first.
    pub fn compressed(mut self) -> Unreadable {
        if self.fix.contains("FILE") {
            self.fix = "unpack it first: gunzip -c FILE > STEM".to_string();
        }
        self
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Unreadable {}

/// Ends the command if `error` is about the text called `name`, which lies in `file` if it lies anywhere.
pub fn refused(name: &str, file: Option<&Path>, error: Error) -> Error {
    match error.downcast::<Unreadable>() {
        Err(error) => error,
        Ok(Unreadable { what, fix, .. }) if fix.is_empty() => input_error!("{name} {what}"),
        Ok(Unreadable { what, fix, .. }) => input_error!("{name} {what}; {}", filled(&fix, file)),
    }
}

/// A `fix` with the names of `file`, as words of a shell.
fn filled(fix: &str, file: Option<&Path>) -> String {
    let Some(file) = file else { return fix.to_string() };
    let word = |name: Option<&OsStr>| shell_word(&name.unwrap_or_default().to_string_lossy());
    let [path, base, stem] = [word(Some(file.as_os_str())), word(file.file_name()), word(file.file_stem())];
    // Names may hold these words, too: what was filled in stays as it is.
    let with_base = |part: &str| part.split("BASE").collect::<Vec<_>>().join(&base);
    let with_stem = |part: &str| part.split("STEM").map(with_base).collect::<Vec<_>>().join(&stem);
    fix.split("FILE").map(with_stem).collect::<Vec<_>>().join(&path)
}

/// The first few of many things to tell, and how many more there are.
pub fn first_few(all: &[String]) -> String {
    const SHOWN: usize = 5;
    let first = all[..all.len().min(SHOWN)].join("; ");
    match all.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversion_commands_quote_any_file_name() {
        let fix = "xz -dc FILE > STEM; cp FILE BASE.txt";
        let command = |path: &str| filled(fix, Some(Path::new(path)));
        assert_eq!(
            command("texts/a.jsonl.xz"),
            "xz -dc texts/a.jsonl.xz > a.jsonl; cp texts/a.jsonl.xz a.jsonl.xz.txt"
        );
        assert_eq!(
            command("FILE BASE.xz"),
            "xz -dc 'FILE BASE.xz' > 'FILE BASE'; cp 'FILE BASE.xz' 'FILE BASE.xz'.txt"
        );
        assert_eq!(filled(fix, None), fix);
    }
}
