//! The last words of a command that fails or is interrupted.

use crate::support::failure::{Failure, escape_controls, one_line};
use crate::support::terminal::{line_columns, write_above_the_bar};

/// Prints an error in one line, or the message of an interruption.
pub fn tell(error: &anyhow::Error) {
    let text = match interruption(error) {
        // A worker prints nothing: its parent does.
        Some("") => return,
        // Starts below the ^C that a terminal prints.
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

/// The error, with `message` if it is an interruption.
pub fn if_interrupted(error: anyhow::Error, message: impl FnOnce() -> String) -> anyhow::Error {
    match interruption(&error) {
        Some(_) => Failure::Interrupted(message()).into(),
        None => error,
    }
}

/// The message of an interruption: what is saved, and on a line of its own the command that resumes.
pub fn resume_with(saved: &str, command: &str) -> String {
    format!("Interrupted. {saved} Resume with:\n\n    {command}")
}
