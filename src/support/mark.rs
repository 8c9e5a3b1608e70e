//! How a page or a picture says that tinygpt wrote it: it may be written again, where other files may not.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Stands in a comment near the beginning of every page and picture that is written to a file.
pub const MARK: &str = "Written by tinygpt";
/// Bytes from the beginning in which the mark stands.
const NEAR: u64 = 1024;
/// The beginning of a page by tinygpt 0.1, which has no mark.
const OLD_PAGE: [&str; 2] = [
    "<!DOCTYPE html>\n<html lang=\"",
    "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; s",
];

/// True if tinygpt wrote the page or picture.
pub fn is_marked(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(NEAR).read_to_end(&mut start));
    let text = String::from_utf8_lossy(&start);
    let is_old_page = text.starts_with(OLD_PAGE[0]) && text.contains(OLD_PAGE[1]);
    read.is_ok() && (text.contains(MARK) || is_old_page)
}
