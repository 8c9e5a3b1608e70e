//! The hub, played by a server on this machine that speaks its routes.

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the server does with a request.
#[derive(Clone, Copy, PartialEq)]
pub enum Behaviour {
    Serve,
    /// Answers with a redirect to another path first, as the hub does for large files.
    Redirect,
    /// Closes the first download in the middle.
    Cut,
    /// Names the commit so that the cache path would leave the cache.
    Climb,
}

pub struct Hub {
    pub address: String,
    pub requests: Arc<Mutex<Vec<String>>>,
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Serves `body` as `train.txt` of every dataset.
fn serve(behaviour: Behaviour, body: &str) -> Hub {
    serve_file(behaviour, "train.txt", body)
}

/// Serves `body` as `file` of every repository.
fn serve_file(behaviour: Behaviour, file: &str, body: &str) -> Hub {
    serve_files(behaviour, vec![(file.to_string(), body.as_bytes().to_vec())])
}

/// Serves files by their name as those of every repository; `me/secret` needs the token `hf_sesame`.
pub fn serve_files(behaviour: Behaviour, files: Vec<(String, Vec<u8>)>) -> Hub {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (seen, files) = (Arc::clone(&requests), Arc::new(files));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (seen, files) = (Arc::clone(&seen), Arc::clone(&files));
            std::thread::spawn(move || answer(&stream, behaviour, &files, &seen));
        }
    });
    Hub { address, requests }
}

fn answer(
    mut stream: &TcpStream,
    behaviour: Behaviour,
    files: &[(String, Vec<u8>)],
    seen: &Mutex<Vec<String>>,
) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
        let Some(first) = head.lines().next().map(str::to_string) else { return };
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_string())
            })
        };
        let downloads = {
            let mut seen = seen.lock().unwrap();
            seen.push(first.clone());
            seen.len()
        };
        let commit = if behaviour == Behaviour::Climb { "../../../../evil" } else { COMMIT };
        let path = first.split_whitespace().nth(1).unwrap_or_default();
        // Names the contents: files with one tag are one file in the cache.
        let tag = path.rsplit('/').next().unwrap_or_default().replace('.', "-");
        let mut respond = |status: &str, extra: &str, body: &[u8]| {
            let head = format!(
                "HTTP/1.1 {status}\r\nX-Repo-Commit: {commit}\r\nETag: \"{tag}\"\r\n{extra}Content-Length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        };
        if path.contains("secret") && header("authorization").as_deref() != Some("Bearer hf_sesame") {
            respond("401 Unauthorized", "", b"");
            continue;
        }
        let Some((_, body)) = files.iter().find(|(file, _)| path.ends_with(&format!("/{file}"))) else {
            respond("404 Not Found", "", b"");
            continue;
        };
        if behaviour == Behaviour::Redirect && !path.starts_with("/moved") {
            respond("302 Found", &format!("Location: /moved{path}\r\n"), b"");
        } else {
            let (start, end) = header("range").map_or((0, body.len()), |range| {
                let (start, end) = range.trim_start_matches("bytes=").split_once('-').unwrap_or_default();
                let end = end.parse::<usize>().map_or(body.len(), |end| (end + 1).min(body.len()));
                (start.parse().unwrap_or(0), end)
            });
            let range = format!("Content-Range: bytes {start}-{}/{}\r\n", end - 1, body.len());
            if behaviour == Behaviour::Cut && end - start > 1 && downloads < 3 {
                let head =
                    format!("HTTP/1.1 206 Partial Content\r\n{range}Content-Length: {}\r\n\r\n", end - start);
                let _ = stream
                    .write_all(head.as_bytes())
                    .and_then(|()| stream.write_all(&body[start..start + (end - start) / 2]));
                let _ = stream.shutdown(std::net::Shutdown::Both);
                return;
            }
            respond("206 Partial Content", &range, &body[start..end]);
        }
    }
}

fn command(folder: &TempDir, hub: &Hub, source: &str) -> Command {
    let mut command = tinygpt(folder);
    command.env("HF_ENDPOINT", &hub.address).env_remove("HF_TOKEN");
    command.args(small_but(&["--data", source, "--steps", "2", "--out", "run"])).arg("--force");
    command
}

#[test]
fn a_text_of_the_hub_is_fetched_once_and_then_read_offline() {
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
fn a_tokenizer_of_the_hub_is_fetched_once_and_taken_as_it_is() {
    let folder = folder();
    train(&folder, &["--tokenizer", "bpe:280", "--out", "own"]);
    let tokenizer = read(&folder, "own/last/tokenizer.json");
    let hub = serve_file(Behaviour::Serve, "tokenizer.json", std::str::from_utf8(&tokenizer).unwrap());
    let trained = |tokenizer: &str, offline: &str| {
        let mut command = tinygpt(&folder);
        command.env("HF_ENDPOINT", &hub.address).env_remove("HF_TOKEN").env("HF_HUB_OFFLINE", offline);
        succeed(command.args(small_but(&["--tokenizer", tokenizer, "--out", "run"])).arg("--force"));
        let requests = std::mem::take(&mut *hub.requests.lock().unwrap());
        for file in ["tokenizer.json", "model.safetensors"] {
            let of = |run: &str| read(&folder, &format!("{run}/last/{file}"));
            assert!(of("run") == of("own"), "{file} differs");
        }
        requests
    };
    for (name, request) in [
        ("hf:me/model", "GET /me/model/resolve/main/tokenizer.json HTTP"),
        ("hf:me/model@v2", "GET /me/model/resolve/v2/tokenizer.json HTTP"),
    ] {
        let requests = trained(name, "0");
        assert!(
            !requests.is_empty() && requests.iter().all(|line| line.starts_with(request)),
            "{requests:?}"
        );
        assert!(trained(name, "1").is_empty(), "the cache was not used");
    }
}

/// The checkpoint carries the tokenizer: whoever has it needs no hub.
#[test]
fn a_run_with_a_tokenizer_of_the_hub_goes_on_without_the_hub() {
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
fn a_tokenizer_that_the_hub_does_not_have_is_named() {
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
fn a_revision_is_asked_for() {
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
fn a_refusal_says_what_to_do_and_never_shows_the_token() {
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
    assert!(error.contains("no file name"), "{error}");
    assert!(!folder.path().parent().unwrap().join("evil").exists());
    let error = fail(&mut command(&folder, &hub, "hf:me/corpus/../../x"), 2);
    assert!(error.contains("no name of a file"), "{error}");
}
