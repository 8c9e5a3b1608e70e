//! Non-finite numbers are found before they reach the model, and skipped only with `--skip-bad-steps`.

use super::*;

/// A run whose model has an infinity in the embedding of one character. The training text has that character once, so
/// only the step that reads it fails.
fn planted(ops: &str) -> TempDir {
    let folder = folder();
    let mut lines = text(60);
    lines.insert(400, 'Z');
    write(&folder, "text.txt", &lines);
    train(&folder, &["--out", "run", "--untie", "true", "--ops", ops]);
    let tokenizer: Value = serde_json::from_slice(&read(&folder, "run/last/tokenizer.json")).unwrap();
    let row = tokenizer["model"]["vocab"]["Z"].as_u64().unwrap() as usize;
    let mut bytes = read(&folder, "run/last/model.safetensors");
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let tensors: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let begin = tensors["model.embed_tokens.weight"]["data_offsets"][0].as_u64().unwrap() as usize;
    let at = 8 + header + begin + row * 16 * 4;
    bytes[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    std::fs::write(folder.path().join("run/last/model.safetensors"), bytes).unwrap();
    std::fs::remove_file(folder.path().join("run/last/SHA256SUMS")).unwrap();
    folder
}

fn resume(folder: &TempDir, flags: &[&str]) -> std::process::Output {
    let flags = [&["train", "--resume", "run", "--eval-every", "0", "--json"], flags].concat();
    tinygpt(folder).args(flags).output().unwrap()
}

#[test]
fn a_non_finite_loss_stops_the_run_before_the_update() {
    for ops in ["fused", "plain"] {
        let folder = planted(ops);
        let output = resume(&folder, &["--steps", "60", "--save-every", "1", "--keep", "99"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains("first seen in the parameter model.embed_tokens.weight"), "{told}");
        // The last checkpoint is from the step before. Only the planted value isn't finite.
        let metrics = String::from_utf8(read(&folder, "run/metrics.jsonl")).unwrap();
        let steps = metrics.lines().filter(|line| line.contains("\"loss\"")).count();
        assert!(told.contains(&format!("the last good checkpoint is run/step-{steps:06}")), "{told}");
        assert_eq!(infinite(&folder), 1);
    }
}

#[test]
fn bad_steps_are_skipped_and_counted_up_to_the_limit() {
    for ops in ["fused", "plain"] {
        let folder = planted(ops);
        // An epoch has about 20 steps, so 60 steps read the character two or three times.
        let flags = ["--steps", "60", "--skip-bad-steps", "9"];
        let output = resume(&folder, &flags);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        let result = last_line(&String::from_utf8(output.stdout).unwrap());
        let skipped = number(&result, "skipped_steps");
        assert!((1.0..9.0).contains(&skipped), "{result}");
        assert_eq!(told.matches("is skipped, ").count() as f64, skipped, "{told}");
        assert!(told.contains("is skipped, 1 of at most 9: loss NaN"), "{told}");
        let metrics = String::from_utf8(read(&folder, "run/metrics.jsonl")).unwrap();
        assert_eq!(metrics.matches("\"skipped\":true").count() as f64, skipped);
        // Skipped steps change neither the model nor the optimizer.
        assert_eq!(infinite(&folder), 1);
        // The count is kept for the run across processes.
        let more = resume(&folder, &["--steps", "200", "--skip-bad-steps", &skipped.to_string()]);
        assert_eq!(more.status.code(), Some(3));
    }
}

/// Counts the non-finite values in the last checkpoint's model and optimizer.
fn infinite(folder: &TempDir) -> usize {
    let values = |file: &str| {
        let bytes = read(folder, &format!("run/last/{file}.safetensors"));
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let values = bytes[8 + header..].chunks_exact(4);
        values.filter(|raw| !f32::from_le_bytes((*raw).try_into().unwrap()).is_finite()).count()
    };
    values("model") + values("optimizer")
}
