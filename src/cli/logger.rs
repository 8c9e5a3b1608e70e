//! Prints the library's log messages on standard error.

use crate::support::terminal::note;
use log::{Level, LevelFilter, Log, Metadata, Record};

struct Logger;

impl Log for Logger {
    /// Messages of other crates are for developers.
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

pub fn install() {
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}
