//! Promises of `--optimizer muon`.

use super::*;

const MUON: [&str; 2] = ["--optimizer", "muon"];

fn weights(folder: &TempDir, run: &str) -> Vec<u8> {
    read(folder, &format!("{run}/last/model.safetensors"))
}

#[test]
fn muon_resumes_to_the_same_bytes_with_any_number_of_threads() {
    let folder = folder();
    for backbone in ["llama", "gpt2"] {
        let run = |name: &str, more: &[&str]| {
            let out = format!("{backbone}-{name}");
            train(&folder, &[&MUON, ["--backbone", backbone].as_slice(), &["--out", &out], more].concat());
            out
        };
        let whole = run("whole", &["--steps", "12", "--warmup", "2", "--threads", "1"]);
        let threads = run("threads", &["--steps", "12", "--warmup", "2", "--threads", "2"]);
        assert!(
            weights(&folder, &whole) == weights(&folder, &threads),
            "{backbone}: threads change the weights"
        );

        // Stopped after 6 of 12 steps: a checkpoint that is no longer the last.
        let cut = run("cut", &["--steps", "12", "--warmup", "2", "--save-every", "6", "--keep", "9"]);
        std::fs::remove_dir_all(folder.path().join(&cut).join("step-000012")).unwrap();
        succeed(tinygpt(&folder).args(["train", "--resume", &cut]));
        for file in ["model.safetensors", "optimizer.safetensors"] {
            let of = |run: &str| read(&folder, &format!("{run}/last/{file}"));
            assert!(of(&whole) == of(&cut), "{backbone}: {file} differs after resuming");
        }
    }
}

#[test]
fn muon_is_another_recipe_than_adamw() {
    let folder = folder();
    train(&folder, &["--out", "adamw"]);
    train(&folder, &[&MUON, ["--out", "muon"].as_slice()].concat());
    assert!(weights(&folder, "adamw") != weights(&folder, "muon"));
    for (run, other) in [("adamw", "muon"), ("muon", "adamw")] {
        let before = weights(&folder, run);
        let error = fail(tinygpt(&folder).args(["train", "--resume", run, "--optimizer", other]), 2);
        assert!(error.contains("--optimizer") && error.contains(other), "{error}");
        assert!(weights(&folder, run) == before);
    }
    // The plan says what it costs.
    let plan = |flags: &[&str]| {
        let mut command = tinygpt(&folder);
        let output =
            command.arg("train").args(small_but(flags)).args(["--dry-run", "--json"]).output().unwrap();
        (last_line(&String::from_utf8(output.stdout).unwrap()), String::from_utf8(output.stderr).unwrap())
    };
    let (record, lines) = plan(&MUON);
    assert!(lines.contains("Muon ") && lines.contains("% more arithmetic"), "{lines}");
    assert!(number(&record, "update_flops") > 0.0, "{record}");
    assert_eq!(number(&plan(&[]).0, "update_flops"), 0.0);

    // The state says which it is: matrices have a momentum, the embedding has AdamW's two means.
    let state = read(&folder, "muon/last/optimizer.safetensors");
    let names = String::from_utf8_lossy(&state[..4096.min(state.len())]).into_owned();
    assert!(
        names.contains("mlp.up_proj.weight.momentum") && names.contains("embed_tokens.weight.m\""),
        "{names}"
    );
    assert!(!names.contains("mlp.up_proj.weight.m\"") && !names.contains("embed_tokens.weight.momentum"));
}

#[test]
fn muon_updates_the_reference_and_the_kernels_alike() {
    let folder = folder();
    for backbone in ["llama", "gpt2"] {
        let loss = |ops: &str| {
            let flags = ["--backbone", backbone, "--ops", ops, "--steps", "10", "--out", ops, "--force"];
            number(&train(&folder, &[&MUON, flags.as_slice()].concat()), "val_loss")
        };
        let (plain, fused) = (loss("plain"), loss("fused"));
        assert!((plain - fused).abs() < 1e-4, "{backbone}: {plain} {fused}");
    }
}

#[test]
fn optimizers_can_be_compared() {
    let folder = folder();
    let mut command = tinygpt(&folder);
    command.arg("compare").args(SMALL).args(["--acts", "relu,swiglu", "--vary", "optimizer=adamw,muon"]);
    let output = succeed(command.args(["--seeds", "3", "--steps", "4", "--out", "cmp"]));
    assert!(output.contains("| swiglu muon") && output.contains("% with adamw and "), "{output}");
}
