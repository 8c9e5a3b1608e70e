//! Requests to the hub. The token goes to the endpoint and nowhere else, and no request waits forever.

use super::address::{host, join, origin, percent_encode};
use super::store::{hub_home, is_plain};
use crate::support::environment;
use crate::{bail_input, input_error};
use anyhow::Result;
use hf_hub::Repo;
use std::fs;
use std::io::{self, Read};
use std::time::Duration;
use ureq::http::Response;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// As many as huggingface_hub follows.
const MOST_REDIRECTS: usize = 20;
/// Seconds that huggingface_hub waits for a silent server.
const TIMEOUT: usize = 10;

/// Why a request failed.
#[derive(Debug)]
pub enum Trouble {
    /// There is no such file in this commit, if the server names one.
    Absent(Option<String>),
    /// Another attempt would fail in the same way.
    Final(anyhow::Error),
    /// Another attempt may succeed.
    Passing(String),
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Trouble::Final(error)
    }
}

/// What the hub says about a file.
pub struct Metadata {
    pub commit: String,
    /// Names the contents. It can be part of a path.
    pub etag: String,
    /// Bytes, if the server knows.
    pub size: Option<u64>,
    /// The address of the contents, perhaps on another host.
    pub location: String,
}

/// A request, and for contents the byte from which they are wanted.
#[derive(Clone, Copy, PartialEq)]
enum Request {
    Metadata,
    Contents(u64),
}

/// A hub, as huggingface_hub's variables describe it.
pub struct Server {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
    metadata_timeout: Duration,
    download_timeout: Duration,
}

impl Server {
    pub fn from_environment() -> Result<Server> {
        let endpoint = environment::text("HF_ENDPOINT").unwrap_or("https://huggingface.co".to_string());
        if origin(&endpoint).is_none() {
            bail_input!("HF_ENDPOINT is '{endpoint}'; it must be an address such as https://huggingface.co");
        }
        let timeout = |name| -> Result<Duration> {
            let seconds = environment::number(name)?.filter(|seconds| *seconds > 0).unwrap_or(TIMEOUT);
            Ok(Duration::from_secs(seconds as u64))
        };
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(root_certificates()?).build())
            .user_agent(concat!("tinygpt/", env!("CARGO_PKG_VERSION")))
            // The length of compressed contents would say nothing about the file.
            .accept_encoding("identity")
            .http_status_as_error(false)
            // `send` follows redirects, because it knows where the token may go.
            .max_redirects(0)
            .build();
        Ok(Server {
            agent: config.into(),
            endpoint: endpoint.trim_end_matches('/').to_string(),
            token: token()?,
            metadata_timeout: timeout("HF_HUB_ETAG_TIMEOUT")?,
            download_timeout: timeout("HF_HUB_DOWNLOAD_TIMEOUT")?,
        })
    }

    /// Asks for the metadata of a file.
    pub fn metadata(&self, repo: &Repo, file: &str) -> Result<Metadata, Trouble> {
        let (revision, file) = (percent_encode(repo.revision(), ""), percent_encode(file, "/"));
        let url = format!("{}/{}/resolve/{revision}/{file}", self.endpoint, repo.url());
        let (location, response) = self.send(Request::Metadata, &url)?;
        let header = |name| header(&response, name);
        let etag = header("x-linked-etag").or_else(|| header("etag")).unwrap_or_default();
        let etag = etag.trim_start_matches("W/").trim_matches('"');
        let (Some(commit), false) = (commit(&response), etag.is_empty()) else {
            return Err(Trouble::Final(input_error!(
                "{} sends no commit hash or no ETag, so it isn't a Hugging Face hub; check HF_ENDPOINT",
                host(&url)
            )));
        };
        let length = header("content-length").filter(|_| !response.status().is_redirection());
        Ok(Metadata {
            commit,
            // ETags of other servers may hold characters that can't be in a file's name.
            etag: etag.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_"),
            size: header("x-linked-size").or(length).and_then(|size| size.parse().ok()),
            location,
        })
    }

    /// Asks for the contents of a file from byte `from` on. Returns the offset at which the reader begins:
    /// `from`, or 0 if the server can't resume there.
    pub fn contents(&self, metadata: &Metadata, from: u64) -> Result<(u64, impl Read + use<>), Trouble> {
        let (_, response) = self.send(Request::Contents(from), &metadata.location)?;
        let start = match response.status().as_u16() {
            200 => Some(0),
            206 => header(&response, "content-range").and_then(|range| range_start(&range)),
            _ => None,
        };
        match start {
            Some(start) if start == 0 || start == from => Ok((start, response.into_body().into_reader())),
            _ if from > 0 => self.contents(metadata, 0),
            _ => Err(Trouble::Passing(format!("the server answers HTTP {}", response.status()))),
        }
    }

    /// Sends a request and follows redirects. Returns the last response and the address of the contents: a
    /// response that has a file's metadata is the last, even if the contents are on another host.
    fn send(&self, request: Request, url: &str) -> Result<(String, Response<Body>), Trouble> {
        let endpoint = origin(&self.endpoint);
        let mut url = url.to_string();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.send_once(request, &url, origin(&url) == endpoint)?;
            let Some(location) = header(&response, "location").filter(|_| response.status().is_redirection())
            else {
                check_status(&response)?;
                return Ok((url, response));
            };
            let next = join(&url, &location).ok_or_else(|| redirects(&url, "to an invalid address"))?;
            let is_last = request == Request::Metadata && origin(&next) != endpoint;
            if is_last && commit(&response).is_some() {
                return Ok((next, response));
            }
            url = next;
        }
        Err(redirects(&url, &format!("more than {MOST_REDIRECTS} times")))
    }

    fn send_once(&self, request: Request, url: &str, with_token: bool) -> Result<Response<Body>, Trouble> {
        let (mut builder, timeout) = match request {
            Request::Metadata => (self.agent.head(url), self.metadata_timeout),
            Request::Contents(_) => (self.agent.get(url), self.download_timeout),
        };
        if let Request::Contents(from @ 1..) = request {
            builder = builder.header("range", format!("bytes={from}-"));
        }
        if let Some(token) = self.token.as_ref().filter(|_| with_token) {
            builder = builder.header("authorization", format!("Bearer {token}"));
        }
        let config = builder
            .config()
            .timeout_resolve(Some(timeout))
            .timeout_connect(Some(timeout))
            .timeout_recv_response(Some(timeout))
            .timeout_per_read(Some(timeout));
        config.build().call().map_err(|error| explain(error, url))
    }
}

/// What a failed request means to a user.
pub fn explain(error: ureq::Error, url: &str) -> Trouble {
    let host = host(url);
    match error {
        ureq::Error::Timeout(_) => Trouble::Passing(format!(
            "{host} doesn't answer. HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT set how many seconds to wait"
        )),
        ureq::Error::HostNotFound => Trouble::Passing(format!("there is no host {host}")),
        // Certificates are refused this way.
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => Trouble::Final(input_error!(
            "{host}: {error}. If your network has its own certificates, set SSL_CERT_FILE to a file with them"
        )),
        ureq::Error::Io(error) => Trouble::Passing(format!("{host}: {error}")),
        // Its text may hold a signed address.
        ureq::Error::BadUri(_) => redirects(url, "to an invalid address"),
        error => Trouble::Passing(format!("{host}: {error}")),
    }
}

fn redirects(url: &str, problem: &str) -> Trouble {
    Trouble::Final(input_error!("{} redirects {problem}", host(url)))
}

/// Refuses the statuses that say why there is no file.
fn check_status(response: &Response<Body>) -> Result<(), Trouble> {
    let status = response.status().as_u16();
    let why = match status {
        404 => return Err(Trouble::Absent(commit(response))),
        401 => "there is no such repository, or it needs a login: set HF_TOKEN",
        403 => "your token may not read it",
        408 | 429 | 500.. => return Err(Trouble::Passing(format!("the server answers HTTP {status}"))),
        400.. if status != 416 => "the server refuses",
        // `contents` starts again if its range is refused.
        _ => return Ok(()),
    };
    Err(Trouble::Final(input_error!("{why} (HTTP {status})")))
}

fn header(response: &Response<Body>, name: &str) -> Option<String> {
    Some(String::from_utf8_lossy(response.headers().get(name)?.as_bytes()).trim().to_string())
}

/// The commit that a response is about. It becomes part of a path.
fn commit(response: &Response<Body>) -> Option<String> {
    header(response, "x-repo-commit").filter(|commit| is_plain(commit))
}

/// The 10 of `bytes 10-19/20`.
fn range_start(content_range: &str) -> Option<u64> {
    content_range.trim().strip_prefix("bytes")?.trim_start().split_once('-')?.0.parse().ok()
}

/// The certificates that servers are checked against: Mozilla's, or those in `SSL_CERT_FILE`.
fn root_certificates() -> Result<RootCerts> {
    let variable = "SSL_CERT_FILE";
    let Some(path) = environment::path(variable) else { return Ok(RootCerts::WebPki) };
    let shown = path.display();
    let pem = fs::read(&path).map_err(|error| input_error!("cannot read {variable} {shown}: {error}"))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        let item = item.map_err(|error| input_error!("{variable} {shown}: {error}"))?;
        if let PemItem::Certificate(certificate) = item {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        bail_input!("{variable} {shown} has no certificates; it must be a PEM file");
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// The user's token: `HF_TOKEN`, or what `hf auth login` wrote.
fn token() -> Result<Option<String>> {
    if environment::switch("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
        return Ok(None);
    }
    let variable = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]
        .into_iter()
        .find_map(|name| Some((name.to_string(), environment::text(name)?)));
    let Some((source, text)) = variable.map_or_else(token_file, |known| Ok(Some(known)))? else {
        return Ok(None);
    };
    // Quotes come from files with variables, line ends from files with a token.
    let token = text.replace(['\r', '\n'], "").trim().trim_matches(['"', '\'']).to_string();
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail_input!("{source} holds characters that aren't part of any token; copy the token again");
    }
    Ok(Some(token).filter(|token| !token.is_empty()))
}

/// The path and the contents of the file that `hf auth login` writes.
fn token_file() -> Result<Option<(String, String)>> {
    let path = environment::path("HF_TOKEN_PATH").or_else(|| Some(hub_home().ok()?.join("token")));
    let Some(path) = path else { return Ok(None) };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path.display().to_string(), text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => bail_input!("cannot read the token in {}: {error}", path.display()),
    }
}
