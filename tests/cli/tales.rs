//! The built-in corpus: reproducible, with a known entropy that bounds every loss from below.

use super::*;

#[test]
fn the_same_seed_writes_the_same_tales_and_their_entropy_is_printed() {
    let folder = folder();
    for (name, seed) in [("a.txt", "7"), ("b.txt", "7"), ("c.txt", "8")] {
        let mut command = tinygpt(&folder);
        command.args(["data", "tales", "--bytes", "20KB", "--seed", seed, "--out", name]);
        let output = command.output().unwrap();
        let stats = String::from_utf8(output.stderr).unwrap();
        assert!(stats.contains("nats per character") && stats.contains("bits per byte"), "{stats}");
    }
    assert_eq!(read(&folder, "a.txt"), read(&folder, "b.txt"));
    assert_ne!(read(&folder, "a.txt"), read(&folder, "c.txt"));
    let length = read(&folder, "a.txt").len();
    assert!((20_000..21_000).contains(&length), "{length}");
}

#[test]
fn losses_stay_above_the_printed_floor() {
    let folder = folder();
    let flags = small_but(&["--data", "tales", "--out", "run", "--eval-every", "0"]);
    let trained = last_line(&succeed(tinygpt(&folder).args(&flags).arg("--json")));
    let floor = number(&trained, "floor");
    assert!((0.15..0.25).contains(&floor), "{trained}");
    assert!(number(&trained, "val_loss") > floor);
    let scored = succeed(tinygpt(&folder).args(["eval", "--checkpoint", "run", "--data", "tales"]));
    assert!(scored.contains("floor"), "{scored}");
    let other = succeed(tinygpt(&folder).args(["eval", "--checkpoint", "run", "--data", "text.txt"]));
    assert!(!other.contains("floor"), "{other}");
}

#[test]
fn extra_facts_appear_in_the_text() {
    let folder = folder();
    let text = succeed(tinygpt(&folder).args(["data", "tales:facts=1000", "--bytes", "5KB"]));
    let tales = text.lines().count();
    assert_eq!(text.matches("The secret number of ").count(), tales, "{text}");
}

#[test]
fn help_names_every_form_of_tales_and_each_can_be_written() {
    let folder = folder();
    let forms = "tales[:ja][:facts=N]";
    for command in ["train", "data"] {
        let help = succeed(tinygpt(&folder).args([command, "--help"]));
        assert!(help.contains(forms), "{help}");
    }
    let texts: Vec<String> = ["tales", "tales:ja", "tales:facts=5", "tales:ja:facts=5"]
        .iter()
        .map(|form| succeed(tinygpt(&folder).args(["data", form, "--bytes", "2KB"])))
        .collect();
    let differ = texts.iter().enumerate().all(|(i, text)| !texts[..i].contains(text));
    assert!(differ, "{texts:?}");
}
