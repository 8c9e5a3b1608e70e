//! Downloads from a local server that imitates the hub.

use super::*;
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// How the server responds.
#[derive(Clone, Copy, PartialEq)]
pub enum Behaviour {
    Serve,
    /// Redirects to another path first.
    Redirect,
    /// Answers metadata requests and redirects downloads to the server at this address, as the hub does for large
    /// files.
    Elsewhere(&'static str),
    /// Redirects to itself.
    Loop,
    /// Never answers.
    Silent,
    /// Sends half of the first download and then waits for `Hub::release`.
    Hold,
    /// Closes the connection in the middle of the first download.
    Cut,
    /// Closes the connection in the middle of the first download, then ignores ranges and sends the whole file.
    CutThenWhole,
    /// Closes the connection in the middle of the first download, then resumes one byte too late.
    CutThenElsewhere,
    /// Closes the connection in the middle of the first download, then resumes without a Content-Range.
    CutThenAnywhere,
    /// Sends all but the last three bytes, as if they were the whole file.
    Short,
    /// Sends different content of the right length.
    Altered,
    /// Sends weak ETags, like a server that compresses.
    Weak,
    /// Sends a commit name that would lead outside the cache.
    Climb,
}

pub struct Hub {
    pub address: String,
    /// Request line and headers of each request.
    pub requests: Arc<Mutex<Vec<String>>>,
    /// Receives a message for each held download.
    pub held: Receiver<()>,
    pub release: Sender<()>,
}

impl Hub {
    /// First letters of the methods of all requests so far.
    pub fn methods(&self) -> String {
        self.requests.lock().unwrap().iter().map(|request| &request[..1]).collect()
    }
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Serves `body` as `train.txt` of every dataset.
pub fn serve(behaviour: Behaviour, body: &str) -> Hub {
    serve_file(behaviour, "train.txt", body)
}

/// Serves `body` as `file` of every repository.
pub fn serve_file(behaviour: Behaviour, file: &str, body: &str) -> Hub {
    serve_files(behaviour, vec![(file.to_string(), body.as_bytes().to_vec())])
}

/// Serves the same files in every repository. `me/secret` needs the token `hf_sesame`.
pub fn serve_files(behaviour: Behaviour, files: Vec<(String, Vec<u8>)>) -> Hub {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let ((now_held, held), (release, released)) = (channel(), channel());
    let server = Arc::new(Server {
        behaviour,
        files,
        requests: Arc::clone(&requests),
        now_held,
        released: Mutex::new(released),
    });
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let server = Arc::clone(&server);
            std::thread::spawn(move || server.answer(&stream));
        }
    });
    Hub { address, requests, held, release }
}

struct Server {
    behaviour: Behaviour,
    files: Vec<(String, Vec<u8>)>,
    requests: Arc<Mutex<Vec<String>>>,
    now_held: Sender<()>,
    released: Mutex<Receiver<()>>,
}

impl Server {
    fn answer(&self, mut stream: &TcpStream) {
        use Behaviour::*;
        let mut reader = BufReader::new(stream);
        loop {
            let mut request = String::new();
            while reader.read_line(&mut request).is_ok_and(|read| read > 2) {}
            let mut words = request.split_whitespace();
            let (Some(method), Some(path)) = (words.next(), words.next()) else { return };
            let is_download = method == "GET";
            let is_first = {
                let mut requests = self.requests.lock().unwrap();
                let is_first = !requests.iter().any(|request| request.starts_with("GET"));
                requests.push(request.clone());
                is_first
            };
            let mut respond = |status: &str, headers: &str, body: &[u8], sent: usize| {
                let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(head.as_bytes());
                if is_download {
                    let _ = stream.write_all(&body[..sent]);
                }
            };
            if path.contains("secret") && header(&request, "authorization") != Some("Bearer hf_sesame") {
                respond("401 Unauthorized", "", b"", 0);
                continue;
            }
            let commit = if self.behaviour == Climb { "../../../../evil" } else { COMMIT };
            let decoded = path.replace("%20", " ");
            let Some((_, body)) = self.files.iter().find(|(file, _)| decoded.ends_with(&format!("/{file}")))
            else {
                respond("404 Not Found", &format!("X-Repo-Commit: {commit}\r\n"), b"", 0);
                continue;
            };
            let hash: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
            let weak = if self.behaviour == Weak { "W/" } else { "" };
            let metadata = format!("X-Repo-Commit: {commit}\r\nETag: {weak}\"{hash}\"\r\n");
            let range = header(&request, "range").map(|range| range.trim_start_matches("bytes="));
            let start = range.and_then(|range| range.trim_end_matches('-').parse().ok()).unwrap_or(0);
            let part = |named: &str, from: usize| {
                let sent = &body[from.min(body.len())..];
                ("206 Partial Content".to_string(), format!("{metadata}{named}"), sent)
            };
            let content_range =
                |from| format!("Content-Range: bytes {from}-{}/{}\r\n", body.len() - 1, body.len());
            let (status, headers, contents) = match (self.behaviour, range) {
                (CutThenElsewhere, Some(_)) => part(&content_range(start + 1), start + 1),
                (CutThenAnywhere, Some(_)) => part("", start + 1),
                (CutThenWhole, _) | (_, None) => ("200 OK".to_string(), metadata.clone(), body.as_slice()),
                (_, Some(_)) => part(&content_range(start), start),
            };
            match self.behaviour {
                Silent => {
                    // Wait until the client gives up.
                    let _ = reader.read_line(&mut String::new());
                    return;
                }
                Loop => respond("302 Found", &format!("Location: {path}\r\n"), b"", 0),
                Redirect if !path.starts_with("/moved") => {
                    respond("302 Found", &format!("Location: /moved{path}\r\n"), b"", 0);
                }
                Elsewhere(address) => {
                    let linked = format!("X-Linked-ETag: \"{hash}\"\r\nX-Linked-Size: {}\r\n", body.len());
                    let headers = format!("X-Repo-Commit: {commit}\r\n{linked}Location: {address}{path}\r\n");
                    respond("302 Found", &headers, b"", 0);
                }
                Cut | CutThenWhole | CutThenElsewhere | CutThenAnywhere if is_download && is_first => {
                    respond(&status, &headers, contents, contents.len() / 2);
                    let _ = stream.shutdown(Shutdown::Both);
                    return;
                }
                Hold if is_download && is_first => {
                    respond(&status, &headers, contents, contents.len() / 2);
                    let _ = self.now_held.send(());
                    let _ = self.released.lock().unwrap().recv();
                    let _ = stream.write_all(&contents[contents.len() / 2..]);
                }
                Short if is_download => {
                    let contents = &contents[..contents.len().saturating_sub(3)];
                    respond(&status, &headers, contents, contents.len());
                }
                Altered => {
                    let altered: Vec<u8> = contents.iter().rev().copied().collect();
                    respond(&status, &headers, &altered, altered.len());
                }
                _ => respond(&status, &headers, contents, contents.len()),
            }
        }
    }
}

/// The value of a request header.
pub fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// A short training run on a text from the hub.
pub fn command(folder: &TempDir, hub: &Hub, source: &str) -> Command {
    let mut command = tinygpt(folder);
    command.env("HF_ENDPOINT", &hub.address);
    command.args(small_but(&["--data", source, "--steps", "2", "--out", "run"])).arg("--force");
    command
}

#[test]
fn hub_texts_are_downloaded_once_and_then_read_offline() {
    for behaviour in [Behaviour::Serve, Behaviour::Redirect, Behaviour::Cut] {
        let folder = folder();
        let hub = serve(behaviour, &text(400));
        let output = command(&folder, &hub, "hf:me/corpus/train.txt").output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("fetching me/corpus/train.txt@main, "), "{told}");
        let from_hub = read(&folder, "run/last/model.safetensors");
        let requests = hub.requests.lock().unwrap().len();
        assert!(requests > 0);
        succeed(command(&folder, &hub, "hf:me/corpus/train.txt").env("HF_HUB_OFFLINE", "1"));
        assert_eq!(hub.requests.lock().unwrap().len(), requests, "the cache was not used");
        succeed(tinygpt(&folder).args(small_but(&["--steps", "2", "--out", "local"])));
        assert!(from_hub == read(&folder, "local/last/model.safetensors"));
    }
}

#[test]
fn hub_tokenizers_are_downloaded_once_and_used_unchanged() {
    let folder = folder();
    train(&folder, &["--tokenizer", "bpe:280", "--out", "own"]);
    let tokenizer = read(&folder, "own/last/tokenizer.json");
    let hub = serve_file(Behaviour::Serve, "tokenizer.json", std::str::from_utf8(&tokenizer).unwrap());
    let trained = |tokenizer: &str, offline: &str| {
        let mut command = tinygpt(&folder);
        command.env("HF_ENDPOINT", &hub.address).env("HF_HUB_OFFLINE", offline);
        succeed(command.args(small_but(&["--tokenizer", tokenizer, "--out", "run"])).arg("--force"));
        let requests = std::mem::take(&mut *hub.requests.lock().unwrap());
        for file in ["tokenizer.json", "model.safetensors"] {
            let of = |run: &str| read(&folder, &format!("{run}/last/{file}"));
            assert!(of("run") == of("own"), "{file} differs");
        }
        requests
    };
    for (name, request) in [
        ("hf:me/model", " /me/model/resolve/main/tokenizer.json HTTP"),
        ("hf:me/model@v2", " /me/model/resolve/v2/tokenizer.json HTTP"),
    ] {
        let requests = trained(name, "0");
        assert!(!requests.is_empty() && requests.iter().all(|head| head.contains(request)), "{requests:?}");
        assert!(trained(name, "1").is_empty(), "the cache was not used");
    }
}

/// The checkpoint includes the tokenizer, so resuming doesn't need the hub.
#[test]
fn runs_with_a_hub_tokenizer_resume_without_the_hub() {
    let folder = folder();
    train(&folder, &["--tokenizer", "bpe:280", "--out", "own"]);
    let tokenizer = String::from_utf8(read(&folder, "own/last/tokenizer.json")).unwrap();
    let hub = serve_file(Behaviour::Serve, "tokenizer.json", &tokenizer);
    let flags = small_but(&["--tokenizer", "hf:me/model", "--out", "run"]);
    succeed(tinygpt(&folder).env("HF_ENDPOINT", &hub.address).args(flags));
    for flags in [
        ["train", "--resume", "run", "--steps", "14"].as_slice(),
        &["generate", "--checkpoint", "run", "--max-tokens", "3"],
        &["eval", "--checkpoint", "run", "--data", "text.txt"],
    ] {
        succeed(tinygpt(&folder).env("HF_HUB_OFFLINE", "1").env("HF_HOME", "elsewhere").args(flags));
    }
}

#[test]
fn missing_hub_tokenizers_are_named() {
    let folder = folder();
    let hub = serve(Behaviour::Serve, "");
    let error = |tokenizer: &str| {
        let flags = small_but(&["--tokenizer", tokenizer, "--out", "run"]);
        fail(tinygpt(&folder).env("HF_ENDPOINT", &hub.address).args(flags), 2)
    };
    let missing = error("hf:me/model@v2");
    assert!(missing.contains("me/model/tokenizer.json@v2") && missing.contains("404"), "{missing}");
    let climbing = error("hf:me/../../model");
    assert!(climbing.contains("no name of a file"), "{climbing}");
}

#[test]
fn the_requested_revision_is_downloaded() {
    let folder = folder();
    let hub = serve(Behaviour::Serve, &text(400));
    succeed(&mut command(&folder, &hub, "hf:me/corpus/train.txt@v2"));
    assert!(
        hub.requests
            .lock()
            .unwrap()
            .iter()
            .all(|request| request.contains("/datasets/me/corpus/resolve/v2/train.txt"))
    );
}

#[test]
fn access_errors_give_advice_and_never_show_the_token() {
    let folder = folder();
    let hub = serve(Behaviour::Serve, &text(400));
    let error = fail(&mut command(&folder, &hub, "hf:me/secret/train.txt"), 2);
    assert!(error.contains("HF_TOKEN") && error.contains("401"), "{error}");
    let error = fail(command(&folder, &hub, "hf:me/secret/train.txt").env("HF_TOKEN", "hf_wrong"), 2);
    assert!(!error.contains("hf_wrong"), "{error}");
    succeed(command(&folder, &hub, "hf:me/secret/train.txt").env("HF_TOKEN", "hf_sesame"));
    let trainer = String::from_utf8(read(&folder, "run/last/trainer.json")).unwrap();
    assert!(!trainer.contains("sesame"));

    let error = fail(&mut command(&folder, &hub, "hf:me/corpus/nothing.txt"), 2);
    assert!(error.contains("no such file") && error.contains("404"), "{error}");
    let error = fail(command(&folder, &hub, "hf:me/corpus/other/train.txt").env("HF_HUB_OFFLINE", "1"), 2);
    assert!(error.contains("HF_HUB_OFFLINE"), "{error}");
}

#[test]
fn a_server_cannot_write_outside_the_cache() {
    let folder = folder();
    let hub = serve(Behaviour::Climb, &text(400));
    let error = fail(&mut command(&folder, &hub, "hf:me/corpus/train.txt"), 2);
    assert!(error.contains("commit hash"), "{error}");
    assert!(!folder.path().parent().unwrap().join("evil").exists());
    let error = fail(&mut command(&folder, &hub, "hf:me/corpus/../../x"), 2);
    assert!(error.contains("no name of a file"), "{error}");
}
