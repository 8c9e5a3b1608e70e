//! Files that are there whole or not at all.

use crate::{bail_input, input_error};
use anyhow::{Context, Result};
use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What the name of a file or directory begins with while it is written.
pub const SAVING: &str = ".saving-";

/// Writes a file, or replaces it, in one move: readers see the old file or the new one, never a part.
pub fn replace(path: &Path, contents: &[u8]) -> Result<()> {
    write_whole(path, |file| Ok(file.write_all(contents)?))
}

/// Writes a file that `write` fills, as [`replace`] does. The target of a link is replaced and the link stays.
/// An existing file keeps its permissions. Pipes and devices can't be replaced: they get the finished contents.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    if is_stream(path) {
        let mut whole = tempfile::tempfile().with_context(failed)?;
        write(&mut whole)?;
        return pour(whole, path).with_context(failed);
    }
    let target = target(path).with_context(failed)?;
    let before = std::fs::metadata(&target).ok();
    let folder = folder_of(&target);
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
    if let Some(before) = before {
        keep_access(&before, beside.as_file()).with_context(failed)?;
    }
    beside.as_file().sync_all().with_context(failed)?;
    beside.persist(&target).with_context(failed)?;
    sync(folder).with_context(failed)
}

/// True for what takes bytes and isn't replaced: pipes, devices, and open files by their number.
pub fn is_stream(path: &Path) -> bool {
    ["/dev", "/proc"].iter().any(|system| path.starts_with(system))
        || path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn pour(mut whole: File, stream: &Path) -> std::io::Result<()> {
    whole.seek(SeekFrom::Start(0))?;
    if ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| stream == Path::new(name)) {
        // Opened again, a file would be written from its beginning, over what is printed to it.
        return std::io::copy(&mut whole, &mut std::io::stdout().lock()).map(drop);
    }
    std::io::copy(&mut whole, &mut File::options().write(true).open(stream)?).map(drop)
}

/// Gives a new file the permissions of the one that it replaces, and its owner where that is allowed.
fn keep_access(before: &Metadata, file: &File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let _ = fchown(file, Some(before.uid()), Some(before.gid()));
    }
    file.set_permissions(before.permissions())
}

/// Links that are followed before they count as a loop, as in Linux.
const MOST_LINKS: usize = 40;

/// The file that `path` leads to through links, whether it exists or not.
fn target(path: &Path) -> std::io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match std::fs::read_link(&path) {
            Ok(next) => path = folder_of(&path).join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(std::io::Error::other("its links form a loop"))
}

/// The directory that a path lies in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// True if both paths lead to one file, through links of either kind.
pub fn is_same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |path: &Path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        identity(a).is_some_and(|a| identity(b) == Some(a))
    }
    #[cfg(not(unix))]
    a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
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
    fn files_are_replaced_atomically_without_leftovers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        replace(&path, b"a longer text").unwrap();
        replace(&path, b"short").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = replace(&folder.path().join("none/table.csv"), b"x").unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.contains("none/table.csv"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn replacing_a_link_updates_its_target_and_keeps_permissions() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let [page, link, dangling] = ["page", "link", "dangling"].map(|name| folder.path().join(name));
        std::fs::write(&page, "old").unwrap();
        std::fs::set_permissions(&page, std::fs::Permissions::from_mode(0o640)).unwrap();
        symlink("page", &link).unwrap();
        symlink("new", &dangling).unwrap();
        replace(&link, b"new").unwrap();
        replace(&dangling, b"new").unwrap();
        assert_eq!(std::fs::read(&page).unwrap(), b"new");
        assert_eq!(page.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert!(link.is_symlink() && dangling.is_symlink());
        assert_eq!(std::fs::read(folder.path().join("new")).unwrap(), b"new");
        let looped = folder.path().join("looped");
        symlink("looped", &looped).unwrap();
        assert!(replace(&looped, b"x").unwrap_err().to_string().contains("looped"));
    }

    #[cfg(unix)]
    #[test]
    fn hard_and_symbolic_links_are_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let [a, hard, soft, copy] = ["a", "hard", "soft", "copy"].map(|name| folder.path().join(name));
        std::fs::write(&a, "x").unwrap();
        std::fs::write(&copy, "x").unwrap();
        std::fs::hard_link(&a, &hard).unwrap();
        std::os::unix::fs::symlink(&a, &soft).unwrap();
        assert!(is_same_file(&a, &hard) && is_same_file(&soft, &hard));
        assert!(!is_same_file(&a, &copy) && !is_same_file(&a, &folder.path().join("none")));
    }
}
