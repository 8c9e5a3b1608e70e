//! Event files that TensorBoard reads: records of protocol buffers, each with two checksums.
//!
//! The format is TensorFlow's: `tensorflow/core/lib/io/record_writer.h` for records, and the few
//! fields of `tensorflow/core/util/event.proto` and `framework/summary.proto` that scalars need.

use super::directory::RunDir;
use super::names::{EVENTS, OURS};
use crate::support::files::append;
use anyhow::{Context, Result};
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Appends scalars to an event file.
pub struct TensorBoard {
    path: PathBuf,
    file: File,
}

impl TensorBoard {
    /// A new event file in the directory of `run`, for steps after `step`: TensorBoard then drops what an
    /// earlier process logged past it.
    pub fn create(run: &RunDir, step: usize) -> Result<TensorBoard> {
        let name = name(now());
        let path = run.path().join(&name);
        run.claim(name)?;
        let file = File::options().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        let mut board = TensorBoard { path, file };
        board.record(&[double(1, now().as_secs_f64()), bytes(3, b"brain.Event:2")].concat())?;
        if step > 0 {
            let start = varint_field(1, 1); // SessionLog.status = START
            board.record(
                &[double(1, now().as_secs_f64()), varint_field(2, step as u64 + 1), bytes(7, &start)]
                    .concat(),
            )?;
        }
        Ok(board)
    }

    /// Logs values under their names.
    pub fn scalars(&mut self, step: usize, values: &[(&str, f64)]) -> Result<()> {
        let value = |(tag, value): &(&str, f64)| {
            let fields = [bytes(1, tag.as_bytes()), float(2, *value as f32)].concat();
            bytes(1, &fields)
        };
        let summary: Vec<u8> = values.iter().flat_map(value).collect();
        self.record(
            &[double(1, now().as_secs_f64()), varint_field(2, step as u64), bytes(5, &summary)].concat(),
        )
    }

    fn record(&mut self, event: &[u8]) -> Result<()> {
        let length = (event.len() as u64).to_le_bytes();
        let sums = [&length[..], event].map(|part| masked_crc(part).to_le_bytes());
        let record = [&length[..], &sums[0], event, &sums[1]].concat();
        append(&mut self.file, &record).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// The name of a file created this long after 1970. TensorBoard reads files in the order of their names, so these must
/// sort like their times.
fn name(time: Duration) -> String {
    format!("{EVENTS}{:010}.{:09}{OURS}", time.as_secs(), time.subsec_nanos())
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// TensorFlow rotates checksums and adds a constant, so that a record may hold records.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit: an event has about a hundred bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    let bit = |crc: u32| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc)))
}

/// A varint: seven bits a byte, the lowest first.
fn varint(mut value: u64) -> Vec<u8> {
    let mut encoded = Vec::new();
    while value >= 0x80 {
        encoded.push(value as u8 | 0x80);
        value >>= 7;
    }
    encoded.push(value as u8);
    encoded
}

/// A field's tag: its number and its wire type.
fn tag(field: u64, wire: u64) -> Vec<u8> {
    varint(field << 3 | wire)
}

fn varint_field(field: u64, value: u64) -> Vec<u8> {
    [tag(field, 0), varint(value)].concat()
}

fn double(field: u64, value: f64) -> Vec<u8> {
    [tag(field, 1), value.to_le_bytes().to_vec()].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [tag(field, 2), varint(value.len() as u64), value.to_vec()].concat()
}

fn float(field: u64, value: f32) -> Vec<u8> {
    [tag(field, 5), value.to_le_bytes().to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_event_files_sort_by_time_within_a_second_too() {
        let times =
            [0.5, 999.0, 1_000.0, 1_700_000_000.000_09, 1_700_000_000.1, 1_700_000_000.99, 1_700_000_001.0];
        let names = times.map(|time| name(Duration::from_secs_f64(time)));
        assert!(names.is_sorted(), "{names:?}");
    }

    /// The check value of CRC-32C (iSCSI, RFC 3720 B.4): 32 bytes of zeros.
    #[test]
    fn event_checksums_are_crc32c() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn varints_match_the_protocol_buffers_guide() {
        assert_eq!(varint(150), [0x96, 0x01]);
        assert_eq!(varint_field(1, 150), [0x08, 0x96, 0x01]);
    }
}
