//! Files that are there whole or not at all.

use crate::{bail_input, input_error};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// What the name of a file or directory begins with while it is written.
pub const SAVING: &str = ".saving-";

/// Writes a file, or replaces it, in one move: whoever reads it meanwhile sees the old one.
pub fn replace(path: &Path, contents: &[u8]) -> Result<()> {
    write_whole(path, |file| Ok(file.write_all(contents)?))
}

/// The same of a file that `write` fills.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(SAVING);
    #[cfg(unix)]
    {
        // As any other file: what the user's mask leaves.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut beside = builder.tempfile_in(folder).with_context(failed)?;
    write(beside.as_file_mut())?;
    beside.as_file().sync_all().with_context(failed)?;
    beside.persist(path).with_context(failed)?;
    sync(folder).with_context(failed)
}

/// Adds bytes to the end of a file opened for that; what a full disk leaves of them is taken back.
pub fn append(file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
    let length = file.metadata()?.len();
    file.write_all(bytes).inspect_err(|_| drop(file.set_len(length)))
}

/// Waits until a file or directory is on disk. Windows flushes what is open for writing only, and
/// no directories.
pub fn sync(path: &Path) -> Result<()> {
    if path.is_file() {
        return Ok(File::options().write(true).open(path)?.sync_all()?);
    }
    if cfg!(windows) {
        return Ok(());
    }
    Ok(File::open(path)?.sync_all()?)
}

/// Reads a text file of at most `most` bytes.
///
/// # Errors
/// If it is longer, cannot be read or is no UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String> {
    let shown = path.display();
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(most + 1).read_to_string(&mut text))
        .map_err(|error| input_error!("cannot read {shown}: {error}"))?;
    if text.len() as u64 > most {
        bail_input!("{shown} is larger than {most} bytes, which no such file should be");
    }
    Ok(text)
}

/// Gives `visit` the bytes of a file in order, some at a time.
pub fn read_chunks(path: &Path, mut visit: impl FnMut(&[u8])) -> Result<()> {
    let failed = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(failed)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).with_context(failed)? {
            0 => return Ok(()),
            read => visit(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        replace(&path, b"a longer text").unwrap();
        replace(&path, b"short").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = replace(&folder.path().join("none/table.csv"), b"x").unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.contains("none/table.csv"), "{error}");
    }
}
