//! What the library logs, as lines on standard error.

use crate::support::terminal::note;
use log::{Level, LevelFilter, Log, Metadata, Record};

struct Logger;

impl Log for Logger {
    /// Only what this program itself says: its libraries log for developers.
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            let warning = if record.level() <= Level::Warn { "warning: " } else { "" };
            note(&format!("{warning}{}", record.args()));
        }
    }

    fn flush(&self) {}
}

/// From now on the library's notes and warnings are printed.
pub fn install() {
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}
