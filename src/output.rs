//! Printing for people who may have stopped reading.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error; where that is no terminal it is hidden.
pub fn bar(length: usize, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("a valid template");
    ProgressBar::new(length as u64).with_style(style.progress_chars("█▉▊▋▌▍▎▏ "))
}

/// `println!` that passes on what goes wrong, such as a closed pipe, instead of panicking.
macro_rules! say {
    ($($arg:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout(), $($arg)*)
    }};
}

/// `eprintln!` that never fails: nobody is left to tell.
macro_rules! note {
    ($($arg:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($arg)*);
    }};
}
