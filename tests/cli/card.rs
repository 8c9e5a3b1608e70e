//! The model card of a checkpoint.

use super::*;

fn card(folder: &TempDir, checkpoint: &str) -> String {
    String::from_utf8(read(folder, &format!("{checkpoint}/README.md"))).unwrap()
}

/// The text is given by an absolute path, which the card must not reveal.
#[test]
fn the_card_command_reproduces_the_checkpoint_without_revealing_paths() {
    let folder = folder();
    let data = folder.path().join("text.txt");
    let flags = ["--data", data.to_str().unwrap(), "--act", "glu:mish", "--seed", "7", "--out", "run"];
    train(&folder, &flags);
    let text = card(&folder, "run/best");
    assert!(!text.contains(folder.path().to_str().unwrap()), "{text}");
    let command = text.lines().find_map(|line| line.strip_prefix("    tinygpt ")).unwrap();
    let words: Vec<&str> = command.split(' ').collect();
    succeed(tinygpt(&folder).args(words).args(["--out", "again"]));
    let weights = |run: &str| read(&folder, &format!("{run}/best/model.safetensors"));
    assert!(weights("run") == weights("again"), "{command}");
}

#[test]
fn the_card_has_the_score_of_its_own_checkpoint() {
    let folder = folder();
    let trained = train(&folder, &["--out", "run", "--keep", "9"]);
    let last = card(&folder, "run/last");
    for key in ["val_loss", "val_perplexity", "bits_per_byte"] {
        assert!(last.contains(&format!("value: {}\n", number(&trained, key))), "{key}: {last}");
    }
    let earlier = card(&folder, "run/step-000005");
    assert!(earlier.contains("value: ") && !earlier.contains(&number(&trained, "val_loss").to_string()));
    // A checkpoint saved between evaluations has no score.
    train(&folder, &["--out", "run", "--force", "--save-every", "4", "--keep", "9"]);
    let unscored = card(&folder, "run/step-000004");
    assert!(unscored.starts_with("---\nlibrary_name: transformers\n") && !unscored.contains("value: "));
}

#[test]
fn huggingface_hub_reads_the_card() {
    let folder = folder();
    let Some(mut check) = script(&folder, "check_card.py") else { return };
    train(&folder, &["--out", "run", "--act", "elu"]);
    let metrics = last_line(&succeed(check.arg("run/best")));
    assert_eq!(metrics["library"], "tinygpt");
    assert!((number(&metrics, "perplexity") - number(&metrics, "loss").exp()).abs() < 1e-9, "{metrics}");
}
