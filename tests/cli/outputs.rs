//! Output files: inputs and foreign files are never overwritten, pipes and links are kept.

use super::*;
use std::process::Stdio;

#[test]
fn an_output_never_overwrites_an_input() {
    let folder = folder();
    let before = read(&folder, "text.txt");
    let path = |name: &str| folder.path().join(name);
    train(&folder, &["--out", "run"]);
    std::fs::hard_link(path("text.txt"), path("hard.txt")).unwrap();
    std::os::unix::fs::symlink("text.txt", path("soft.txt")).unwrap();
    std::fs::create_dir(path("texts")).unwrap();
    std::fs::copy(path("text.txt"), path("texts/a.txt")).unwrap();
    let inspect = ["inspect", "--checkpoint", "run", "--max-tokens", "50", "--force"];
    for (data, output) in [
        ("text.txt", "text.txt"),
        ("text.txt", "./text.txt"),
        ("text.txt", "hard.txt"),
        ("text.txt", "soft.txt"),
        ("soft.txt", "text.txt"),
        ("texts", "texts/a.txt"),
        ("texts/*.txt", "texts/a.txt"),
        ("text.txt", "run/last/model.safetensors"),
        ("text.txt", "run/best/tokenizer.json"),
    ] {
        let error = fail(tinygpt(&folder).args(inspect).args(["--data", data, "--html", output]), 2);
        assert!(error.contains("would overwrite an input, --"), "{output}: {error}");
    }
    // Without --data, inspect reads the text of the run.
    let error = fail(tinygpt(&folder).args(inspect).args(["--html", "text.txt"]), 2);
    assert!(error.contains("--data"), "{error}");
    write(&folder, "preset.toml", "layers = 1\n");
    let shape = ["inspect", "--model", "preset.toml", "--html", "preset.toml", "--force"];
    assert!(fail(tinygpt(&folder).args(shape), 2).contains("--model"));
    let export = ["export", "--checkpoint", "run", "--out", "run/last/config.json", "--force"];
    assert!(fail(tinygpt(&folder).args(export), 2).contains("--checkpoint"));
    assert_eq!(read(&folder, "text.txt"), before);
    assert_eq!(std::fs::read(path("texts/a.txt")).unwrap(), before);
    succeed(tinygpt(&folder).args(["generate", "--checkpoint", "run", "--max-tokens", "3"]));
}

#[test]
fn force_never_replaces_a_directory_that_the_new_run_reads() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let before = read(&folder, "run/last/model.safetensors");
    std::fs::copy(folder.path().join("text.txt"), folder.path().join("run/text.txt")).unwrap();
    for (flag, input) in [
        ("--init", "run"),
        ("--model", "run/config.toml"),
        ("--tokenizer", "run/last/tokenizer.json"),
        ("--data", "run/text.txt"),
    ] {
        let mut command = tinygpt(&folder);
        command.args(["train", "--data", "text.txt", "--out", "run", "--force"]);
        if flag == "--data" {
            command = tinygpt(&folder);
            command.args(["train", "--out", "run", "--force"]);
        }
        let error = fail(command.args([flag, input]), 2);
        assert!(error.contains(&format!("{flag} reads {input}")), "{error}");
    }
    assert_eq!(read(&folder, "run/last/model.safetensors"), before);
}

#[test]
fn foreign_files_are_replaced_only_with_force() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let shapes = ["inspect", "--model", "default"];
    let cases: [&[&str]; 4] = [
        &[&shapes[..], &["--html", "out.html"]].concat(),
        &["acts", "--plot", "out.svg"],
        &["data", "tales", "--bytes", "1KB", "--out", "out.txt"],
        &["export", "--checkpoint", "run", "--out", "out.gguf"],
    ];
    for command in cases {
        let name = command.last().unwrap();
        write(&folder, name, "years of work");
        let error = fail(tinygpt(&folder).args(command), 2);
        assert!(error.contains(name) && error.contains("--force"), "{error}");
        assert_eq!(read(&folder, name), b"years of work");
        succeed(tinygpt(&folder).args(command).arg("--force"));
        assert_ne!(read(&folder, name), b"years of work");
    }
    succeed(tinygpt(&folder).args(cases[0]));
    succeed(tinygpt(&folder).args(cases[1]));

    // Either all charts of a directory are written or none.
    std::fs::create_dir(folder.path().join("figures")).unwrap();
    for name in ["parameters.svg", "ffn-path.svg"] {
        write(&folder, &format!("figures/{name}"), "years of work");
        let plot = [&shapes[..], &["--plot", "figures"]].concat();
        assert!(fail(tinygpt(&folder).args(&plot), 2).contains(name));
        assert_eq!(std::fs::read_dir(folder.path().join("figures")).unwrap().count(), 1);
        succeed(tinygpt(&folder).args(&plot).arg("--force"));
        succeed(tinygpt(&folder).args(&plot));
        std::fs::remove_dir_all(folder.path().join("figures")).unwrap();
        std::fs::create_dir(folder.path().join("figures")).unwrap();
    }
}

#[test]
fn pngs_of_an_earlier_version_are_kept() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("figures")).unwrap();
    let old: &[u8] = b"\x89PNG\r\n\x1a\ntEXtComment\0Written by tinygpt";
    std::fs::write(folder.path().join("figures/parameters.png"), old).unwrap();
    for _ in 0..2 {
        succeed(tinygpt(&folder).args(["inspect", "--model", "default", "--plot", "figures"]));
    }
    assert!(exists(&folder, "figures/parameters.svg"));
    assert_eq!(read(&folder, "figures/parameters.png"), old);
}

#[test]
fn a_table_is_updated_and_a_foreign_table_is_kept() {
    let folder = folder();
    let compare = |seeds: &str| {
        let mut command = tinygpt(&folder);
        command.args(["compare", "--acts", "relu", "--seeds", seeds, "--out", "cmp", "--plot", "figures"]);
        command.args(SMALL);
        command
    };
    succeed(&mut compare("1"));
    let table = read(&folder, "figures/table.csv");
    succeed(&mut compare("2"));
    assert_ne!(read(&folder, "figures/table.csv"), table);
    write(&folder, "figures/table.csv", "name,age\n");
    let error = fail(&mut compare("2"), 2);
    assert!(error.contains("figures/table.csv"), "{error}");
    assert_eq!(read(&folder, "figures/table.csv"), b"name,age\n");
}

/// Runs a command that writes into a named pipe, and returns what it wrote.
fn through_pipe(folder: &TempDir, command: &[&str]) -> Vec<u8> {
    use std::os::unix::fs::FileTypeExt;
    let pipe = folder.path().join("pipe.gguf");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::process::Command::new("cat").arg(&pipe).stdout(Stdio::piped()).spawn().unwrap();
    // A pipe may hold only a few kilobytes, so read while the command writes.
    let read = std::thread::spawn(|| reader.wait_with_output().unwrap().stdout);
    succeed(tinygpt(folder).args(command).arg("pipe.gguf"));
    assert!(pipe.symlink_metadata().unwrap().file_type().is_fifo(), "{command:?} replaced the pipe");
    std::fs::remove_file(&pipe).unwrap();
    read.join().unwrap()
}

#[test]
fn outputs_may_be_pipes_and_devices() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let export = ["export", "--checkpoint", "run", "--force", "--out"];
    succeed(tinygpt(&folder).args(export).arg("file.gguf"));
    let same_but_name = |bytes: &[u8]| bytes.starts_with(b"GGUF") && bytes.len() > 1000;
    assert!(same_but_name(&through_pipe(&folder, &export)));
    let page = through_pipe(&folder, &["inspect", "--model", "default", "--html"]);
    assert!(page.starts_with(b"<!DOCTYPE html>") && page.ends_with(b"</html>\n"));
    assert!(through_pipe(&folder, &["acts", "--plot"]).starts_with(b"<svg"));
    let tales = ["data", "tales", "--bytes", "1KB"];
    let expected = succeed(tinygpt(&folder).args(tales));
    assert_eq!(through_pipe(&folder, &[&tales[..], &["--out"]].concat()), expected.as_bytes());
    assert_eq!(succeed(tinygpt(&folder).args(tales).args(["--out", "/dev/stdout"])), expected);
    // If standard output is a file, printed lines come after the page.
    let file = std::fs::File::create(folder.path().join("page")).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tinygpt"));
    command.args(["inspect", "--model", "default", "--html", "/dev/stdout"]).stdout(file);
    assert!(command.stderr(Stdio::null()).status().unwrap().success());
    let printed = String::from_utf8(read(&folder, "page")).unwrap();
    assert!(printed.starts_with("<!DOCTYPE html>") && !printed.trim_end().ends_with("</html>"));
}

#[test]
fn outputs_keep_symbolic_links_and_permissions() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("pages")).unwrap();
    symlink("pages/inside.html", path("page.html")).unwrap();
    let html = ["inspect", "--model", "default", "--html", "page.html"];
    succeed(tinygpt(&folder).args(html));
    std::fs::set_permissions(path("pages/inside.html"), std::fs::Permissions::from_mode(0o600)).unwrap();
    succeed(tinygpt(&folder).args(html));
    assert!(path("page.html").is_symlink());
    assert_eq!(path("pages/inside.html").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(path("pages")).unwrap().count(), 1);
}
