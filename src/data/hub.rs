//! Files of the Hugging Face hub, through its own cache.

use crate::failure::escape_controls;
use crate::output::bar;
use crate::{bail_input, input_error};
use anyhow::Result;
use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};
use indicatif::{DecimalBytes, ProgressBar};
use std::fmt;
use std::path::{Component, Path, PathBuf};
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
        let (path, revision) = text.split_once('@').unwrap_or((text, "main"));
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

    /// The same of a file that need not be there.
    pub fn file_if_there(&self, name: &str) -> Result<Option<PathBuf>> {
        check_name(name)?;
        Ok(look_up(RepoType::Model, &self.repo, &self.revision, name)?.ok())
    }
}

fn download(kind: RepoType, repo: &str, revision: &str, file: &str) -> Result<PathBuf> {
    look_up(kind, repo, revision, file)?.map_err(|why| input_error!("{why}"))
}

/// Fetches a file of a repository, or says why it is not there to be had. Honours HF_ENDPOINT, HF_HOME,
/// HF_TOKEN and HF_HUB_OFFLINE.
fn look_up(kind: RepoType, repo: &str, revision: &str, file: &str) -> Result<Result<PathBuf, String>> {
    let shown = format!("{repo}/{file}@{revision}");
    let cache = Cache::from_env();
    let repository = Repo::with_revision(repo.to_string(), kind, revision.to_string());
    if let Some(path) = cache.repo(repository.clone()).get(file) {
        return Ok(Ok(path));
    }
    if std::env::var("HF_HUB_OFFLINE").is_ok_and(|value| !["", "0"].contains(&value.as_str())) {
        return Ok(Err(format!("{shown} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it")));
    }
    let failed = |error: ApiError| input_error!("cannot fetch {shown}: {}", explain(&error));
    let api = ApiBuilder::from_env()
        .with_token(std::env::var("HF_TOKEN").ok())
        .with_retries(2)
        .build()
        .map_err(failed)?;
    let remote = api.repo(repository);
    // What the server says becomes part of a path below: it must not climb out of the cache.
    let metadata = match api.metadata(&remote.url(file)).map_err(failed) {
        Err(error) if error.to_string().contains(ABSENT) => return Ok(Err(error.to_string())),
        metadata => metadata?,
    };
    for part in [metadata.commit_hash(), metadata.etag()] {
        if part.is_empty() || !part.chars().all(|c| c.is_ascii_alphanumeric() || "-_\"".contains(c)) {
            bail_input!("cannot fetch {shown}: the server names it '{part}', which is no file name");
        }
    }
    note!("fetching {}, {}", escape_controls(&shown), DecimalBytes(metadata.size() as u64));
    let bar = bar(
        metadata.size(),
        "{bar:24} {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left",
    );
    let path = remote.download_with_progress(file, Download(bar)).map_err(failed)?;
    if !path.starts_with(cache.path()) {
        bail_input!("cannot fetch {shown}: the server put it outside the cache");
    }
    Ok(Ok(path))
}

/// How the hub answers where it has no such file.
const ABSENT: &str = "(HTTP 404)";

/// Shows a download, each attempt from where it begins.
struct Download(ProgressBar);

impl Progress for Download {
    fn init(&mut self, _size: usize, _file: &str) {
        self.0.set_position(0);
    }

    fn update(&mut self, size: usize) {
        self.0.inc(size as u64);
    }

    fn finish(&mut self) {
        self.0.finish_and_clear();
    }
}

/// What a person can do about it.
fn explain(error: &ApiError) -> String {
    let text = error.to_string();
    let hint = [
        ("401", "it needs a login: put a token into HF_TOKEN"),
        ("403", "your token may not read it"),
        ("404", "there is no such file or revision"),
    ];
    match hint.iter().find(|(code, _)| text.contains(code)) {
        Some((code, hint)) => format!("{hint} (HTTP {code})"),
        None => text,
    }
}

/// Refuses names that lead out of the directory they are put in.
fn check_name(name: &str) -> Result<()> {
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !plain || name.contains(['\\', '\0', '?', '#', '%']) {
        bail_input!("'{name}' is no name of a file on the hub");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_owner_repository_file_and_perhaps_a_revision() {
        let file: HubFile = "roneneldan/TinyStories/data/train.txt@abc".parse().unwrap();
        assert_eq!(
            (file.repo.as_str(), file.file.as_str(), file.revision.as_str()),
            ("roneneldan/TinyStories", "data/train.txt", "abc")
        );
        assert_eq!(file.to_string(), "hf:roneneldan/TinyStories/data/train.txt@abc");
        assert!("owner/name".parse::<HubFile>().is_err());
    }

    #[test]
    fn names_that_climb_are_refused() {
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
