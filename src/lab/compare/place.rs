//! Which directory a comparison belongs in, and which of the files there are its own.

use super::Run;
use super::comparison::{COMPARISON, Comparison, read};
use super::results::{RESULTS, Results};
use crate::bail_input;
use crate::run::RunDir;
use crate::support::mark::is_marked;
use crate::support::owned::{Kind, LOCK, Owned, Role, entries, wait_for_lock};
use anyhow::Result;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The page with what a comparison found.
pub const REPORT: &str = "report.html";

const ROLE: Role = Role { kind: Kind::Comparison, legacy, writes };

fn writes(name: &str) -> bool {
    [COMPARISON, RESULTS, REPORT].contains(&name) || Run::is_name(name)
}

/// The files of a comparison by tinygpt 0.1, which wrote no manifest.
fn legacy(path: &Path) -> Option<BTreeSet<String>> {
    read(path)?.ok()?;
    let is_own = |name: &String| match name.as_str() {
        COMPARISON => true,
        RESULTS => Results::is_one(path),
        REPORT => is_marked(&path.join(name)),
        LOCK => false,
        name => Run::is_name(name) && RunDir::at(&path.join(name)).is_recognised(),
    };
    Some(entries(path).filter(is_own).collect())
}

/// Refuses a directory that holds another comparison, or a larger one, which would lose its report.
pub fn refuse_other(path: &Path, comparison: &Comparison) -> Result<()> {
    let shown = path.display();
    match read(path) {
        Some(Ok(saved)) if comparison.continues(&saved) => Ok(()),
        Some(Ok(saved)) if comparison.identity() == saved.identity() => bail_input!(
            "{shown} holds a larger comparison, with activations, seeds, learning rates or tested pairs that this one leaves out: add them (--all-pairs tests every pair), name another --out, or replace it with --force"
        ),
        Some(Err(error)) => Err(error),
        Some(Ok(_)) => bail_input!(
            "{shown} holds a comparison with other settings or another text: name another --out, or replace it with --force"
        ),
        None => Ok(()),
    }
}

/// The finished runs that a comparison in this directory begins with: none if it replaces another one.
pub fn results_to_keep(path: &Path, comparison: &Comparison) -> Result<Results> {
    match refuse_other(path, comparison) {
        Ok(()) => Results::open(path, comparison),
        Err(_) => Results::none(path, comparison),
    }
}

/// Refuses a directory that a comparison can't be written in, and changes nothing.
pub fn check_place(path: &Path, comparison: &Comparison, force: bool) -> Result<()> {
    if path.exists() && !path.is_dir() {
        bail_input!("--out {} isn't a directory", path.display());
    }
    ROLE.check(path, force)?;
    if force { Ok(()) } else { refuse_other(path, comparison) }
}

/// The manifest of a comparison's directory, and the directory's lock.
pub fn own(path: &Path, force: bool) -> Result<(Owned, File)> {
    Owned::take(path, &ROLE, force, wait_for_lock)
}

/// Makes sure that the report of a comparison can be written over what is there.
pub fn claim_report(path: &Path, force: bool) -> Result<()> {
    let (mut owned, _lock) = own(path, force)?;
    owned.claim([REPORT.to_string()], force)
}

/// `runs/compare`, `runs/compare-2`, ...
fn numbered() -> impl Iterator<Item = PathBuf> {
    let base = Path::new("runs");
    std::iter::once(base.join("compare")).chain((2..).map(move |n| base.join(format!("compare-{n}"))))
}

/// The directory for a comparison without a name: the first that holds it or is free.
pub fn place(comparison: &Comparison) -> PathBuf {
    let fits = |path: &PathBuf| check_place(path, comparison, false).is_ok();
    numbered().find(fits).unwrap_or_default()
}

/// The comparisons without a name, in the order of their numbers.
pub fn unnamed() -> impl Iterator<Item = Comparison> {
    numbered().take_while(|path| path.exists()).filter_map(|path| read(&path)?.ok())
}

/// The newest comparison in `runs`.
///
/// # Errors
/// If there is none.
pub fn newest() -> Result<PathBuf> {
    let changed = |path: &Path| {
        let time = |name: &str| fs::metadata(path.join(name)).and_then(|metadata| metadata.modified()).ok();
        time(COMPARISON)?;
        time(RESULTS).max(time(COMPARISON))
    };
    let runs = Path::new("runs");
    let paths = entries(runs).map(|name| runs.join(name));
    match paths.filter_map(|path| Some((changed(&path)?, path))).max() {
        Some((_, path)) => Ok(path),
        None => bail_input!(
            "there is no comparison in runs/ yet: make one with `tinygpt compare`, or name its directory"
        ),
    }
}
