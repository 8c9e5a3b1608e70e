//! Records: JSON objects that tinygpt writes in files and prints, and reads again. The type of each belongs to the
//! module that writes it; here it gets the number of its format.
//!
//! A file holds one record, or a record per line (`.jsonl`). Lines are only ever added to a file of lines, so a kill
//! can cut the last one and no other. A cut last line is passed over; any other line that can't be read is an error.

use crate::support::files::{append, read_text};
use crate::{bail_input, input_error};
use anyhow::{Context, Result};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// The format of every record that this version writes, and the newest that it reads. Records of tinygpt 0.1 have no
/// number and count as 1.
const FORMAT: u64 = 2;

/// What is added to a record.
#[derive(Serialize)]
struct Numbered<'a, T> {
    format: u64,
    #[serde(flatten)]
    record: &'a T,
}

/// A record as one line, without its end.
pub fn line<T: Serialize>(record: &T) -> Result<String> {
    Ok(serde_json::to_string(&Numbered { format: FORMAT, record })?)
}

/// A record as a file of its own that people can read.
pub fn page<T: Serialize>(record: &T) -> Result<String> {
    Ok(serde_json::to_string_pretty(&Numbered { format: FORMAT, record })? + "\n")
}

/// Reads a file that holds one record, of at most `most` bytes.
///
/// # Errors
/// If it can't be read, or a newer tinygpt wrote it.
pub fn read<T: DeserializeOwned>(path: &Path, most: u64) -> Result<T> {
    parse(read_text(path, most)?.as_bytes(), &path.display(), "Restore the file or move it away.")
}

/// The records of a file of lines; none if there is no such file.
///
/// # Errors
/// If a line other than a cut last one can't be read, or a newer tinygpt wrote it. Names the line.
pub fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|error| input_error!("cannot read {}: {error}", path.display()))?,
    };
    let mut records = Vec::new();
    for (i, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if !is_cut(line) {
            let place = format!("{}, line {},", path.display(), i + 1);
            records.push(parse(line, &place, "Repair or remove the line.")?);
        }
    }
    Ok(records)
}

/// True if a file of lines begins with such a record, or is empty.
pub fn begins_with<T: DeserializeOwned>(path: &Path) -> bool {
    let is_one = |line: &[u8]| line.is_empty() || parse::<T>(line, &path.display(), "").is_ok();
    fs::read(path).is_ok_and(|bytes| bytes.split(|byte| *byte == b'\n').take(1).all(is_one))
}

/// What a kill leaves of a line: some of it, and never its end.
fn is_cut(line: &[u8]) -> bool {
    !line.ends_with(b"\n") && serde_json::from_slice::<IgnoredAny>(line).is_err()
}

fn parse<T: DeserializeOwned>(json: &[u8], place: &dyn Display, advice: &str) -> Result<T> {
    let unread = |error: serde_json::Error| input_error!("{place} can't be read: {error}. {advice}");
    let mut value: Value = serde_json::from_slice(json).map_err(unread)?;
    match value.as_object_mut().and_then(|fields| fields.remove("format")).map(|format| format.as_u64()) {
        None | Some(Some(1..=FORMAT)) => T::deserialize(value).map_err(unread),
        Some(Some(newer @ 1..)) => {
            bail_input!("{place} has format {newer}; this tinygpt reads up to {FORMAT}. Use a newer tinygpt.")
        }
        Some(_) => bail_input!("{place} has a format that isn't a number from 1 on. {advice}"),
    }
}

/// Reads a number that may not be finite: serde_json writes such a one as null.
pub fn number_or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// Appends a record in one write, so that a kill leaves its line whole or cut, never mixed. What a full disk leaves
/// of it is taken back.
pub fn append_line<T: Serialize>(path: &Path, record: &T) -> Result<()> {
    let write = || -> Result<()> {
        let mut file = File::options().create(true).append(true).open(path)?;
        Ok(append(&mut file, format!("{}\n", line(record)?).as_bytes())?)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Appends a record to a file that several processes add to: one after the other, a cut line is removed first, and
/// the record is on disk when this returns.
pub fn append_shared_line<T: Serialize>(path: &Path, record: &T) -> Result<()> {
    let write = || -> Result<()> {
        let mut file = File::options().create(true).read(true).append(true).open(path)?;
        // Where a file system has no locks, the worst is a cut line.
        let _ = file.lock();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut added = format!("{}\n", line(record)?);
        match &bytes[whole..] {
            [] => {}
            rest if is_cut(rest) => file.set_len(whole as u64)?,
            // Whole but for its end, as editors leave the last line.
            _ => added.insert(0, '\n'),
        }
        append(&mut file, added.as_bytes())?;
        Ok(file.sync_all()?)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Point {
        x: f64,
    }

    fn file(contents: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), contents).unwrap();
        file
    }

    #[test]
    fn unversioned_records_are_read_and_newer_ones_rejected_by_name() {
        let read = |contents: &str| {
            let file = file(contents);
            let name = file.path().display().to_string();
            read::<Point>(file.path(), 1000).map_err(|error| error.to_string().replace(&name, "point.json"))
        };
        assert_eq!(read("{\"x\": 1.5}"), Ok(Point { x: 1.5 }));
        assert_eq!(read(&page(&Point { x: 1.5 }).unwrap()), Ok(Point { x: 1.5 }));
        let newer = "point.json has format 3; this tinygpt reads up to 2. Use a newer tinygpt.";
        assert_eq!(read("{\"format\": 3, \"y\": 1.5}"), Err(newer.to_string()));
        for number in ["0", "-1", "1.5", "\"2\"", "null"] {
            let error = read(&format!("{{\"format\": {number}, \"x\": 1.5}}")).unwrap_err();
            assert!(error.contains("point.json has a format that isn't a number"), "{number}: {error}");
        }
    }

    #[test]
    fn only_a_truncated_last_line_is_ignored() {
        let read =
            |contents: &str| read_lines::<Point>(file(contents).path()).map_err(|error| error.to_string());
        let both = [Point { x: 1.0 }, Point { x: 2.0 }];
        assert_eq!(read("{\"x\":1.0}\n{\"x\":2.0}\n{\"x\":").unwrap(), both);
        assert_eq!(read("{\"x\":1.0}\n{\"x\":2.0}").unwrap(), both);
        for (changed, line) in [
            ("{\"x\":1.0}\n{\"x\":\n", "line 2"),
            ("{\"x\":1.0}\n{\"z\":2.0}\n{\"x\":2.0}\n", "line 2"),
            ("{\"z\":1.0}", "line 1"),
            ("\n{\"x\":1.0}\n", "line 1"),
            ("{\"x\":1.0}\n{\"format\":3,\"x\":2.0}\n", "line 2, has format 3"),
        ] {
            let error = read(changed).unwrap_err();
            assert!(error.contains(line), "{changed}: {error}");
        }
        assert_eq!(read_lines::<Point>(Path::new("/no/such/file")).unwrap(), []);
    }

    #[test]
    fn appending_removes_a_truncated_line_and_terminates_a_complete_one() {
        for (before, kept) in
            [("", ""), ("{\"x\":1.0}\n{\"x\":", "{\"x\":1.0}\n"), ("{\"x\":1.0}", "{\"x\":1.0}\n")]
        {
            let file = file(before);
            append_shared_line(file.path(), &Point { x: 2.0 }).unwrap();
            let expected = format!("{kept}{{\"format\":2,\"x\":2.0}}\n");
            assert_eq!(fs::read_to_string(file.path()).unwrap(), expected);
        }
    }
}
