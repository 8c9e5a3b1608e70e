//! Files of the Hugging Face hub, through its own cache.

mod address;
mod fetch;
mod server;
mod store;

use crate::bail_input;
use anyhow::Result;
use fetch::{Need, fetch};
use hf_hub::{Repo, RepoType};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A file of a dataset: `owner/name/path/in/it[@revision]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubFile {
    pub repo: String,
    pub file: String,
    pub revision: String,
}

impl FromStr for HubFile {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (path, revision) = text.rsplit_once('@').unwrap_or((text, "main"));
        let parts: Vec<&str> = path.splitn(3, '/').collect();
        let [owner, name, file] = parts.as_slice() else {
            bail_input!(
                "'hf:{text}' names no file; write hf:<owner>/<name>/<file>, with @<revision> behind it for one"
            );
        };
        for part in [*owner, *name, *file, revision] {
            check_name(part)?;
        }
        Ok(HubFile {
            repo: format!("{owner}/{name}"),
            file: (*file).to_string(),
            revision: revision.to_string(),
        })
    }
}

impl fmt::Display for HubFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf:{}/{}", self.repo, self.file)?;
        if self.revision != "main" {
            write!(f, "@{}", self.revision)?;
        }
        Ok(())
    }
}

impl HubFile {
    /// The file on this machine, downloaded if the cache does not hold it.
    pub fn download(&self) -> Result<PathBuf> {
        download(RepoType::Dataset, &self.repo, &self.revision, &self.file)
    }
}

/// A model repository: `owner/name[@revision]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubModel {
    repo: String,
    revision: String,
}

impl FromStr for HubModel {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (repo, revision) = text.split_once('@').unwrap_or((text, "main"));
        check_name(repo)?;
        check_name(revision)?;
        Ok(HubModel { repo: repo.to_string(), revision: revision.to_string() })
    }
}

impl HubModel {
    /// A file of it on this machine, downloaded if the cache does not hold it.
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        check_name(name)?;
        download(RepoType::Model, &self.repo, &self.revision, name)
    }

    /// The path of a file that the repository may lack.
    pub fn file_if_there(&self, name: &str) -> Result<Option<PathBuf>> {
        check_name(name)?;
        look_up(RepoType::Model, &self.repo, &self.revision, name, Need::Optional)
    }
}

fn download(kind: RepoType, repo: &str, revision: &str, file: &str) -> Result<PathBuf> {
    match look_up(kind, repo, revision, file, Need::Required)? {
        Some(path) => Ok(path),
        None => {
            bail_input!("cannot fetch {repo}/{file}@{revision}: there is no such file or revision (HTTP 404)")
        }
    }
}

fn look_up(kind: RepoType, repo: &str, revision: &str, file: &str, need: Need) -> Result<Option<PathBuf>> {
    let repository = Repo::with_revision(repo.to_string(), kind, revision.to_string());
    fetch(&repository, file, &format!("{repo}/{file}@{revision}"), need)
}

/// Refuses names that lead out of the directory they are put in.
fn check_name(name: &str) -> Result<()> {
    let plain = |part: &str| !["", ".", ".."].contains(&part);
    if !name.split('/').all(plain) || name.contains(['\\', '\0']) || (cfg!(windows) && name.contains(':')) {
        bail_input!("'{name}' is no name of a file on the hub");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hub_names_parse_into_owner_repository_file_and_revision() {
        let file: HubFile = "roneneldan/TinyStories/data/train.txt@abc".parse().unwrap();
        assert_eq!(
            (file.repo.as_str(), file.file.as_str(), file.revision.as_str()),
            ("roneneldan/TinyStories", "data/train.txt", "abc")
        );
        assert_eq!(file.to_string(), "hf:roneneldan/TinyStories/data/train.txt@abc");
        assert!("owner/name".parse::<HubFile>().is_err());
    }

    #[test]
    fn hub_names_with_path_traversal_are_rejected() {
        for name in [
            "a/b/../../../etc/passwd",
            "a/../x/f",
            "../a/b/f",
            "a/b//etc/passwd",
            "a/b/f@../../x",
            "a/b/..\\x",
        ] {
            assert!(name.parse::<HubFile>().is_err(), "{name}");
        }
    }
}
