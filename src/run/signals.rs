//! Requests by signals. The first Ctrl-C or SIGTERM asks to stop, the second ends the process at once;
//! SIGUSR1 asks to save and go on.

use crate::failure::Failure;
use anyhow::Result;
use signal_hook::consts::TERM_SIGNALS;
use signal_hook::flag;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
static ASKED_TO_SAVE: OnceLock<Arc<AtomicBool>> = OnceLock::new();

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

/// From now on signals ask instead of ending the process.
pub fn listen() -> Result<()> {
    let asked = ASKED.get_or_init(Arc::default);
    for signal in TERM_SIGNALS {
        // In this order: a signal that finds the flag set by an earlier one ends the process.
        flag::register_conditional_shutdown(*signal, 130, Arc::clone(asked))?;
        flag::register(*signal, Arc::clone(asked))?;
    }
    Ok(())
}

/// Whether a signal asked to stop.
pub fn asked() -> bool {
    ASKED.get().is_some_and(|asked| asked.load(Ordering::Relaxed))
}

/// # Errors
/// [`Failure::Interrupted`] if a signal asked to stop.
pub fn check(when: &str) -> Result<()> {
    if asked() {
        return Err(Failure::Interrupted(format!("interrupted {when}")).into());
    }
    Ok(())
}
