//! Paths in the user's home directory: what is kept says `~/text.txt`, so that a run, a comparison or a
//! report can be given away without telling whose it was.

use std::path::{Path, PathBuf};

/// The user's home directory, if there is one. Some services have none, or one that is relative.
pub fn directory() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| home.is_absolute())
}

/// The home directory where its name is worth shortening: `/`, as some services have it, is nobody's.
fn personal() -> Option<PathBuf> {
    directory().filter(|home| home.parent().is_some())
}

/// `path` with `~` for the home directory.
pub fn shorten(path: &str) -> String {
    match personal().and_then(|home| Some(Path::new(path).strip_prefix(home).ok()?.to_path_buf())) {
        Some(rest) => Path::new("~").join(rest).display().to_string(),
        None => path.to_string(),
    }
}

/// A path as [`shorten`] or a person wrote it, with the home directory for `~`.
pub fn expand(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), directory()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_the_home_directory_are_saved_with_a_tilde() {
        let Some(home) = personal() else { return };
        let path = home.join("texts/a b.txt");
        assert_eq!(shorten(path.to_str().unwrap()), "~/texts/a b.txt");
        assert_eq!(expand(Path::new("~/texts/a b.txt")), path);
        for other in ["text.txt", "/texts/a.txt", "tales:ja", "hf:owner/name/file"] {
            assert_eq!((shorten(other).as_str(), expand(Path::new(other))), (other, PathBuf::from(other)));
        }
    }
}
