//! Sources of text for `--data`.

use super::*;

/// Trains briefly on a source. Returns standard error.
fn trains_on(folder: &TempDir, source: &str) -> String {
    let mut command = tinygpt(folder);
    command.args(small_but(&["--data", source, "--steps", "2", "--out", "run"])).arg("--force");
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{source}: {errors}");
    errors
}

/// The weights of the last run, which are equal for equal texts.
fn model(folder: &TempDir) -> Vec<u8> {
    read(folder, "run/last/model.safetensors")
}

#[test]
fn texts_decode_equally_and_the_encoding_is_reported() {
    let folder = folder();
    let text = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n".repeat(40);
    let write_bytes = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let utf16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    write_bytes("utf8", text.as_bytes());
    write_bytes("bom", &["\u{feff}".as_bytes(), text.as_bytes()].concat());
    write_bytes("sjis", &encoding_rs::SHIFT_JIS.encode(&text).0);
    write_bytes("euc", &encoding_rs::EUC_JP.encode(&text).0);
    write_bytes("utf16", &utf16);
    trains_on(&folder, "utf8");
    let expected = model(&folder);
    for (name, encoding) in
        [("bom", ""), ("sjis", "read as Shift_JIS"), ("euc", "read as EUC-JP"), ("utf16", "read as UTF-16LE")]
    {
        let told = trains_on(&folder, name);
        assert!(told.contains(encoding), "{name}: {told}");
        assert!(model(&folder) == expected, "{name} gave another text");
    }
}

#[test]
fn directories_and_patterns_read_all_texts_in_order() {
    let folder = folder();
    std::fs::create_dir_all(folder.path().join("books/deep")).unwrap();
    std::fs::create_dir_all(folder.path().join("books/.git")).unwrap();
    for (name, lines) in [("books/a.txt", 100), ("books/deep/b.rs", 120), ("books/z.md", 50)] {
        write(&folder, name, &text(lines));
    }
    write(&folder, "books/.git/config", "hidden ♞");
    std::fs::write(folder.path().join("books/picture.png"), [0x89, b'P', 0, 1, 2]).unwrap();
    let told = trains_on(&folder, "books");
    assert!(told.contains("skipped 1 of 4 files: books/picture.png"), "{told}");
    let all = model(&folder);
    let tokenizer = String::from_utf8(read(&folder, "run/last/tokenizer.json")).unwrap();
    assert!(!tokenizer.contains('♞'));
    std::fs::remove_file(folder.path().join("books/picture.png")).unwrap();
    assert!(!trains_on(&folder, "books").contains("skipped"));
    assert!(model(&folder) == all);
    trains_on(&folder, "books/*.txt");
    assert!(model(&folder) != all);
}

#[test]
fn jsonl_documents_use_the_text_key() {
    let folder = folder();
    let lines: String = (0..60)
        .map(|i| format!("{{\"id\": {i}, \"text\": \"{}\"}}\n", text(3).replace('\n', "\\n")))
        .collect();
    write(&folder, "docs.jsonl", &lines);
    trains_on(&folder, "docs.jsonl");
    let tokenizer = String::from_utf8(read(&folder, "run/last/tokenizer.json")).unwrap();
    assert!(!tokenizer.contains("\"{\""), "braces are JSON's, not the text's");
    let expected = model(&folder);
    write(&folder, "docs.jsonl", &format!("{lines}not json\n"));
    let told = trains_on(&folder, "docs.jsonl");
    assert!(told.contains("docs.jsonl: skipped 1 of 61 lines; the first is line 61"), "{told}");
    assert!(model(&folder) == expected);
    write(&folder, "bad.jsonl", "{\"text\": \"a\"}\nnot json\n{\"body\": \"b\"}\n");
    let error = fail(tinygpt(&folder).args(small_but(&["--data", "bad.jsonl", "--out", "r"])), 2);
    assert!(error.contains("bad.jsonl has no text in 2 of 3 lines; the first is line 2"), "{error}");
}

#[test]
fn texts_can_come_from_standard_input() {
    let folder = folder();
    trains_on(&folder, "text.txt");
    let from_file = model(&folder);
    let flags = small_but(&["--data", "-", "--steps", "2", "--out", "piped"]);
    succeed(tinygpt(&folder).args(flags).write_stdin(text(400)));
    assert!(read(&folder, "piped/last/model.safetensors") == from_file);
}

/// The first start encodes the text into the cache, and the second maps the cache. Both give the same model.
#[test]
fn large_texts_are_prepared_once_with_a_note() {
    let folder = folder();
    write(&folder, "large.txt", &text(800_000));
    let flags = small_but(&["--data", "large.txt", "--val-data", "text.txt", "--steps", "2", "--out", "run"]);
    let prepares = |command: &mut Command| {
        let told = String::from_utf8(command.output().unwrap().stderr).unwrap();
        ["making the tokenizer char", "encoding"].map(|part| told.contains(part))
    };
    assert_eq!(prepares(tinygpt(&folder).args(&flags)), [true, true]);
    let first = model(&folder);
    // The cache has the tokens and the tokenizer.
    let cached = std::fs::read_dir(folder.path().join("cache")).unwrap().count();
    assert_eq!(cached, 2);
    assert_eq!(prepares(tinygpt(&folder).args(&flags).arg("--force")), [false, false]);
    assert!(model(&folder) == first);
}

/// The text has 30 MB and its ids 120 MB. Encoding everything at once would take a gigabyte.
#[cfg(target_os = "linux")]
#[test]
fn preparing_a_large_text_takes_little_memory() {
    let folder = folder();
    write(&folder, "large.txt", &text(1_500_000));
    let flags = small_but(&["--data", "large.txt", "--val-data", "text.txt", "--steps", "1", "--out", "run"]);
    let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_tinygpt"))
        .current_dir(folder.path())
        .env("TINYGPT_CACHE", folder.path().join("cache"))
        .args(flags)
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut most = 0;
    while process.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
        let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kilobytes =
            anonymous.and_then(|text| text.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
        most = most.max(kilobytes.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(exists(&folder, "run/last"));
    assert!((1_000..200_000).contains(&most), "{most} kB");
}

#[test]
fn notes_name_the_text_and_the_number_of_files() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("many")).unwrap();
    write(&folder, "many/a.txt", &text(100));
    let utf16: Vec<u8> = "\u{feff}the cat sees.\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(folder.path().join("many/b.txt"), utf16).unwrap();
    let output = tinygpt(&folder).args(small_but(&["--val-data", "many", "--dry-run"])).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("many: read 1 of 2 files as UTF-16LE"), "{told}");
    assert!(!told.contains("text.txt: read"), "{told}");
}

#[test]
fn pages_and_charts_of_tinygpt_are_not_read_as_text() {
    let folder = folder();
    succeed(tinygpt(&folder).args(["acts", "--plot", "acts.svg"]));
    let output = tinygpt(&folder).args(small_but(&["--data", ".", "--dry-run"])).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.contains("acts.svg is a page or picture of tinygpt's"), "{told}");
}
