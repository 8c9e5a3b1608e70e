//! A file of the hub on this machine: from the cache, or downloaded into it and checked.

use super::server::{Metadata, Server, Trouble, explain};
use super::store::{Entry, Store, create_parent, may_have_etag};
use crate::bail_input;
use crate::support::environment;
use crate::support::output::bar;
use anyhow::{Context, Result};
use hf_hub::Repo;
use indicatif::DecimalBytes;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// Attempts that may fail one after the other, without a byte more than before.
const ATTEMPTS: u32 = 3;

/// Whether a cached "no such file" counts as an answer.
#[derive(Clone, Copy, PartialEq)]
pub enum Need {
    Required,
    Optional,
}

/// The path of a file in the hub's cache, downloaded if it isn't there; `None` if the repository lacks it.
/// `shown` is its name in messages.
///
/// # Errors
/// If the file can't be downloaded, or its contents don't match the hash that the hub names.
pub fn fetch(repo: &Repo, file: &str, shown: &str, need: Need) -> Result<Option<PathBuf>> {
    let store = Store::open(repo)?;
    let may_lack = match store.find(file)? {
        Entry::Here(path) => return Ok(Some(path)),
        Entry::Absent if need == Need::Optional => return Ok(None),
        Entry::Damaged => {
            log::info!("{shown} is damaged in the cache");
            false
        }
        Entry::Absent | Entry::Unknown => need == Need::Optional,
    };
    if environment::switch("HF_HUB_OFFLINE") || environment::switch("TRANSFORMERS_OFFLINE") {
        if may_lack {
            return Ok(None);
        }
        bail_input!("the cache has no sound copy of {shown}, and HF_HUB_OFFLINE forbids downloading it");
    }
    let server = Server::from_environment()?;
    let mut download = Download { server, store, repo, file, shown, furthest: 0 };
    let mut failures = 0;
    loop {
        let before = download.furthest;
        let why = match download.attempt() {
            Ok(path) => return Ok(Some(path)),
            Err(Trouble::Absent(commit)) => {
                // Only saves a question later.
                let _ = commit.map(|commit| download.store.mark_absent(&commit, file));
                return Ok(None);
            }
            Err(Trouble::Final(error)) => return Err(error.context(format!("cannot fetch {shown}"))),
            Err(Trouble::Passing(why)) => why,
        };
        failures = if download.furthest > before { 1 } else { failures + 1 };
        if failures == ATTEMPTS {
            bail_input!("cannot fetch {shown}: {why}");
        }
        log::info!("{why}; trying again");
        sleep(Duration::from_millis(250 << failures));
    }
}

struct Download<'a> {
    server: Server,
    store: Store,
    repo: &'a Repo,
    file: &'a str,
    shown: &'a str,
    /// The most bytes that any attempt reached.
    furthest: u64,
}

impl Download<'_> {
    fn attempt(&mut self) -> Result<PathBuf, Trouble> {
        let metadata = self.server.metadata(self.repo, self.file)?;
        let etag = &metadata.etag;
        let waiting = || log::info!("another process is downloading {}; waiting for it", self.shown);
        let _lock = self.store.lock(etag, waiting)?;
        let (blob, incomplete) = (self.store.blob(etag), self.store.incomplete(etag));
        if !is_complete(&blob, &metadata)? {
            self.fill(&incomplete, &metadata)?;
            if !is_complete(&incomplete, &metadata)? {
                let _ = fs::remove_file(&incomplete);
                return Err(Trouble::Passing("the contents don't match the hash that the hub names".into()));
            }
            fs::rename(&incomplete, &blob).with_context(|| format!("cannot write {}", blob.display()))?;
        }
        Ok(self.store.link(etag, &metadata.commit, self.file)?)
    }

    /// Downloads contents to `path`, after the part of them that is there already.
    fn fill(&mut self, path: &Path, metadata: &Metadata) -> Result<(), Trouble> {
        let failed = || format!("cannot write {}", path.display());
        create_parent(path).with_context(failed)?;
        let mut file = File::options().create(true).append(true).open(path).with_context(failed)?;
        let there = file.metadata().with_context(failed)?.len();
        if metadata.size == Some(there) {
            return Ok(());
        }
        let size = metadata.size.map_or(String::new(), |size| format!(", {}", DecimalBytes(size)));
        log::info!("fetching {}{size}", self.shown);
        let bar = bar(
            metadata.size.unwrap_or(0) as usize,
            "{bar:24} {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left",
        );
        let (mut length, mut contents) = self.server.contents(metadata, there)?;
        if length < there {
            file.set_len(length).with_context(failed)?;
        }
        let mut buffer = vec![0; 1 << 16];
        loop {
            bar.set_position(length);
            self.furthest = self.furthest.max(length);
            let read = contents.read(&mut buffer);
            let read = read.map_err(|error| explain(error.into(), &metadata.location))?;
            if read == 0 {
                break;
            }
            file.write_all(&buffer[..read]).with_context(failed)?;
            length += read as u64;
            if metadata.size.is_some_and(|size| length > size) {
                file.set_len(0).with_context(failed)?;
                return Err(Trouble::Passing("the server sends more bytes than it promised".to_string()));
            }
        }
        bar.finish_and_clear();
        match metadata.size {
            Some(size) if length < size => {
                Err(Trouble::Passing(format!("the server sent {length} of {size} bytes")))
            }
            _ => Ok(()),
        }
    }
}

/// True if the file at `path` has the size and the hash that the hub names.
fn is_complete(path: &Path, metadata: &Metadata) -> Result<bool> {
    let Ok(file) = fs::metadata(path) else { return Ok(false) };
    let has_size = metadata.size.is_none_or(|size| size == file.len());
    Ok(file.is_file() && has_size && may_have_etag(path, &metadata.etag)?)
}
