//! Downloads from servers that fail or send wrong data, and downloads by two processes at once.

use super::hub::{Behaviour, Hub, command, header, serve, serve_file};
use super::*;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

/// Timeout, so that a broken test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(300);
const SOURCE: &str = "hf:me/corpus/train.txt";

/// Every non-empty regular file in the hub cache.
fn cached(folder: &TempDir) -> Vec<std::path::PathBuf> {
    let entries = walkdir::WalkDir::new(folder.path().join("hub")).into_iter().map(Result::unwrap);
    let has_contents = |entry: &walkdir::DirEntry| {
        entry.file_type().is_file() && entry.path().parent().is_some_and(|parent| parent.ends_with("blobs"))
    };
    entries.filter(has_contents).map(walkdir::DirEntry::into_path).collect()
}

/// Trains on a text from the hub and compares the weights with a run on the text itself.
fn assert_fetches(folder: &TempDir, hub: &Hub, source: &str) {
    succeed(&mut command(folder, hub, source));
    let fetched = read(folder, "run/last/model.safetensors");
    succeed(tinygpt(folder).args(small_but(&["--steps", "2", "--out", "local"])).arg("--force"));
    assert!(fetched == read(folder, "local/last/model.safetensors"), "other contents");
}

#[test]
fn the_token_is_never_sent_to_another_host() {
    let folder = folder();
    let other = serve(Behaviour::Serve, &text(400));
    let hub = serve(Behaviour::Elsewhere(other.address.clone().leak()), &text(400));
    succeed(command(&folder, &hub, "hf:me/corpus/train.txt").env("HF_TOKEN", "hf_sesame"));
    let requests = |hub: &Hub| hub.requests.lock().unwrap().clone();
    assert!(!requests(&hub).is_empty() && !requests(&other).is_empty());
    assert!(requests(&hub).iter().all(|head| header(head, "authorization") == Some("Bearer hf_sesame")));
    for head in requests(&other) {
        assert!(!head.to_lowercase().contains("authorization") && !head.contains("sesame"), "{head}");
    }
}

/// The mirror redirects every request, including the one for metadata.
#[test]
fn the_token_is_not_sent_to_the_hub_behind_a_mirror() {
    let folder = folder();
    let hub = serve(Behaviour::Serve, &text(400));
    let mirror = mirror_of(hub.address.clone());
    let mut fetch = command(&folder, &hub, SOURCE);
    succeed(fetch.env("HF_ENDPOINT", mirror).env("HF_TOKEN", "hf_sesame"));
    for head in hub.requests.lock().unwrap().iter() {
        assert!(!head.contains("sesame"), "{head}");
    }
}

/// Starts a server that only redirects to the same path at `address`. Returns its address.
fn mirror_of(address: String) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            use std::io::Write;
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut request = String::new();
            while reader.read_line(&mut request).is_ok_and(|read| read > 2) {}
            let path = request.split_whitespace().nth(1).unwrap_or_default();
            let close = "Connection: close\r\nContent-Length: 0";
            let _ = write!(stream, "HTTP/1.1 302 Found\r\nLocation: {address}{path}\r\n{close}\r\n\r\n");
        }
    });
    own
}

#[test]
fn interrupted_downloads_resume_at_the_servers_offset_or_restart() {
    use Behaviour::*;
    for behaviour in [Cut, CutThenWhole, CutThenElsewhere, CutThenAnywhere] {
        let folder = folder();
        let hub = serve(behaviour, &text(400));
        assert_fetches(&folder, &hub, SOURCE);
        assert_eq!(cached(&folder).len(), 1);
        let resumed = hub.requests.lock().unwrap().iter().any(|head| header(head, "range").is_some());
        assert!(resumed, "nothing was resumed");
    }
}

#[test]
fn content_with_the_wrong_length_or_hash_is_never_cached() {
    for (behaviour, why) in [(Behaviour::Short, "bytes"), (Behaviour::Altered, "hash")] {
        let folder = folder();
        // The expected size comes from the metadata response.
        let hub = serve(behaviour, &text(400));
        let error = fail(&mut command(&folder, &hub, SOURCE), 2);
        assert!(error.contains("me/corpus/train.txt@main") && error.contains(why), "{error}");
        assert!(!exists(&folder, "run"));
        assert!(cached(&folder).iter().all(|path| path.extension().is_some_and(|end| end == "incomplete")));
        // A working server is accepted afterwards.
        assert_fetches(&folder, &serve(Behaviour::Serve, &text(400)), SOURCE);
    }
}

#[test]
fn damaged_cached_files_are_downloaded_again_or_rejected_offline() {
    let folder = folder();
    let hub = serve(Behaviour::Serve, &text(400));
    assert_fetches(&folder, &hub, SOURCE);
    for damage in [text(400).repeat(2), text(399), String::new()] {
        let blob = cached(&folder).pop().unwrap();
        std::fs::write(&blob, damage).unwrap();
        let error = fail(command(&folder, &hub, SOURCE).env("HF_HUB_OFFLINE", "1"), 2);
        assert!(error.contains("me/corpus/train.txt"), "{error}");
        assert_fetches(&folder, &hub, SOURCE);
    }
}

#[test]
fn redirect_loops_end_with_an_error() {
    let folder = folder();
    let hub = serve(Behaviour::Loop, "");
    let error = fail(&mut command(&folder, &hub, SOURCE), 2);
    assert!(error.contains("redirects more than 20 times"), "{error}");
}

#[test]
fn silent_servers_time_out() {
    let folder = folder();
    let hub = serve(Behaviour::Silent, "");
    let error = fail(command(&folder, &hub, SOURCE).env("HF_HUB_ETAG_TIMEOUT", "1"), 2);
    assert!(error.contains("127.0.0.1 doesn't answer") && error.contains("HF_HUB_ETAG_TIMEOUT"), "{error}");
    // If the server goes silent halfway, the next attempt resumes from the received bytes.
    let hub = serve(Behaviour::Hold, &text(400));
    succeed(command(&folder, &hub, SOURCE).env("HF_HUB_DOWNLOAD_TIMEOUT", "1"));
    assert!(hub.requests.lock().unwrap().iter().any(|head| header(head, "range").is_some()));
}

#[test]
fn weak_etags_and_names_with_spaces_work() {
    let folder = folder();
    let hub = serve_file(Behaviour::Weak, "a b/train.txt", &text(400));
    assert_fetches(&folder, &hub, "hf:me/corpus/a b/train.txt");
    assert!(hub.requests.lock().unwrap().iter().all(|head| head.contains("/main/a%20b/train.txt HTTP")));
}

#[test]
fn only_the_http_status_reports_a_missing_file() {
    let folder = folder();
    let hub = serve(Behaviour::Serve, "");
    let missing = fail(&mut command(&folder, &hub, SOURCE.replace("train", "other").as_str()), 2);
    assert!(missing.contains("there is no such file"), "{missing}");
    // No server listens there. The 404 in the names isn't a status.
    let mut fetch = command(&folder, &hub, "hf:me/404/404.txt");
    let unreachable = fail(fetch.env("HF_ENDPOINT", "http://127.0.0.1:9/404"), 2);
    assert!(!unreachable.contains("there is no such file"), "{unreachable}");
}

fn start(folder: &TempDir, hub: &Hub, out: &str) -> Child {
    std::process::Command::new(env!("CARGO_BIN_EXE_tinygpt"))
        .current_dir(folder.path())
        .env("HF_HOME", folder.path().join("hub"))
        .env("HF_ENDPOINT", &hub.address)
        .args(small_but(&["--data", SOURCE, "--steps", "2", "--out", out]))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads the standard error of a process until it waits for another process.
fn wait_until_it_waits(process: &mut Child) -> impl BufRead + use<> {
    let mut said = BufReader::new(process.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("another process is downloading me/corpus/train.txt@main; waiting for it") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it never waited");
    }
    said
}

#[test]
fn a_second_process_waits_for_the_download() {
    let folder = folder();
    let hub = serve(Behaviour::Hold, &text(400));
    let first = start(&folder, &hub, "first");
    hub.held.recv_timeout(PATIENCE).expect("no download began");
    let mut second = start(&folder, &hub, "second");
    let _said = wait_until_it_waits(&mut second);
    hub.release.send(()).unwrap();
    let first = first.wait_with_output().unwrap();
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    assert!(second.wait().unwrap().success());
    assert_eq!(hub.methods().matches('G').count(), 1, "downloaded twice");
    assert!(read(&folder, "first/last/model.safetensors") == read(&folder, "second/last/model.safetensors"));
}

#[test]
fn another_process_takes_over_a_killed_download() {
    let folder = folder();
    let hub = serve(Behaviour::Hold, &text(400));
    let mut first = start(&folder, &hub, "first");
    hub.held.recv_timeout(PATIENCE).expect("no download began");
    let mut second = start(&folder, &hub, "second");
    let _said = wait_until_it_waits(&mut second);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(second.wait().unwrap().success());
    assert!(exists(&folder, "second/last/model.safetensors"));
}
