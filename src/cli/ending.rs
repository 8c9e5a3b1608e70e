//! How a command that doesn't succeed ends: an error in one line, or what an interruption left and how to
//! resume.

use crate::support::failure::{Failure, escape_controls, one_line};
use crate::support::terminal::{line_columns, write_above_the_bar};

/// Writes to standard error why a command ended.
pub fn tell(error: &anyhow::Error) {
    let text = match interruption(error) {
        // A worker's: its parent tells.
        Some("") => return,
        // Below the ^C that a terminal writes.
        Some(message) if line_columns().is_some() => format!("\n{}", escape_controls(message)),
        Some(message) => escape_controls(message),
        None => format!("error: {}", one_line(error)),
    };
    write_above_the_bar(&(text + "\n"));
}

fn interruption(error: &anyhow::Error) -> Option<&str> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(Failure::Interrupted(message)) => Some(message.as_str()),
        _ => None,
    })
}

/// The error, but of an interruption what `message` says.
pub fn if_interrupted(error: anyhow::Error, message: impl FnOnce() -> String) -> anyhow::Error {
    match interruption(&error) {
        Some(_) => Failure::Interrupted(message()).into(),
        None => error,
    }
}

/// The message of an interruption: what is saved, and the command that resumes, alone in its line so that it
/// can be copied.
pub fn resume_with(saved: &str, command: &str) -> String {
    format!("Interrupted. {saved} Resume with:\n\n    {command}")
}
