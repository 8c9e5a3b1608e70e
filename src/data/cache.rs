//! The directory that keeps what was prepared once: `$TINYGPT_CACHE`, or `tinygpt` in the user's
//! cache directory.
//!
//! An entry ends with its length and its CRC-32. It is used only if both are right, and made again if not.
//! Whenever one is made, those that nobody has used for 30 days are removed.

use crate::input_error;
use crate::support::environment;
use crate::support::files::{SAVING, write_whole};
use crate::support::home;
use anyhow::{Context, Result};
use memmap2::Mmap;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Entries that nobody has used for this long are removed.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The kinds of entries: what their names end with.
pub const TOKENS: &str = "tokens";
pub const TOKENIZER: &str = "tokenizer.json";

/// A name for what is made of `parts`: no other parts have it.
pub fn name(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(NAME / 2).map(|byte| format!("{byte:02x}")).collect()
}

/// Hexadecimal digits of a name.
const NAME: usize = 32;

/// The contents of an entry, mapped into memory.
pub struct Entry {
    map: Mmap,
    /// Locked as long as the entry is in use, so that no process removes it.
    _file: File,
}

impl Deref for Entry {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map[..self.map.len() - Seal::SIZE]
    }
}

/// The entry called `name`; `make` writes it if it is missing or damaged.
pub fn entry(name: &str, kind: &str, make: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<Entry> {
    let directory = directory();
    fs::create_dir_all(&directory).map_err(|error| {
        input_error!(
            "cannot create the cache {}: {error}; name another in TINYGPT_CACHE",
            directory.display()
        )
    })?;
    let path = directory.join(format!("{name}.{kind}"));
    if let Some(entry) = open(&path)? {
        return Ok(entry);
    }
    write_whole(&path, |file| {
        let mut out = Sealing { out: BufWriter::new(file), seal: Seal::default() };
        make(&mut out)?;
        let seal = out.seal.to_bytes();
        let sealed = out.out.write_all(&seal).and_then(|()| out.out.flush());
        sealed.with_context(|| format!("cannot write {}", path.display()))
    })?;
    remove_unused(&directory);
    open(&path)?.with_context(|| format!("{} was damaged while it was written", path.display()))
}

/// Opens an entry if it is there and what was written.
fn open(path: &Path) -> Result<Option<Entry>> {
    let failed = || format!("cannot open {}", path.display());
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.with_context(failed)?,
    };
    // File systems without locks keep entries, or remove the name of one that stays open.
    let _ = file.lock_shared();
    let _ = file.set_modified(SystemTime::now());
    // SAFETY: entries are written whole under their name and never changed, only replaced or removed, which
    // leaves the mapped file as it is. Whoever cuts an entry short in place can end this process, not corrupt it.
    let map = unsafe { Mmap::map(&file) }.with_context(failed)?;
    if !Seal::is_right(&map) {
        log::info!("{} is damaged, or another version of tinygpt made it; making it again", path.display());
        return Ok(None);
    }
    Ok(Some(Entry { map, _file: file }))
}

/// What an entry ends with, in this machine's byte order: so is what it holds.
#[derive(Default)]
struct Seal {
    length: u64,
    crc: u32,
}

impl Seal {
    const SIZE: usize = 16;
    const MARK: u32 = u32::from_le_bytes(*b"tgc2");

    fn add(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        let mut hasher = crc32fast::Hasher::new_with_initial(self.crc);
        hasher.update(bytes);
        self.crc = hasher.finalize();
    }

    fn to_bytes(&self) -> Vec<u8> {
        [&self.length.to_ne_bytes()[..], &self.crc.to_ne_bytes(), &Self::MARK.to_ne_bytes()].concat()
    }

    fn is_right(entry: &[u8]) -> bool {
        let Some((contents, bytes)) = entry.split_last_chunk::<{ Self::SIZE }>() else { return false };
        let mut seal = Seal::default();
        // Reading a foreign file to its end would be for nothing.
        bytes[..8] == (contents.len() as u64).to_ne_bytes() && {
            seal.add(contents);
            seal.to_bytes() == bytes
        }
    }
}

/// Passes on what is written, and counts it.
struct Sealing<W> {
    out: W,
    seal: Seal,
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.seal.add(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Removes entries that nobody has used for long, and what killed processes left of theirs. It is no
/// failure if that can't be done.
fn remove_unused(directory: &Path) {
    for path in fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let used = fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
        let old = used.is_ok_and(|used| used.elapsed().is_ok_and(|unused| unused > KEPT));
        if old && is_ours(name) && File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// True for the names that this module gives: a user may have named a directory with other files.
fn is_ours(name: &str) -> bool {
    let is_name = |name: &str| name.len() == NAME && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_entry =
        name.split_once('.').is_some_and(|(name, kind)| is_name(name) && [TOKENS, TOKENIZER].contains(&kind));
    is_entry || name.starts_with(SAVING)
}

fn directory() -> PathBuf {
    environment::path("TINYGPT_CACHE")
        .or_else(|| Some(environment::path("XDG_CACHE_HOME")?.join("tinygpt")))
        .or_else(|| Some(home::directory()?.join(".cache/tinygpt")))
        .or_else(|| Some(environment::path("LOCALAPPDATA")?.join("tinygpt")))
        .unwrap_or_else(|| std::env::temp_dir().join("tinygpt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(contents: &[u8]) -> Vec<u8> {
        let mut file = Sealing { out: Vec::new(), seal: Seal::default() };
        file.write_all(contents).unwrap();
        let seal = file.seal.to_bytes();
        [file.out, seal].concat()
    }

    #[test]
    fn damaged_cache_entries_are_not_used() {
        for contents in [b"".as_slice(), b"some contents"] {
            let whole = sealed(contents);
            assert!(Seal::is_right(&whole));
            for cut in 0..whole.len() {
                assert!(!Seal::is_right(&whole[..cut]), "the first {cut} bytes pass");
                let mut changed = whole.clone();
                changed[cut] ^= 1;
                assert!(!Seal::is_right(&changed), "a change of byte {cut} passes");
            }
            assert!(!Seal::is_right(&[whole.as_slice(), &whole].concat()));
        }
    }

    #[test]
    fn entries_unused_for_30_days_are_removed_unless_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, days: u64| {
            let path = folder.path().join(name);
            fs::write(&path, sealed(b"contents")).unwrap();
            let used = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
            File::options().write(true).open(&path).unwrap().set_modified(used).unwrap();
            path
        };
        let name = |digit: &str, kind: &str| format!("{}.{kind}", digit.repeat(NAME));
        let gone = [put(&name("a", TOKENS), 31), put(&name("b", TOKENIZER), 99), put(".saving-x", 31)];
        let mut kept = vec![put(&name("c", TOKENS), 29), put("notes.txt", 99), put("my.tokens", 99)];
        let in_use = open(&put(&name("d", TOKENS), 99)).unwrap().unwrap();
        let path = folder.path().join(name("d", TOKENS));
        // As if it had been opened long ago.
        in_use._file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        kept.push(path);
        remove_unused(folder.path());
        assert!(gone.iter().all(|path| !path.exists()), "{gone:?}");
        assert!(kept.iter().all(|path| path.exists()), "{kept:?}");
        assert_eq!(&in_use[..], b"contents");
    }
}
