//! Telling what takes long, so that no command is silent for more than a few seconds.

use crate::support::numbers::{duration, grouped};
use crate::support::terminal::{bar, line_columns};
use indicatif::ProgressBar;
use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// The first line comes after this, and each pause is twice as long as the one before...
const FIRST: Duration = Duration::from_secs(2);
/// ...up to this.
const LONGEST: Duration = Duration::from_secs(60);

/// Work that may take long, until this is dropped.
pub struct Waiting {
    what: String,
    /// Parts done, of all; 0 where the work is one part.
    done: Arc<[AtomicUsize; 2]>,
    /// Shows the parts on a terminal.
    bar: OnceCell<ProgressBar>,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Says on standard error from time to time that `what` is being done; nothing if it is done soon. On a terminal, a
/// bar shows work whose parts are counted. `what` ends in the unit of the parts: "scoring, tokens".
pub fn waiting(what: impl Into<String>) -> Waiting {
    let (what, began) = (what.into(), Instant::now());
    start(what.clone(), FIRST, move |done, all| {
        if all == 0 {
            log::info!("{what}: {} so far", duration(began.elapsed().as_secs_f64()));
        } else if line_columns().is_none() {
            let time = duration(began.elapsed().as_secs_f64());
            log::info!("{what}: {} of {}, {time} so far", grouped(done), grouped(all));
        }
    })
}

fn start(what: String, first: Duration, mut tell: impl FnMut(usize, usize) + Send + 'static) -> Waiting {
    let (end, ended) = channel();
    let done = Arc::new([const { AtomicUsize::new(0) }; 2]);
    let parts = Arc::clone(&done);
    let tell = move || tell(parts[0].load(Ordering::Relaxed), parts[1].load(Ordering::Relaxed));
    // Where the system has no thread to spare the work is done in silence.
    let thread =
        Builder::new().name("waiting".to_string()).spawn(move || tell_until(&ended, first, tell)).ok();
    Waiting { what, done, bar: OnceCell::new(), end: Some(end), thread }
}

impl Waiting {
    /// `done` of `all` parts are done.
    pub fn reached(&self, done: usize, all: usize) {
        self.done[0].store(done, Ordering::Relaxed);
        self.done[1].store(all, Ordering::Relaxed);
        let new = || bar(all, "{prefix} {bar:12} {percent}%  {eta} left").with_prefix(self.what.clone());
        self.bar.get_or_init(new).set_position(done as u64);
    }
}

fn tell_until(ended: &Receiver<()>, first: Duration, mut tell: impl FnMut()) {
    let mut pause = first;
    while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        tell();
        pause = (2 * pause).min(LONGEST);
    }
}

impl Drop for Waiting {
    /// No line comes after the work is done.
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_lines_stop_when_the_work_is_done() {
        let (line, lines) = channel();
        let work =
            start(String::new(), Duration::ZERO, move |done, all| line.send((done, all)).unwrap_or_default());
        assert_eq!(lines.recv(), Ok((0, 0)));
        work.reached(3, 7);
        assert!(lines.iter().any(|parts| parts == (3, 7)));
        drop(work);
        while lines.try_recv().is_ok() {}
        assert!(lines.recv().is_err());
    }

    #[test]
    fn short_work_prints_no_waiting_line() {
        let (line, lines) = channel();
        drop(start(String::new(), Duration::MAX, move |_, _| line.send(()).unwrap_or_default()));
        assert!(lines.recv().is_err());
    }
}
