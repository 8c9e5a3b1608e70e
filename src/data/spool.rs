//! Bytes that can't be mapped where they are: written to a file without a name, and mapped there.

use super::unreadable::Unreadable;
use crate::support::environment::temporary_file;
use anyhow::{Context, Result};
use memmap2::Mmap;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Read, Write};

/// What to add to an error of a write.
pub const CANNOT_WRITE: &str = "cannot write a temporary file for the text: is the disk full?";

/// A new file that nobody else can open.
pub fn nameless() -> Result<BufWriter<File>> {
    Ok(BufWriter::new(temporary_file()?))
}

/// The bytes of a file made by [`nameless`].
pub fn map(file: BufWriter<File>) -> Result<Mmap> {
    let file = file.into_inner().context(CANNOT_WRITE)?;
    // SAFETY: the file is ours alone: it has no name.
    unsafe { Mmap::map(&file) }.context("cannot map a temporary file")
}

/// All that `from` reads: a pipe, or what unpacks a file.
///
/// # Errors
/// [`Unreadable`] if reading fails, or goes on past `most` bytes.
pub fn spool(mut from: impl Read, most: u64) -> Result<Mmap> {
    let mut file = nameless()?;
    let mut piece = vec![0; 1 << 16];
    let mut left = most;
    loop {
        let length = match from.read(&mut piece) {
            Ok(0) => return map(file),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Unreadable::new(format!("can't be read: {error}"), "").into()),
        };
        let Some(rest) = left.checked_sub(length as u64) else {
            let what = format!("unpacks to more than {most} bytes, as no text does");
            return Err(Unreadable::new(what, "if it is one, unpack it first: gunzip -c FILE > STEM").into());
        };
        left = rest;
        file.write_all(&piece[..length]).context(CANNOT_WRITE)?;
    }
}
