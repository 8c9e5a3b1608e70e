//! Environment variables. They are read here and nowhere else, by huggingface_hub's rules, so that a
//! variable means the same to both programs. Unlike there, an empty value always counts as unset.

use crate::input_error;
use crate::support::home;
use anyhow::Result;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The value of a variable without blanks around it; `None` if it is unset or empty.
pub fn text(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.to_string_lossy().trim().to_string();
    Some(value).filter(|value| !value.is_empty())
}

/// The path in a variable, with `~` and `$NAME` expanded.
pub fn path(name: &str) -> Option<PathBuf> {
    match std::env::var_os(name)?.into_string() {
        Ok(_) => text(name).map(|value| home::expand(Path::new(&expand_variables(&value)))),
        // Names of files need not be UTF-8.
        Err(value) => Some(value.into()),
    }
}

/// True if a variable says yes. All other words, and none, say no.
pub fn switch(name: &str) -> bool {
    let yes = ["1", "ON", "YES", "TRUE"];
    text(name).is_some_and(|value| yes.contains(&value.to_uppercase().as_str()))
}

/// The whole number in a variable.
///
/// # Errors
/// If it holds anything else.
pub fn number(name: &str) -> Result<Option<usize>> {
    let parse = |value: String| {
        value.parse().map_err(|_| input_error!("{name} is '{value}'; set it to a whole number or unset it"))
    };
    text(name).map(parse).transpose()
}

/// A temporary file without a name, in `TMPDIR`.
///
/// # Errors
/// If none can be made there; the message names the variable.
pub fn temporary_file() -> Result<File> {
    tempfile::tempfile().map_err(|error| temporary_failed(&error))
}

fn temporary_failed(error: &std::io::Error) -> anyhow::Error {
    let directory = std::env::temp_dir();
    // tempfile puts the path behind its message.
    let why = error.to_string();
    let why = why.split(" at path ").next().unwrap_or_default();
    input_error!(
        "cannot make temporary files in {}: {why}. Set TMPDIR to a directory that you can write to",
        directory.display()
    )
}

/// Puts the values of variables in the place of `$NAME` and `${NAME}`; unset ones stay as they are.
fn expand_variables(value: &str) -> String {
    let mut expanded = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('$') {
        expanded += before;
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, behind) = braced.unwrap_or_else(|| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            after.split_at(after.find(|c| !is_part(c)).unwrap_or(after.len()))
        });
        match std::env::var(name).ok().filter(|_| !name.is_empty()) {
            Some(known) => expanded += &known,
            None => expanded += &rest[before.len()..rest.len() - behind.len()],
        }
        rest = behind;
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_in_a_path_are_expanded_and_unset_ones_stay() {
        // The only variable that every test has: cargo sets it.
        let root = env!("CARGO_MANIFEST_DIR");
        for (value, expanded) in [
            ("$CARGO_MANIFEST_DIR/hub", format!("{root}/hub")),
            ("a${CARGO_MANIFEST_DIR}b", format!("a{root}b")),
            ("$NO_SUCH_NAME/${NO_SUCH_NAME}/$", "$NO_SUCH_NAME/${NO_SUCH_NAME}/$".to_string()),
            ("${unclosed", "${unclosed".to_string()),
            ("猫$/$$x", "猫$/$$x".to_string()),
        ] {
            assert_eq!(expand_variables(value), expanded);
        }
    }
}
