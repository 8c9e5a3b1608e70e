//! File types that `--data` reads, or refuses with a command that converts them. Directories with other files besides
//! texts.

use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn write_bytes(folder: &TempDir, name: &str, bytes: &[u8]) {
    std::fs::write(folder.path().join(name), bytes).unwrap();
}

/// Trains briefly on a source. Returns the notes and the weights, which are equal for equal texts.
fn trained_on(folder: &TempDir, source: &str) -> (String, Vec<u8>) {
    let output = tinygpt(folder)
        .args(small_but(&["--data", source, "--steps", "2", "--out", "out"]))
        .arg("--force")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{source}: {told}");
    let model = read(folder, "out/last/model.safetensors");
    std::fs::remove_dir_all(folder.path().join("out")).unwrap();
    (told, model)
}

fn refused(folder: &TempDir, source: &str) -> String {
    let error = fail(tinygpt(folder).args(small_but(&["--data", source, "--out", "out"])), 2);
    assert!(!exists(folder, "out"), "{source} left a run behind");
    error
}

#[test]
fn json_texts_are_equal_in_every_file_type() {
    let folder = folder();
    let documents: Vec<String> = (0..20).map(|i| text(20 + i)).collect();
    let objects: Vec<Value> =
        documents.iter().map(|text| serde_json::json!({"id": 1, "text": text})).collect();
    let lines: String = objects.iter().map(|object| format!("{object}\n")).collect();
    let array = serde_json::to_string_pretty(&objects).unwrap();
    write(&folder, "a.jsonl", &lines);
    let (_, expected) = trained_on(&folder, "a.jsonl");
    for name in ["a.ndjson", "A.JSONL", "lines.json", "no-extension"] {
        write(&folder, name, &lines);
        assert!(trained_on(&folder, name).1 == expected, "{name}");
    }
    write(&folder, "a.json", &array);
    write(&folder, "strings.JSON", &serde_json::to_string(&documents).unwrap());
    write_bytes(&folder, "a.jsonl.gz", &gzip(lines.as_bytes()));
    write_bytes(
        &folder,
        "a.json.GZ",
        &[gzip(&array.as_bytes()[..100]), gzip(&array.as_bytes()[100..])].concat(),
    );
    for name in ["a.json", "strings.JSON", "a.jsonl.gz", "a.json.GZ"] {
        assert!(trained_on(&folder, name).1 == expected, "{name}");
    }
    for input in [lines.clone().into_bytes(), gzip(lines.as_bytes())] {
        let flags = small_but(&["--data", "-", "--steps", "2", "--out", "piped"]);
        succeed(tinygpt(&folder).args(flags).arg("--force").write_stdin(input));
        assert!(read(&folder, "piped/last/model.safetensors") == expected);
    }
    // The extension decides, and a note says so.
    write(&folder, "a.txt", &lines);
    let (told, model) = trained_on(&folder, "a.txt");
    assert!(told.contains("looks like JSON") && model != expected, "{told}");
}

#[test]
fn binary_files_are_rejected_with_a_conversion_command() {
    let folder = folder();
    let cases: &[(&str, &[u8], &str)] = &[
        ("a b.parquet", b"PAR1\x15\x04", "is a Parquet table; convert it first: python3 -c "),
        (
            "a.zst",
            b"\x28\xb5\x2f\xfd\x24\x00",
            "is compressed with Zstandard; convert it first: zstd -dc a.zst > a",
        ),
        ("a.xz", b"\xfd7zXZ\0\0", "xz -dc a.xz > a"),
        ("a.bz2", b"BZh91AY", "bunzip2 -c a.bz2 > a"),
        ("a.zip", b"PK\x03\x04\x14\0", "is a zip archive; convert it first: unzip a.zip -d a"),
        ("a.docx", b"PK\x03\x04\x14\0", "pandoc a.docx -t plain -o a.txt"),
        ("a.pdf", b"%PDF-1.7\n", "is a PDF; convert it first: pdftotext a.pdf a.txt"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0", "is a PNG image"),
        ("other.json", b"{\"version\": 3, \"body\": \"one\"}", "has no \"text\" but version, body"),
    ];
    for (name, bytes, expected) in cases {
        write_bytes(&folder, name, bytes);
        let error = refused(&folder, name);
        assert!(error.contains(expected), "{error}");
        // A text is read even if its extension is that of a binary format.
        write(&folder, name, &text(400));
        if !name.ends_with("json") {
            trained_on(&folder, name);
        }
    }
    write_bytes(&folder, "a b.parquet", cases[0].1);
    let error = refused(&folder, "a b.parquet");
    assert!(error.ends_with("'a b.parquet' 'a b'.jsonl"), "{error}");
}

#[test]
fn damaged_and_oversized_gzip_files_are_rejected() {
    let folder = folder();
    let whole = gzip(text(400).as_bytes());
    write_bytes(&folder, "cut.txt.gz", &whole[..whole.len() / 2]);
    assert!(refused(&folder, "cut.txt.gz").contains("cut.txt.gz can't be read"));
    write_bytes(&folder, "bomb.txt.gz", &gzip(&vec![b' '; 70 << 20]));
    assert!(refused(&folder, "bomb.txt.gz").contains("bomb.txt.gz unpacks to more than"));
}

#[cfg(unix)]
#[test]
fn directories_are_read_and_skipped_files_are_named() {
    use std::os::unix::fs::symlink;
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("books/deep")).unwrap();
    std::fs::create_dir_all(at("good")).unwrap();
    for place in ["books", "good"] {
        write(&folder, &format!("{place}/a.txt"), &text(100));
        write(&folder, &format!("{place}/z.jsonl"), "{\"text\": \"the cat\"}\n{\"text\": \"the dog\"}\n");
    }
    let (told, expected) = trained_on(&folder, "good");
    assert!(!told.contains("skipped") && !told.contains("can't read"), "{told}");

    write(&folder, "books/z.jsonl", "{\"text\": \"the cat\"}\nnot JSON\n{\"text\": \"the dog\"}\n");
    write_bytes(&folder, "books/latin.txt", b"d\xe9j\xe0 vu\n");
    write_bytes(&folder, "books/picture.png", b"\x89PNG\r\n\x1a\n\0");
    write(&folder, "books/empty.txt", "");
    symlink("nowhere", at("books/dangling.txt")).unwrap();
    symlink("nowhere", at("books/.#lock")).unwrap();
    symlink(at("books"), at("books/deep/loop")).unwrap();
    symlink(at("books/a.txt"), at("books/deep/again.txt")).unwrap();
    std::fs::hard_link(at("books/a.txt"), at("books/linked.txt")).unwrap();
    let (told, model) = trained_on(&folder, "books");
    assert!(model == expected, "{told}");
    let line = |beginning: &str| {
        told.lines().find(|line| line.contains(beginning)).unwrap_or_else(|| panic!("{told}"))
    };
    let lost = line("books: can't read 2 of 9 files: ");
    for expected in ["dangling.txt can't be read: No such file", "latin.txt isn't UTF-8 at byte 1 (line 1)"] {
        assert!(lost.contains(expected), "{lost}");
    }
    let skipped = line("books: skipped 5 of 9 files: ");
    for expected in [
        "loop is a link to a directory above it",
        "again.txt is the same file as books/a.txt",
        "linked.txt is the same file as books/a.txt",
        "empty.txt is empty",
        "picture.png is a PNG image",
    ] {
        assert!(skipped.contains(expected), "{skipped}");
    }
    line("books/z.jsonl: skipped 1 of 3 lines; the first is line 2, which isn't valid JSON");
    // A pattern matches the same files as the directory.
    for pattern in ["books/*", "books/**/*"] {
        assert!(trained_on(&folder, pattern).1 == expected, "{pattern}");
    }
}

#[test]
fn many_skipped_files_are_counted_and_only_the_first_named() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("books")).unwrap();
    write(&folder, "books/a.txt", &text(100));
    for i in 0..40 {
        write_bytes(&folder, &format!("books/{i}.png"), b"\x89PNG\r\n\x1a\n\0");
    }
    let (told, _) = trained_on(&folder, "books");
    assert!(told.contains("skipped 40 of 41") && told.contains("and 35 more"), "{told}");
    std::fs::remove_file(folder.path().join("books/a.txt")).unwrap();
    let error = refused(&folder, "books");
    assert!(error.contains("there is no text in books: skipped 40 of 40"), "{error}");
    std::fs::create_dir(folder.path().join("nothing")).unwrap();
    assert!(refused(&folder, "nothing").contains("there is no text in nothing: it's empty"));
}

#[test]
fn runs_and_comparisons_are_not_read_as_text() {
    let folder = folder();
    let (_, expected) = trained_on(&folder, "text.txt");
    train(&folder, &["--steps", "2", "--out", "runs/a"]);
    std::fs::create_dir_all(folder.path().join("runs/b/relu-seed1")).unwrap();
    for file in ["compare.json", "results.jsonl", "report.txt", "relu-seed1/notes.txt"] {
        write(&folder, &format!("runs/b/{file}"), "not a text\n");
    }
    // tinygpt.json lists the files tinygpt wrote. Other text is read.
    write(&folder, "tinygpt.json", "{\"format\": 1, \"kind\": \"run\", \"files\": [\"metrics.txt\"]}\n");
    write(&folder, "metrics.txt", "not a text\n");
    for source in [".", "**/*"] {
        let (told, model) = trained_on(&folder, source);
        assert!(model == expected, "{source}: {told}");
        assert!(told.contains("skipped 3 of 4") && told.contains("runs/b holds a run"), "{source}: {told}");
    }
    let error = refused(&folder, "runs/a");
    assert!(error.contains("runs/a holds a run, checkpoint or comparison of tinygpt"), "{error}");
    assert!(refused(&folder, "runs/a/last").contains("of tinygpt"));
}
