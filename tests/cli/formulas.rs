//! Activations written as formulas, from the command line to the checkpoint.

use super::*;

const LEARNED: &str = "x * sigmoid(b * x) + c; b = 1, c = 0.1";

#[test]
fn a_named_function_and_its_formula_train_to_the_same_bytes() {
    let folder = folder();
    train(&folder, &["--act", "quick_gelu", "--out", "named"]);
    train(&folder, &["--act", "x*sigmoid(1.702*x)", "--out", "written"]);
    assert!(read(&folder, "named/last/model.safetensors") == read(&folder, "written/last/model.safetensors"));
    let config: Value = serde_json::from_slice(&read(&folder, "written/last/config.json")).unwrap();
    assert_eq!(config["hidden_act"], "quick_gelu");
}

#[test]
fn learned_scalars_are_trained_logged_saved_and_resumed() {
    let folder = folder();
    let outcome = train(&folder, &["--act", LEARNED, "--layers", "2", "--out", "whole"]);
    let plain = train(&folder, &["--act", "silu", "--layers", "2", "--out", "silu"]);
    // Two scalars in each of two layers.
    assert_eq!(number(&outcome, "params"), number(&plain, "params") + 4.0);
    let metrics = String::from_utf8(read(&folder, "whole/metrics.jsonl")).unwrap();
    let step: Value =
        serde_json::from_str(metrics.lines().rfind(|line| line.contains("grad_norm")).unwrap()).unwrap();
    assert!(
        (0.0..1.0).contains(&number(&step, "scalars_share")) && number(&step, "scalars_share") > 0.0,
        "{step}"
    );
    for (name, initial) in [("0.b", 1.0), ("1.b", 1.0), ("0.c", 0.1), ("1.c", 0.1)] {
        assert!((number(&step["scalars"], name) - initial).abs() > 1e-4, "{name} hasn't moved: {step}");
    }
    // A stop in the middle, and another number of threads, change no bit.
    train(&folder, &["--act", LEARNED, "--layers", "2", "--out", "part", "--steps", "12", "--threads", "2"]);
    let of = |run: &str| read(&folder, &format!("{run}/last/model.safetensors"));
    assert!(of("whole") == of("part"), "threads change the weights");
    let flags = ["train", "--resume", "whole", "--steps", "20"];
    succeed(tinygpt(&folder).args(flags));
    let inspected = last_line(&succeed(tinygpt(&folder).args([
        "inspect",
        "--checkpoint",
        "whole",
        "--data",
        "text.txt",
        "--max-tokens",
        "200",
        "--json",
    ])));
    let learned = &inspected["layers"][1]["learned_scalars"];
    assert!(number(learned, "b") != 1.0 && number(learned, "c") != 0.1, "{learned}");
    succeed(tinygpt(&folder).args(["generate", "--checkpoint", "whole", "--max-tokens", "5"]));
}

#[test]
fn the_reference_and_the_kernels_train_learned_scalars_alike() {
    let folder = folder();
    let loss = |ops: &str, out: &str| {
        number(&train(&folder, &["--act", LEARNED, "--ops", ops, "--out", out]), "val_loss")
    };
    let (plain, fused) = (loss("plain", "plain"), loss("fused", "fused"));
    assert!((plain - fused).abs() < 1e-4, "{plain} and {fused}");
}

#[test]
fn a_preset_names_its_own_formulas() {
    let folder = folder();
    let preset = "act = \"bent\"\n\n[activations]\nbent = \"x * sigmoid(3 * x)\"\nwavy = \"x + sin(x)\"\n";
    write(&folder, "mine.toml", preset);
    train(&folder, &["--model", "mine.toml", "--out", "default"]);
    let config: Value = serde_json::from_slice(&read(&folder, "default/last/config.json")).unwrap();
    assert_eq!(config["hidden_act"], "bent = x * sigmoid(3 * x)");
    train(&folder, &["--model", "mine.toml", "--act", "wavy"]);
    assert!(exists(&folder, "runs/wavy/last"));
    // The checkpoint needs no preset.
    succeed(tinygpt(&folder).args(["eval", "--checkpoint", "default", "--data", "text.txt"]));
    write(&folder, "taken.toml", "[activations]\nrelu = \"x\"\n");
    let error = fail(tinygpt(&folder).args(["--model", "taken.toml", "--dry-run"]), 2);
    assert!(error.contains("taken.toml") && error.contains("relu"), "{error}");
    write(&folder, "wrong.toml", "[activations]\nmine = \"x * sigmiod(x)\"\n");
    let error = fail(tinygpt(&folder).args(["--model", "wrong.toml", "--dry-run"]), 2);
    assert!(error.contains("column 5") && error.contains("sigmoid"), "{error}");
}

#[test]
fn a_comparison_of_formulas_is_trained_resumed_and_reported() {
    let folder = folder();
    let acts =
        "relu2, leaky_relu(x, 0.5)^2, silu(min(g, 11)) * clamp(u, -11, 11), x * sigmoid(b * x); b = 1.5";
    let flags =
        ["compare", "--acts", acts, "--baseline", "relu2", "--seeds", "2", "--out", "compare", "--json"];
    let mut command = tinygpt(&folder);
    command.args(flags).args(SMALL.chunks(2).filter(|pair| pair[0] != "--seed").flatten());
    let compared = last_line(&succeed(&mut command));
    let arms: Vec<&str> =
        compared["results"].as_array().unwrap().iter().map(|arm| arm["act"].as_str().unwrap()).collect();
    for act in ["relu2", "leaky_relu2", "silu(min(g, 11)) * clamp(u, -11, 11)", "x * sigmoid(b * x); b = 1.5"]
    {
        assert!(arms.contains(&act), "{act}: {arms:?}");
    }
    let again = last_line(&succeed(&mut command));
    assert_eq!(again["results"], compared["results"]);
    // The activation that learns is drawn before training and after it in the model's only layer.
    let results = String::from_utf8(read(&folder, "compare/results.jsonl")).unwrap();
    let lines = results.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let seeds: Vec<f64> = lines.filter_map(|line| line["scalars"]["0.b"].as_f64()).collect();
    assert_eq!(seeds.len(), 2, "{results}");
    let b = (seeds[0] + seeds[1]) / 2.0;
    assert!((b - 1.5).abs() > 1e-4, "b hasn't moved from {b}");
    succeed(tinygpt(&folder).args(["report", "compare", "--plot", "figures"]));
    let drawn = String::from_utf8(read(&folder, "figures/learned.svg")).unwrap();
    assert_eq!(drawn.matches("<polyline").count(), 2, "{drawn}");
    assert!(drawn.contains(&format!("b 1.50 → {b:.2}")), "{drawn}");
}

#[test]
fn a_formula_is_described_with_its_numbers_and_plot() {
    let folder = folder();
    let acts = ["acts", "x * sigmoid(1.5 * x)", "swiglu_oai"];
    let text = succeed(tinygpt(&folder).args(acts).args(["--plot", "two.svg"]));
    for expected in
        ["x * sigmoid(1.5 * x)", "min(g, 7)", "learned scalars  none", "on N(0, 1)", "FFN parameters"]
    {
        assert!(text.contains(expected), "{expected} isn't in {text}");
    }
    assert_eq!(String::from_utf8(read(&folder, "two.svg")).unwrap().matches("<polyline").count(), 4);
    let json = last_line(&succeed(tinygpt(&folder).args(["acts", "x * sigmoid(x)", "--json"])));
    // f'(0) = 1/2, and E[Z sigmoid(Z)] = 0.2066.
    assert_eq!((&json["name"], &json["points"][3][2]), (&"silu".into(), &0.5.into()));
    assert!((number(&json["standard_normal"], "mean") - 0.2066).abs() < 1e-4);
}

#[test]
fn formulas_that_may_fail_are_warned_of_or_refused() {
    let folder = folder();
    let warned = |act: &str| {
        let output = tinygpt(&folder).args(small_but(&["--act", act, "--dry-run"])).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(warned("sqrt(abs(x))").contains("no finite slope at x = 0"), "{}", warned("sqrt(abs(x))"));
    assert!(warned("ln(x)").contains("no finite value at x = 0"));
    assert!(!warned("relu2").contains("finite"));
    let error = fail(tinygpt(&folder).args(["--act", "x * sigmiod(x)"]), 2);
    assert!(error.contains("column 5") && error.contains("did you mean 'sigmoid'"), "{error}");
    let zero = small_but(&["--acts", "relu,b * x; b = 0", "--match-init", "--dry-run"]);
    let error = fail(tinygpt(&folder).arg("compare").args(zero), 2);
    assert!(error.contains("--match-init") && error.contains("initial output is 0"), "{error}");
}

#[test]
fn an_export_says_where_a_formula_loads() {
    let folder = folder();
    train(&folder, &["--act", "x * sigmoid(1.5 * x)", "--out", "run"]);
    let error = fail(tinygpt(&folder).args(["export", "--checkpoint", "run", "--out", "model.gguf"]), 2);
    assert!(error.contains("llama.cpp"), "{error}");
    let config: Value = serde_json::from_slice(&read(&folder, "run/last/config.json")).unwrap();
    assert_eq!(
        (&config["model_type"], &config["hidden_act"]),
        (&"tinygpt".into(), &"x * sigmoid(1.5 * x)".into())
    );
}

/// `tests/fixtures/losses_of_written_kernels.json` has what this test's commands logged in the last build that had a
/// kernel written by hand for each function: commit 1146458, on a Xeon with AVX-512.
#[test]
fn named_functions_learn_as_with_kernels_written_by_hand() {
    let folder = folder();
    let expected: Value =
        serde_json::from_str(include_str!("../fixtures/losses_of_written_kernels.json")).unwrap();
    for (act, expected) in expected.as_object().unwrap() {
        train(&folder, &["--act", act, "--out", act]);
        let metrics = String::from_utf8(read(&folder, &format!("{act}/metrics.jsonl"))).unwrap();
        let lines = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let losses: Vec<f64> = lines.filter_map(|line| line["loss"].as_f64()).collect();
        for (loss, expected) in losses.iter().zip(expected.as_array().unwrap()) {
            assert!((loss - expected.as_f64().unwrap()).abs() < 1e-5, "{act}: {losses:?}, not {expected}");
        }
        assert!(losses.len() >= 10, "{act}: {losses:?}");
    }
}
