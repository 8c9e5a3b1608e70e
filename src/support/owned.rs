//! Directories that tinygpt writes in. Each carries `tinygpt.json`, a manifest of what tinygpt wrote there;
//! only these files are ever rewritten or removed.
//!
//! Names that begin with [`SAVING`] are reserved for files that are being written: a directory that has
//! some and no manifest isn't taken.

use crate::support::failure::Failure;
use crate::support::files::{SAVING, replace};
use crate::support::record;
use crate::{bail_input, input_error};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

/// The manifest's file.
pub const MARKER: &str = "tinygpt.json";
/// The file that is locked while a process writes in a directory. It stays empty and is never removed.
pub const LOCK: &str = "lock";
/// Bytes that a manifest may have: room for some hundred thousand names.
const LARGEST: u64 = 1 << 23;

/// What a directory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Run,
    Comparison,
    Claims,
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Kind::Run => "run",
            Kind::Comparison => "comparison",
            Kind::Claims => "claims",
        }
    }
}

/// `tinygpt.json`
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    kind: Kind,
    /// Names in the directory that tinygpt wrote or is about to write.
    files: BTreeSet<String>,
}

/// What a directory can be.
pub struct Role {
    pub kind: Kind,
    /// The files of such a directory that tinygpt 0.1 made, which wrote no manifest; none if it didn't.
    pub legacy: fn(&Path) -> Option<BTreeSet<String>>,
    /// True for names that tinygpt writes in such a directory.
    pub writes: fn(&str) -> bool,
}

impl Role {
    /// True if tinygpt made the directory for this role.
    pub fn is_played(&self, path: &Path) -> bool {
        match Owned::read(path) {
            Ok(Some(owned)) => owned.manifest.kind == self.kind,
            _ => (self.legacy)(path).is_some(),
        }
    }

    /// Refuses a directory that plays another role, or holds anything that tinygpt didn't write. With `force`
    /// the user's files may be in it, but no directory under a name that the role writes.
    pub fn check(&self, path: &Path, force: bool) -> Result<()> {
        let (shown, noun) = (path.display(), self.kind.noun());
        if let Some(owned) = Owned::read(path)?.filter(|owned| owned.manifest.kind != self.kind) {
            let other = owned.manifest.kind.noun();
            bail_input!("{shown} holds no {noun}: it's a {other} directory; name another --out");
        }
        // Listed first: another process may write the manifest now, and its other files only after it.
        let foreign: Vec<String> = entries(path).filter(|name| !is_beginning(path, name)).collect();
        if self.is_played(path) {
            return Ok(());
        }
        match foreign.first() {
            Some(name) if !force => {
                let advice = match self.kind {
                    Kind::Claims => "",
                    _ => ", or add --force, which replaces only files whose names tinygpt needs",
                };
                bail_input!(
                    "{shown} is not empty and holds no {noun}, but other files such as {name}: name another --out{advice}"
                );
            }
            _ => {
                let in_the_way = |name: &&String| (self.writes)(name) || name.starts_with(SAVING);
                foreign.iter().filter(in_the_way).try_for_each(|name| refuse_directory(&path.join(name)))
            }
        }
    }
}

/// A directory with its manifest. Only the process that holds the directory's lock changes it.
#[derive(Debug)]
pub struct Owned {
    path: PathBuf,
    manifest: Manifest,
    /// False for a directory that gets its manifest with the first claim.
    is_written: bool,
}

impl Owned {
    /// The directory's manifest; none if it carries none.
    ///
    /// # Errors
    /// If a file of that name isn't a manifest, or comes from a newer version.
    pub fn read(path: &Path) -> Result<Option<Owned>> {
        let file = path.join(MARKER);
        // Creating the file and writing it are two steps: a process that was killed between them wrote
        // nothing else yet.
        if !file.metadata().is_ok_and(|metadata| metadata.len() > 0) {
            return Ok(None);
        }
        let manifest: Manifest = record::read(&file, LARGEST)?;
        if let Some(name) = manifest.files.iter().find(|name| !is_plain(name)) {
            bail_input!("{} lists '{name}', which isn't a name in its directory", file.display());
        }
        Ok(Some(Owned { path: path.to_path_buf(), manifest, is_written: true }))
    }

    /// The directory `path` in this role, which begins with its first claim, and the lock that `lock` takes.
    /// With `force` the user's files may be in it, but no directory under a name that the role writes.
    ///
    /// # Errors
    /// If it plays another role, or holds anything that tinygpt didn't write. Nothing is changed then.
    pub fn take(
        path: &Path,
        role: &Role,
        force: bool,
        lock: fn(&Path) -> Result<File>,
    ) -> Result<(Owned, File)> {
        fs::create_dir_all(path)
            .map_err(|error| input_error!("cannot create {}: {error}", path.display()))?;
        role.check(path, force)?;
        let lock = lock(path)?;
        // Another process may have begun something here in the meantime.
        role.check(path, force)?;
        let owned = match Owned::read(path)? {
            Some(owned) => owned,
            None => {
                let files = (role.legacy)(path).unwrap_or_default();
                let manifest = Manifest { kind: role.kind, files };
                Owned { path: path.to_path_buf(), manifest, is_written: false }
            }
        };
        Ok((owned, lock))
    }

    /// True if tinygpt wrote the file or directory of this name.
    pub fn wrote(&self, name: &str) -> bool {
        self.manifest.files.contains(name)
    }

    /// The names that tinygpt wrote.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.manifest.files.iter().map(String::as_str)
    }

    /// Lists names before they are written.
    ///
    /// # Errors
    /// If tinygpt didn't write what has such a name. With `force` a file is removed, but never a directory.
    pub fn claim(&mut self, names: impl IntoIterator<Item = String>, force: bool) -> Result<()> {
        let new: Vec<String> = names.into_iter().filter(|name| !self.wrote(name)).collect();
        for name in &new {
            let path = self.path.join(name);
            if path.symlink_metadata().is_err() {
                continue;
            }
            refuse_directory(&path)?;
            if !force {
                bail_input!("{} isn't a file that tinygpt wrote: move it away", path.display());
            }
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        if new.is_empty() && self.is_written {
            return Ok(());
        }
        self.manifest.files.extend(new);
        self.write()
    }

    /// Takes names off the list once they are removed.
    pub fn release(&mut self, is_gone: impl Fn(&str) -> bool) -> Result<()> {
        let listed = self.manifest.files.len();
        self.manifest.files.retain(|name| !is_gone(name));
        if self.manifest.files.len() == listed { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<()> {
        let (file, contents) = (self.path.join(MARKER), record::line(&self.manifest)?);
        if self.is_written {
            return replace(&file, contents.as_bytes());
        }
        // The first one is written in place: a kill leaves nothing beside it in a directory without manifest.
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&file)?;
            file.write_all(contents.as_bytes())?;
            file.sync_all()
        };
        write().with_context(|| format!("cannot write {}", file.display()))?;
        self.is_written = true;
        Ok(())
    }
}

/// A directory may hold files of the user's, so that it's never replaced.
fn refuse_directory(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
        let holds = entries(path).next().map_or(String::new(), |name| format!(" (it holds {name})"));
        bail_input!("{} isn't a directory that tinygpt wrote{holds}: move it away", path.display());
    }
    Ok(())
}

/// True for what a process leaves that was killed before it wrote a manifest.
fn is_beginning(path: &Path, name: &str) -> bool {
    let is_empty = || path.join(name).symlink_metadata().is_ok_and(|it| it.is_file() && it.len() == 0);
    [LOCK, MARKER].contains(&name) && is_empty()
}

/// True for a name that leads nowhere but to an entry of its directory.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
}

/// The names in a directory.
pub fn entries(directory: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

/// Locks a directory against other processes that would write in it.
///
/// # Errors
/// [`Failure::Busy`] while another process holds the lock.
pub fn lock(directory: &Path) -> Result<File> {
    let path = directory.join(LOCK);
    let file = File::options().create(true).append(true).open(&path);
    let file = file.map_err(|error| input_error!("cannot write in {}: {error}", directory.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Failure::Busy(format!(
            "another process is writing in {}; wait for it, or name another --out",
            directory.display()
        ))
        .into()),
        // Some network file systems have no locks; the directory is as safe there as its user is careful.
        Err(fs::TryLockError::Error(_)) => Ok(file),
    }
}

/// The lock of a directory whose processes hold it only for moments.
pub fn wait_for_lock(directory: &Path) -> Result<File> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let began = Instant::now();
    loop {
        match lock(directory) {
            Err(error)
                if matches!(error.downcast_ref(), Some(Failure::Busy(_))) && began.elapsed() < PATIENCE =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
}
