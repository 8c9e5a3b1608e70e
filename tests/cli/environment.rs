//! Environment variables have the same meaning as in huggingface_hub.

use super::hub::{Behaviour, command, serve};
use super::*;

const SOURCE: &str = "hf:me/secret/train.txt";

#[test]
fn the_token_is_found_in_every_place_and_trimmed() {
    let folder = folder();
    let hub = serve(Behaviour::Serve, &text(400));
    std::fs::create_dir_all(folder.path().join("hub")).unwrap();
    write(&folder, "elsewhere", "hf_sesame");
    let fetches = |variables: &[(&str, &str)]| {
        let _ = std::fs::remove_dir_all(folder.path().join("hub/hub"));
        succeed(command(&folder, &hub, SOURCE).envs(variables.iter().copied()));
    };
    for token in ["hf_sesame", "  hf_sesame\r\n", "\"hf_sesame\""] {
        fetches(&[("HF_TOKEN", token)]);
        fetches(&[("HF_TOKEN", " "), ("HUGGING_FACE_HUB_TOKEN", token)]);
    }
    fetches(&[("HF_TOKEN", ""), ("HF_TOKEN_PATH", "elsewhere")]);
    // The token file that `hf auth login` writes.
    write(&folder, "hub/token", "hf_sesame\n");
    fetches(&[("HF_TOKEN", ""), ("HF_TOKEN_PATH", "")]);
    let refused = |variable: (&str, &str)| {
        let _ = std::fs::remove_dir_all(folder.path().join("hub/hub"));
        fail(command(&folder, &hub, SOURCE).env(variable.0, variable.1), 2)
    };
    assert!(refused(("HF_HUB_DISABLE_IMPLICIT_TOKEN", "yes")).contains("HTTP 401"));
    let error = refused(("HF_TOKEN", "hf_\u{e9}clair"));
    assert!(error.contains("HF_TOKEN holds characters") && !error.contains("clair"), "{error}");
    assert!(refused(("HF_TOKEN_PATH", ".")).contains("cannot read the token in ."));
}

#[test]
fn the_cache_is_found_in_every_place() {
    let folder = folder();
    let hub = serve(Behaviour::Serve, &text(400));
    let repository = "datasets--me--corpus/refs/main";
    let home = folder.path().join("home");
    std::fs::create_dir(&home).unwrap();
    for (variables, place) in [
        (vec![("HF_HUB_CACHE", "one"), ("HUGGINGFACE_HUB_CACHE", "other")], "one"),
        (vec![("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", "two")], "two"),
        (vec![("HF_HOME", " three ")], "three/hub"),
        (vec![("HF_HOME", "~/four")], "home/four/hub"),
        (vec![("HF_HOME", "${HOME}/five")], "home/five/hub"),
        (vec![("HF_HOME", ""), ("XDG_CACHE_HOME", "six")], "six/huggingface/hub"),
        (vec![("HF_HOME", ""), ("XDG_CACHE_HOME", "")], "home/.cache/huggingface/hub"),
    ] {
        let mut fetch = command(&folder, &hub, "hf:me/corpus/train.txt");
        succeed(fetch.env("HOME", &home).env_remove("XDG_CACHE_HOME").envs(variables));
        assert!(exists(&folder, &format!("{place}/{repository}")), "nothing in {place}");
    }
}

#[test]
fn offline_mode_accepts_huggingface_hub_values() {
    let folder = folder();
    let hub = serve(Behaviour::Serve, &text(400));
    for (name, yes) in [("HF_HUB_OFFLINE", "TRUE"), ("HF_HUB_OFFLINE", " on"), ("TRANSFORMERS_OFFLINE", "1")]
    {
        let error = fail(command(&folder, &hub, "hf:me/corpus/train.txt").env(name, yes), 2);
        assert!(error.contains("HF_HUB_OFFLINE"), "{error}");
    }
    assert!(hub.requests.lock().unwrap().is_empty());
    for no in ["", "0", "false", "no"] {
        succeed(command(&folder, &hub, "hf:me/corpus/train.txt").env("HF_HUB_OFFLINE", no));
    }
}

#[test]
fn invalid_environment_variables_are_named() {
    let folder = folder();
    let hub = serve(Behaviour::Serve, &text(400));
    write(&folder, "no.pem", "nothing");
    for (name, value) in [
        ("HF_ENDPOINT", "huggingface.co"),
        ("HF_ENDPOINT", "file:///etc"),
        ("HF_HUB_ETAG_TIMEOUT", "soon"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "-1"),
        ("SSL_CERT_FILE", "missing.pem"),
        ("SSL_CERT_FILE", "no.pem"),
    ] {
        let error = fail(command(&folder, &hub, "hf:me/corpus/train.txt").env(name, value), 2);
        assert!(error.contains(name) && error.contains(value.trim_start_matches("file:")), "{error}");
    }
    for (name, value) in [("SLURM_ARRAY_TASK_ID", "all"), ("SLURM_ARRAY_TASK_ID", "99")] {
        let flags = small_but(&["--acts", "relu,gelu", "--seeds", "1", "--out", "compared"]);
        let error = fail(tinygpt(&folder).env(name, value).arg("compare").args(flags), 2);
        assert!(error.contains(name) && error.contains(value), "{error}");
    }
    std::fs::create_dir(folder.path().join("texts")).unwrap();
    write(&folder, "texts/a.txt", &text(400));
    let trains = |data: &str| {
        let mut command = tinygpt(&folder);
        command.env("TMPDIR", "/nowhere").args(small_but(&["--data", data]));
        command
    };
    let error = fail(&mut trains("texts"), 2);
    assert!(error.contains("TMPDIR") && error.contains("/nowhere"), "{error}");
    // A single file needs no temporary copy.
    trains("text.txt").assert().success();
}

#[test]
fn a_missing_home_directory_is_reported_without_a_panic() {
    let folder = folder();
    let hub = serve(Behaviour::Serve, &text(400));
    for home in [None, Some(""), Some("not/absolute")] {
        let mut fetch = command(&folder, &hub, "hf:me/corpus/train.txt");
        fetch.env_remove("HF_HOME").env_remove("XDG_CACHE_HOME").env_remove("TINYGPT_CACHE");
        // Without HOME, the home directory comes from the system's user database.
        fetch.env("HF_HUB_OFFLINE", "1");
        match home {
            Some(home) => fetch.env("HOME", home),
            None => fetch.env_remove("HOME"),
        };
        let error = fail(&mut fetch, 2);
        assert!(error.contains("HF_HOME") || error.contains("HF_HUB_OFFLINE"), "{error}");
    }
}
