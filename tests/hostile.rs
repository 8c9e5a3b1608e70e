//! Damaged and malicious files cause a one-line error and never a panic.
//!
//! `TINYGPT_HOSTILE_INPUTS` sets the number of files of each kind and picks a random seed. `scripts/hostile` sets it,
//! with limits on memory and time.

#[path = "../fuzz/readers.rs"]
mod readers;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use readers::{KINDS, Kind, Place};
use tinygpt::support::failure::{exit_code, one_line};

/// A change to a valid file. Positions are fractions of its length, so they apply to any file.
#[derive(Clone, Debug)]
enum Edit {
    Cut {
        at: f64,
    },
    Flip {
        at: f64,
        bit: u8,
    },
    /// Copies a piece of the file to another position, where it overwrites or is inserted.
    Splice {
        from: f64,
        length: usize,
        to: f64,
        over: bool,
    },
    Insert {
        at: f64,
        what: &'static str,
    },
    /// Replaces one digit of a number in the text, which keeps all lengths.
    Digit {
        which: f64,
        digit: u8,
    },
    Number {
        which: f64,
        number: &'static str,
    },
}

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "7",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775807",
    "1048576",
    "1e308",
    "-1e308",
    "1e999",
    "0.5",
    "1e-320",
    "null",
    "\"\"",
    "[]",
    "{}",
    "true",
];
const WORDS: &[&str] = &[
    "\0",
    "\n",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "[[[[[[[[",
    "\u{1b}[31m",
    "../../../etc/passwd",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "nan",
    "inf",
    "<0xFF>",
    "<|endoftext|>",
    "\"dtype\":\"F64\"",
    "\"dtype\":\"BF16\"",
    "\"shape\":[1152921504606846976,16]",
    "\"data_offsets\":[0,18446744073709551615]",
];

fn edit() -> impl Strategy<Value = Edit> {
    let share = || 0.0..1.0f64;
    prop_oneof![
        share().prop_map(|at| Edit::Cut { at }),
        (share(), 0..8u8).prop_map(|(at, bit)| Edit::Flip { at, bit }),
        // The first bytes of a safetensors file are the length of its header.
        (0..8u8, 0..8u8).prop_map(|(at, bit)| Edit::Flip { at: f64::from(at) * 1e-9, bit }),
        (share(), 1..64usize, share(), any::<bool>()).prop_map(|(from, length, to, over)| Edit::Splice {
            from,
            length,
            to,
            over
        }),
        (share(), proptest::sample::select(WORDS)).prop_map(|(at, what)| Edit::Insert { at, what }),
        (share(), b'0'..=b'9').prop_map(|(which, digit)| Edit::Digit { which, digit }),
        (share(), proptest::sample::select(NUMBERS))
            .prop_map(|(which, number)| Edit::Number { which, number }),
    ]
}

fn edited(example: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = example.to_vec();
    for edit in edits {
        let place =
            |share: f64, length: usize| ((share * length as f64) as usize).min(length.saturating_sub(1));
        let length = bytes.len();
        match *edit {
            Edit::Cut { at } => bytes.truncate(place(at, length)),
            Edit::Flip { at, bit } => {
                // Fractions below 1e-7 encode small indices.
                let at = if at < 1e-7 { (at * 1e9) as usize } else { place(at, length) };
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Edit::Splice { from, length: piece, to, over } => {
                let from = place(from, length);
                let piece = bytes[from..(from + piece).min(length)].to_vec();
                let to = place(to, length);
                let end = if over { (to + piece.len()).min(length) } else { to };
                bytes.splice(to..end, piece);
            }
            Edit::Insert { at, what } => {
                let at = place(at, length);
                bytes.splice(at..at, what.bytes());
            }
            Edit::Digit { which, digit } => {
                let digits: Vec<usize> =
                    (0..text_end(&bytes)).filter(|&i| bytes[i].is_ascii_digit()).collect();
                if let Some(&at) = digits.get(place(which, digits.len())) {
                    bytes[at] = digit;
                }
            }
            Edit::Number { which, number } => {
                let is_digit = |i: usize| bytes[i].is_ascii_digit();
                let starts: Vec<usize> =
                    (0..text_end(&bytes)).filter(|&i| is_digit(i) && (i == 0 || !is_digit(i - 1))).collect();
                if let Some(&start) = starts.get(place(which, starts.len())) {
                    let end = (start..bytes.len()).find(|&i| !is_digit(i)).unwrap_or(bytes.len());
                    bytes.splice(start..end, number.bytes());
                }
            }
        }
    }
    bytes
}

/// End of the text part: the whole file, or the header of a safetensors file.
fn text_end(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'}' || *byte == b'\n').map_or(bytes.len(), |end| end + 1)
}

fn survives(file: &str) {
    let kind: Kind = *KINDS.iter().find(|kind| kind.file == file).unwrap();
    let place = Place::new().unwrap();
    place.read(kind, place.example(kind)).unwrap_or_else(|error| panic!("the sound {file}: {error:#}"));
    let asked = std::env::var("TINYGPT_HOSTILE_INPUTS").ok().and_then(|count| count.parse().ok());
    let rng_seed = if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(1) };
    let config =
        Config { cases: asked.unwrap_or(2000), rng_seed, failure_persistence: None, ..Config::default() };
    let edits = proptest::collection::vec(edit(), 1..4);
    TestRunner::new(config)
        .run(&edits, |edits| {
            if let Err(error) = place.read(kind, &edited(place.example(kind), &edits)) {
                let (code, line) = (exit_code(&error), one_line(&error));
                // Exit code 3: the files are valid, but the model predicts NaN or infinity.
                prop_assert!(code == 2 || code == 3, "exit code {code}: {line}");
                prop_assert!(!line.contains(['\n', '\u{1b}']), "{line:?}");
            }
            Ok(())
        })
        .unwrap();
}

macro_rules! hostile {
    ($($name:ident: $file:literal,)*) => {
        $(#[test]
        fn $name() {
            survives($file);
        })*

        #[test]
        fn every_file_type_is_tested() {
            let tried = [$($file),*];
            assert!(KINDS.iter().all(|kind| tried.contains(&kind.file)));
        }
    };
}

hostile! {
    safetensors: "model.safetensors",
    config: "config.json",
    tokenizer: "tokenizer.json",
    tokenizer_config: "tokenizer_config.json",
    generation_config: "generation_config.json",
    gguf: "model.gguf",
    index: "sharded/model.safetensors.index.json",
    manifest: "SHA256SUMS",
    trainer: "trainer.json",
    metrics: "metrics.jsonl",
    results: "results.jsonl",
    comparison: "compare.json",
    preset: "preset.toml",
    formula: "formula.txt",
    marker: "tinygpt.json",
    text: "text.jsonl",
    marked_text: "marked.jsonl",
    json_text: "text.json",
    compressed_text: "text.jsonl.gz",
    shift_jis_text: "sjis.txt",
    utf16_text: "utf16.txt",
}
