//! The hub's cache on this machine, which huggingface_hub reads and writes too:
//!
//! ```text
//! models--owner--name/blobs/<etag>               contents
//! models--owner--name/snapshots/<commit>/<file>  links to them
//! models--owner--name/refs/<revision>            the commit of a branch or tag when it was last asked for
//! models--owner--name/.no_exist/<commit>/<file>  files that a commit does not have
//! .locks/models--owner--name/<etag>.lock         locked while a file is downloaded
//! ```

use crate::input_error;
use crate::support::environment;
use crate::support::files::{read_chunks, replace};
use crate::support::home;
use anyhow::{Context, Result};
use hf_hub::{Cache, CacheRepo, Repo};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// `$HF_HOME`: the directory of everything that huggingface_hub keeps.
///
/// # Errors
/// If no variable names it and there is no home directory.
pub fn hub_home() -> Result<PathBuf> {
    environment::path("HF_HOME")
        .or_else(|| Some(environment::path("XDG_CACHE_HOME")?.join("huggingface")))
        .or_else(|| Some(home::directory()?.join(".cache/huggingface")))
        .ok_or_else(|| input_error!("there is no home directory to keep downloads in; set HF_HOME"))
}

/// What the cache knows of a file.
pub enum Entry {
    Here(PathBuf),
    /// The contents are not those that their name promises.
    Damaged,
    /// The commit has no such file.
    Absent,
    Unknown,
}

/// The part of the cache that belongs to one revision of a repository.
pub struct Store {
    files: CacheRepo,
    folder: PathBuf,
    locks: PathBuf,
    revision: String,
}

impl Store {
    pub fn open(repo: &Repo) -> Result<Store> {
        let root =
            match environment::path("HF_HUB_CACHE").or_else(|| environment::path("HUGGINGFACE_HUB_CACHE")) {
                Some(root) => root,
                None => hub_home()?.join("hub"),
            };
        Ok(Store {
            folder: root.join(repo.folder_name()),
            locks: root.join(".locks").join(repo.folder_name()),
            revision: repo.revision().to_string(),
            files: Cache::new(root).repo(repo.clone()),
        })
    }

    /// Looks a file up and checks its contents.
    pub fn find(&self, file: &str) -> Result<Entry> {
        let Some(commit) = self.commit() else { return Ok(Entry::Unknown) };
        let path = self.files.pointer_path(&commit).join(file);
        if !path.is_file() {
            let absent = self.absent_mark(&commit, file).exists();
            return Ok(if absent { Entry::Absent } else { Entry::Unknown });
        }
        // A copied cache may hold files instead of links; nothing says what should be in those.
        let link = fs::read_link(&path).unwrap_or_default();
        let etag = link.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        Ok(if may_have_etag(&path, etag)? { Entry::Here(path) } else { Entry::Damaged })
    }

    /// The commit that the revision names, as far as the cache knows.
    fn commit(&self) -> Option<String> {
        if is_hexadecimal(&self.revision, 40) {
            return Some(self.revision.clone());
        }
        let commit = fs::read_to_string(self.folder.join("refs").join(&self.revision)).ok()?;
        Some(commit.trim().to_string()).filter(|commit| is_plain(commit))
    }

    /// Where the contents with this ETag are, or will be.
    pub fn blob(&self, etag: &str) -> PathBuf {
        self.files.blob_path(etag)
    }

    /// Where contents are kept until they are complete.
    pub fn incomplete(&self, etag: &str) -> PathBuf {
        self.files.blob_path(&format!("{etag}.incomplete"))
    }

    /// Waits until no other process downloads this file; `waiting` is called if one does. Keep the result
    /// until the download is done. The system unlocks the file of a process that dies.
    pub fn lock(&self, etag: &str, waiting: impl FnOnce()) -> Result<File> {
        let path = self.locks.join(format!("{etag}.lock"));
        let failed = || format!("cannot make {}", path.display());
        fs::create_dir_all(&self.locks).with_context(failed)?;
        let file = File::options().create(true).append(true).open(&path).with_context(failed)?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            waiting();
            file.lock().with_context(failed)?;
        }
        // Some file systems can't lock. Two processes may then spoil each other's download: the check of its
        // contents finds that.
        Ok(file)
    }

    /// Makes complete contents appear as `file` of a commit, and the revision name that commit.
    pub fn link(&self, etag: &str, commit: &str, file: &str) -> Result<PathBuf> {
        let pointer = self.files.pointer_path(commit).join(file);
        let failed = || format!("cannot make {}", pointer.display());
        create_parent(&pointer).with_context(failed)?;
        let up = "../".repeat(Path::new(file).components().count() + 1);
        let target = PathBuf::from(format!("{up}blobs/{etag}"));
        if fs::read_link(&pointer).ok().as_ref() != Some(&target) {
            let _ = fs::remove_file(&pointer);
            let linked = symlink(&target, &pointer);
            // Not every file system has links.
            linked.or_else(|_| fs::rename(self.blob(etag), &pointer)).with_context(failed)?;
        }
        self.name(commit)?;
        Ok(pointer)
    }

    /// Remembers that a commit has no such file.
    pub fn mark_absent(&self, commit: &str, file: &str) -> Result<()> {
        let mark = self.absent_mark(commit, file);
        let failed = || format!("cannot make {}", mark.display());
        create_parent(&mark).and_then(|()| fs::write(&mark, "")).with_context(failed)?;
        self.name(commit)
    }

    fn absent_mark(&self, commit: &str, file: &str) -> PathBuf {
        self.folder.join(".no_exist").join(commit).join(file)
    }

    fn name(&self, commit: &str) -> Result<()> {
        if self.commit().is_some_and(|known| known == commit) {
            return Ok(());
        }
        let path = self.folder.join("refs").join(&self.revision);
        create_parent(&path).with_context(|| format!("cannot make {}", path.display()))?;
        replace(&path, commit.as_bytes())
    }
}

pub fn create_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

/// True if a server's word can be one name in a path.
pub fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn is_hexadecimal(word: &str, digits: usize) -> bool {
    word.len() == digits && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// False if the ETag is a digest of other contents. The hub's ETag is the SHA-256 of a file in LFS and git's SHA-1
/// of other files; some mirrors take the SHA-1 of the contents alone. Other ETags say nothing about the contents.
pub fn may_have_etag(path: &Path, etag: &str) -> Result<bool> {
    let length = fs::metadata(path)?.len();
    let (mut sha256, mut git) = (Sha256::new(), Sha1::new_with_prefix(format!("blob {length}\0")));
    let mut sha1 = Sha1::new();
    let digests = if is_hexadecimal(etag, 64) {
        read_chunks(path, |bytes| sha256.update(bytes))?;
        vec![hexadecimal(&sha256.finalize())]
    } else if is_hexadecimal(etag, 40) {
        read_chunks(path, |bytes| {
            git.update(bytes);
            sha1.update(bytes);
        })?;
        vec![hexadecimal(&git.finalize()), hexadecimal(&sha1.finalize())]
    } else {
        return Ok(true);
    };
    Ok(digests.contains(&etag.to_ascii_lowercase()))
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
