//! `SHA256SUMS`: what each file of a checkpoint was when it was saved. It is written last, and has the
//! format of coreutils' `sha256sum`, so that `sha256sum --check SHA256SUMS` says the same as this program.

use crate::input_error;
use crate::support::files::{read_text, sync};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The one file that it leaves out: the card, as the hub names it.
pub const CARD: &str = "README.md";
pub const MANIFEST: &str = "SHA256SUMS";
/// A line has 64 digits, two spaces and a name: this is room for ten thousand of them.
const LARGEST: u64 = 1 << 20;

/// Writes the manifest of all files in a directory, once they are on disk.
pub fn write(directory: &Path) -> Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name().into_string().ok().context("a name that is no UTF-8")?);
    }
    // The card is written again once the model was scored, and people edit it.
    names.retain(|name| name != CARD);
    names.sort_unstable();
    let mut lines = String::new();
    for name in names {
        let path = directory.join(&name);
        sync(&path)?;
        lines += &format!("{}  {name}\n", digest(&path)?);
    }
    let path = directory.join(MANIFEST);
    fs::write(&path, lines)?;
    sync(&path)?;
    sync(directory)
}

/// Holds files of a checkpoint against its manifest. A directory that other programs made has none,
/// and is taken as it is.
///
/// # Errors
/// If a file is not the one that was saved; says which, and from which checkpoint the run can go on.
pub fn verify(directory: &Path, files: &[impl AsRef<str>]) -> Result<()> {
    let manifest = directory.join(MANIFEST);
    if !manifest.exists() {
        return Ok(());
    }
    let text = read_text(&manifest, LARGEST)?;
    for name in files.iter().map(AsRef::as_ref) {
        let path = directory.join(name);
        let wrong = |what: &str| input_error!("{} {what}{}", path.display(), advice(directory));
        // A star before the name is how sha256sum says that it read bytes.
        let of = |line: &'_ str| {
            let (digest, rest) = line.split_once(' ')?;
            (rest.strip_prefix([' ', '*'])? == name).then(|| digest.to_ascii_lowercase())
        };
        let Some(saved) = text.lines().find_map(of) else {
            return Err(wrong(&format!("is not named in {MANIFEST} beside it")));
        };
        if !path.is_file() {
            return Err(wrong("is missing"));
        }
        if digest(&path)? != saved {
            return Err(wrong(&format!(
                "is not what was saved: its SHA-256 differs from that in {MANIFEST}"
            )));
        }
    }
    Ok(())
}

/// What to do about a checkpoint that is not whole.
fn advice(directory: &Path) -> String {
    let meant = format!("if the change was meant, remove {MANIFEST}");
    match before(directory) {
        Some((this, other)) => {
            format!("; remove {this} and its run goes on from {other}, which was saved before it; {meant}")
        }
        None => format!("; there is no checkpoint before it; {meant}"),
    }
}

/// The names of this checkpoint and of the one saved before it.
fn before(directory: &Path) -> Option<(String, String)> {
    let real = directory.canonicalize().ok()?;
    let is_one = |path: &PathBuf| !path.is_symlink() && path.join(MANIFEST).is_file() && *path < real;
    let siblings = fs::read_dir(real.parent()?).ok()?.flatten().map(|entry| entry.path());
    let name = |path: &Path| Some(path.file_name()?.to_str()?.to_string());
    Some((name(&real)?, name(&siblings.filter(is_one).max()?)?))
}

/// SHA-256 of a file, in hexadecimal.
fn digest(path: &Path) -> Result<String> {
    let failed = |error| input_error!("cannot read {}: {error}", path.display());
    let mut file = File::open(path).map_err(failed)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hash.update(&buffer[..read]),
        }
    }
}
