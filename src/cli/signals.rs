//! Signals: Ctrl-C and SIGTERM ask to stop, SIGUSR1 asks to save a checkpoint and continue.
//!
//! While there is nothing to save, the first Ctrl-C ends the process immediately. After [`listen`] the first
//! one is a request, and the second ends the process.

use crate::support::failure::{Failure, INTERRUPTED};
use crate::support::terminal::bar_was_drawn;
use crate::support::waiting::Waiting;
use anyhow::Result;
use signal_hook::consts::TERM_SIGNALS;
use signal_hook::low_level;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);
static ASKED_TO_SAVE: AtomicBool = AtomicBool::new(false);
static ANSWER: AtomicU8 = AtomicU8::new(END);
static AT_A_TERMINAL: AtomicBool = AtomicBool::new(false);

const STANDARD_ERROR: i32 = 2;

/// Answers to a signal to stop: end the process,
const END: u8 = 0;
/// take the first signal as a request and end the process at the second,
const ASK: u8 = 1;
/// or take every signal as a request.
const ASK_ONLY: u8 = 2;

/// Installs the signal handlers. Call this first.
pub fn answer() -> Result<()> {
    AT_A_TERMINAL.store(std::io::stderr().is_terminal(), Ordering::Relaxed);
    // SAFETY: the handlers only use atomics, write(2) and _exit(2), which are safe there.
    unsafe {
        for signal in TERM_SIGNALS {
            low_level::register(*signal, stop)?;
        }
        #[cfg(unix)]
        low_level::register(signal_hook::consts::SIGUSR1, || ASKED_TO_SAVE.store(true, Ordering::Relaxed))?;
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
        // Erases the bar and the ^C that the terminal printed into it.
        true if bar_was_drawn() => "\r\x1b[2K",
        true => "\n",
        false => "",
    };
    for part in [start, message] {
        // SAFETY: the pointer and the length are those of a string. A failure can't be reported anywhere.
        let _ = unsafe { libc::write(STANDARD_ERROR, part.as_ptr().cast(), part.len() as _) };
    }
    low_level::exit(INTERRUPTED.into())
}

/// True if SIGUSR1 came since the last call.
pub fn asked_to_save() -> bool {
    ASKED_TO_SAVE.swap(false, Ordering::Relaxed)
}

/// Makes the first signal to stop a request. The second still ends the process.
pub fn listen() {
    ANSWER.store(ASK, Ordering::Relaxed);
}

/// Makes every signal to stop a request. For workers: they get one Ctrl-C twice, from the terminal and from
/// their parent.
pub fn only_listen() {
    ANSWER.store(ASK_ONLY, Ordering::Relaxed);
}

/// Makes the end of standard input a request to stop. For workers: their parent holds the other end, so it
/// closes when the parent dies.
pub fn stop_at_end_of_input() {
    let wait = || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        ASKED.store(true, Ordering::Relaxed);
    };
    // If no thread can start, signals still work.
    let _ = std::thread::Builder::new().name("parent".to_string()).spawn(wait);
}

/// True after a request to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// # Errors
/// [`Failure::Interrupted`] after a request to stop. `when` completes "Interrupted ...".
pub fn check(when: &str) -> Result<()> {
    if asked() {
        return Err(Failure::Interrupted(format!("Interrupted {when}.")).into());
    }
    Ok(())
}

/// Follows work that a request to stop ends.
pub fn following(waiting: &Waiting) -> impl FnMut(usize, usize) -> Result<()> + '_ {
    |done, all| {
        waiting.reached(done, all);
        check("before it was done")
    }
}
