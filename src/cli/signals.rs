//! Requests by signals: Ctrl-C and SIGTERM ask to stop, SIGUSR1 asks to save and go on.
//!
//! As long as there is nothing to save, the first Ctrl-C ends the process at once. After [`listen`] the first
//! one asks, and the second ends the process.

use crate::support::failure::{Failure, INTERRUPTED};
use crate::support::terminal::bar_was_drawn;
use anyhow::Result;
use signal_hook::consts::TERM_SIGNALS;
use signal_hook::{flag, low_level};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

static ASKED: AtomicBool = AtomicBool::new(false);
static ASKED_TO_SAVE: OnceLock<Arc<AtomicBool>> = OnceLock::new();
static ANSWER: AtomicU8 = AtomicU8::new(END);
static AT_A_TERMINAL: AtomicBool = AtomicBool::new(false);

const STANDARD_ERROR: i32 = 2;

/// What a signal to stop does: it ends the process,
const END: u8 = 0;
/// asks the first time and ends the process the second time,
const ASK: u8 = 1;
/// or only asks, however often it comes.
const ASK_ONLY: u8 = 2;

/// From now on a signal to stop says so before it ends the process: to be called first thing.
pub fn answer() -> Result<()> {
    AT_A_TERMINAL.store(std::io::stderr().is_terminal(), Ordering::Relaxed);
    for signal in TERM_SIGNALS {
        // SAFETY: `stop` uses atomics, write(2) and _exit(2) only, which signal handlers may.
        unsafe { low_level::register(*signal, stop)? };
    }
    Ok(())
}

fn stop() {
    match ANSWER.load(Ordering::Relaxed) {
        ASK_ONLY => ASKED.store(true, Ordering::Relaxed),
        ASK if !ASKED.swap(true, Ordering::Relaxed) => {}
        ASK => end("Interrupted twice: the work since the last checkpoint isn't saved.\n"),
        _ => end("Interrupted before anything new was saved.\n"),
    }
}

/// Ends the process from a signal handler.
fn end(message: &str) -> ! {
    let start = match AT_A_TERMINAL.load(Ordering::Relaxed) {
        // Takes the place of the bar, and of the ^C that the terminal wrote into it.
        true if bar_was_drawn() => "\r\x1b[2K",
        true => "\n",
        false => "",
    };
    for part in [start, message] {
        // SAFETY: the pointer and the length are those of a string. Nobody is left to tell if it fails.
        let _ = unsafe { libc::write(STANDARD_ERROR, part.as_ptr().cast(), part.len() as _) };
    }
    low_level::exit(INTERRUPTED.into())
}

/// From now on SIGUSR1 asks to save instead of ending the process: to be called first thing.
pub fn await_requests() -> Result<()> {
    #[cfg(unix)]
    flag::register(signal_hook::consts::SIGUSR1, Arc::clone(ASKED_TO_SAVE.get_or_init(Arc::default)))?;
    Ok(())
}

/// Whether a signal asked to save since this was last called.
pub fn asked_to_save() -> bool {
    ASKED_TO_SAVE.get().is_some_and(|asked| asked.swap(false, Ordering::Relaxed))
}

/// From now on the first signal to stop asks instead of ending the process.
pub fn listen() {
    ANSWER.store(ASK, Ordering::Relaxed);
}

/// From now on signals to stop only ask: for a process whose parent passes them on, so that one Ctrl-C may
/// come twice.
pub fn only_listen() {
    ANSWER.store(ASK_ONLY, Ordering::Relaxed);
}

/// From now on the end of standard input asks to stop, too: for a process that ends with its parent, which
/// holds the other end.
pub fn stop_at_end_of_input() {
    let wait = || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        ASKED.store(true, Ordering::Relaxed);
    };
    // Without a thread to spare, signals are all that is heard.
    let _ = std::thread::Builder::new().name("parent".to_string()).spawn(wait);
}

/// Whether a signal asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// # Errors
/// [`Failure::Interrupted`] if a signal asked to stop.
pub fn check(when: &str) -> Result<()> {
    if asked() {
        return Err(Failure::Interrupted(format!("Interrupted {when}.")).into());
    }
    Ok(())
}
