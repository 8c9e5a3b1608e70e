//! `inspect`: what a trained model's FFNs do, and the gradients of untrained models.

use super::*;

fn inspect(folder: &TempDir, flags: &[&str]) -> Value {
    last_line(&succeed(tinygpt(folder).args(["inspect", "--threads", "1", "--json"]).args(flags)))
}

#[test]
fn inspect_reads_the_validation_text_of_the_newest_run() {
    let folder = folder();
    write(&folder, "val.txt", &text(57));
    train(&folder, &["--act", "swiglu", "--val-data", "val.txt", "--layers", "2"]);
    let own = inspect(&folder, &[]);
    assert_eq!(own["data"], "val.txt");
    let named = inspect(&folder, &["--checkpoint", "runs/swiglu", "--data", "val.txt"]);
    assert_eq!(own["layers"], named["layers"]);
    assert_eq!(number(&own, "tokens") as usize, text(57).len() - 1);
    assert_eq!(own["act"], "swiglu");
    let layers = own["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2);
    for layer in layers {
        let hidden = &layer["hidden"];
        let histogram = &hidden["histogram"];
        let inside: u64 = histogram["counts"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
        let outside = number(histogram, "below") + number(histogram, "above");
        assert_eq!(inside as f64 + outside, number(&own, "tokens") * number(hidden, "units"));
        assert!(number(&layer["output"], "relative") > 0.0);
        assert!(number(&layer["linear"], "r2") < 1.0);
        assert!(number(layer, "grad_norm") > 0.0);
        let units = layer["memories"]["units"].as_array().unwrap();
        assert_eq!(units.len(), 5);
        assert!(units.iter().all(|unit| unit["triggers"].as_array().unwrap().len() == 3), "{units:?}");
    }
    let parts = own["parameters"]["parts"].as_array().unwrap();
    let sum: f64 = parts.iter().map(|part| number(part, "of_all")).sum();
    assert!((sum - 1.0).abs() < 1e-9);
    assert_eq!(own["parameters"]["ffn_share"], parts[2]["of_all"]);
    assert_eq!(own["parameters"]["ffn_share_of_blocks"], parts[2]["of_blocks"]);
}

#[test]
fn without_an_activation_a_linear_map_explains_everything() {
    let folder = folder();
    train(&folder, &["--act", "identity", "--out", "run"]);
    let found = inspect(&folder, &["--checkpoint", "run"]);
    assert!((number(&found["layers"][0]["linear"], "r2") - 1.0).abs() < 1e-3, "{found}");
}

#[test]
fn inspect_prints_markdown_tables_for_either_backbone() {
    let folder = folder();
    write(&folder, "bars.txt", &text(100).replace(" the ", " | "));
    for (out, backbone) in [("a", "llama"), ("b", "gpt2")] {
        train(&folder, &["--act", "gelu", "--backbone", backbone, "--data", "bars.txt", "--out", out]);
        let mut command = tinygpt(&folder);
        command.args(["inspect", "--checkpoint", out, "--max-tokens", "300"]);
        let shown = succeed(&mut command);
        for title in ["of the blocks", "saturated, x ≤ 0", "linear R²", "agreement", "promotes"] {
            assert!(shown.contains(title), "{title}: {shown}");
        }
        // Every row of a table has as many cells as its title: a bar in the text ends no cell.
        let mut cells = None;
        for line in shown.lines() {
            let count = line.starts_with('|').then(|| line.replace("\\|", "").matches('|').count());
            assert!(cells.is_none() || count.is_none() || count == cells, "{line}\n{shown}");
            cells = count;
        }
    }
}

#[test]
fn bad_inspect_input_is_a_one_line_error() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let cases: &[(&[&str], &str)] = &[
        (&["--checkpoint", "nowhere"], "there is no checkpoint nowhere"),
        (&["--checkpoint", "run", "--data", "missing.txt"], "missing.txt can't be read"),
        (&["--checkpoint", "run", "--max-tokens", "0"], "'0' for '--max-tokens <N>': it must be"),
        (&["--acts", "gleu"], "did you mean 'gelu'?"),
        (&["--acts", "relu", "--layers", "2,0"], "between 1 and 1024"),
        (&["--acts", "relu", "--layers", "5000"], "between 1 and 1024"),
        (&["--acts", "relu", "--heads", "3"], "--heads 3 does not divide"),
        (&["--acts", "relu", "--checkpoint", "run"], "cannot be used with"),
        (&["--acts", "relu", "--prompt", "the"], "cannot be used with"),
        (&["--no-residual"], "--acts"),
        (&["--init-only"], "--init-only was removed: `inspect --acts A,B,C`"),
        (&["--tokens", "5"], "--tokens was removed: use --max-tokens"),
        (&["--units", "5"], "--units was removed"),
        (&["--model", "gpt2", "--vocab-size", "9"], "--vocab-size was removed"),
        (&["--model", "gpt5"], "unknown preset 'gpt5'"),
        (&["--model", "gpt2", "--data", "text.txt"], "--data needs a model that reads a text"),
        (&["--model", "gpt2", "--checkpoint", "run"], "cannot be used with"),
        (&["--checkpoint", "run", "--prompt", ""], "the prompt is empty"),
        (&["--checkpoint", "run", "--prompt", "the cat sees the dog"], "more than the context of 16"),
        (
            &["--checkpoint", "run", "--html", "nowhere/page.html"],
            "--html nowhere/page.html must be a file in",
        ),
        (&["--checkpoint", "run", "--html", "run"], "--html run must be a file in"),
        (&["--checkpoint", "run", "--plot", "text.txt"], "--plot text.txt isn't a directory"),
        (&["--lang", "fr"], "invalid value 'fr' for '--lang"),
        (&["--dim", "32"], "--model"),
    ];
    for (flags, expected) in cases {
        let output = tinygpt(&folder).arg("inspect").args(*flags).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {errors}");
        assert!(errors.contains(expected) && !errors.contains("panicked"), "{flags:?}: {errors}");
    }
    std::fs::remove_file(folder.path().join("text.txt")).unwrap();
    let error = fail(tinygpt(&folder).args(["inspect", "--checkpoint", "run"]), 2);
    assert!(error.contains("text.txt") && error.contains("--data"), "{error}");
    std::fs::remove_file(folder.path().join("run/last/trainer.json")).unwrap();
    std::fs::remove_file(folder.path().join("run/best/trainer.json")).unwrap_or_default();
    let error = fail(tinygpt(&folder).args(["inspect", "--checkpoint", "run"]), 2);
    assert!(error.contains("doesn't say which text") && error.contains("--data"), "{error}");
}

#[test]
fn sigmoids_gradient_vanishes_only_without_residual_connections() {
    let folder = folder();
    let flags = ["--acts", "relu,sigmoid", "--layers", "2,24", "--data", "text.txt"];
    let small = ["--dim", "16", "--heads", "2", "--context", "16"];
    let ratios = |more: &[&str]| -> Vec<f64> {
        let found = inspect(&folder, &[flags.as_slice(), &small, more].concat());
        let means: Vec<f64> =
            found["standard_normal"].as_array().unwrap().iter().map(|act| number(act, "mean")).collect();
        assert!((means[0] - 0.40).abs() < 0.005 && (means[1] - 0.50).abs() < 0.005, "{means:?}");
        let gradients = found["gradients"].as_array().unwrap();
        assert_eq!(gradients[1]["norms"].as_array().unwrap().len(), 24);
        gradients.iter().map(|found| number(found, "first_over_last")).collect()
    };
    // relu with 2 and 24 layers, then sigmoid.
    let (stack, model) = (ratios(&["--no-residual"]), ratios(&[]));
    assert!(stack[3] < 1e-5 * stack[1] && stack[3] < 1e-5 * stack[2], "{stack:?}");
    assert!(model.iter().all(|ratio| (0.01..100.0).contains(ratio)), "{model:?}");
    let shown = succeed(tinygpt(&folder).arg("inspect").args(flags).args(small));
    assert!(shown.contains("24 layers") && shown.contains("sigmoid"), "{shown}");
}

/// 175.0 billion, and for GPT-2 what transformers counts: 124,439,808.
#[test]
fn the_shape_of_a_preset_needs_neither_weights_nor_text() {
    let folder = folder();
    let gpt3 = inspect(&folder, &["--model", "gpt3-175b"]);
    let parameters = &gpt3["parameters"];
    assert!((number(parameters, "total") / 175.0e9 - 1.0).abs() < 0.005, "{gpt3}");
    assert!((number(parameters, "ffn_share") - 0.66).abs() < 0.005);
    assert!((number(parameters, "ffn_share_of_blocks") - 2.0 / 3.0).abs() < 0.001);
    assert_eq!(number(&gpt3["config"], "ffn_dim"), 49_152.0);
    let gpt2 = inspect(&folder, &["--model", "gpt2"]);
    assert_eq!(number(&gpt2["parameters"], "total"), 124_439_808.0);
    assert!((number(&gpt2["parameters"], "ffn_share") - 0.455).abs() < 0.001);
    assert_eq!(number(&gpt2["bytes"], "weights"), 4.0 * 124_439_808.0);
    write(&folder, "mine.toml", "# Mine.\nact = \"relu\"\ndim = 32\nheads = 2\ndata = \"text.txt\"\n");
    // The characters of text.txt and the bytes.
    let own = inspect(&folder, &["--model", "mine.toml"]);
    assert!(number(&own["config"], "vocab_size") > 256.0, "{own}");
    assert_eq!(own["vocabulary"], "char, text.txt");
    let shown = succeed(tinygpt(&folder).args(["inspect", "--model", "gpt3-175b"]));
    for said in ["expands 12,288 values to 49,152", "66.4%", "174,604,259,328", "AdamW", "50,257 tokens"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
}

#[test]
fn a_prompt_is_answered_by_token_and_by_layer_without_another_text() {
    let folder = folder();
    train(&folder, &["--out", "run", "--layers", "2", "--steps", "60"]);
    std::fs::remove_file(folder.path().join("text.txt")).unwrap();
    let flags = ["--checkpoint", "run", "--prompt", "the cat"];
    let found = inspect(&folder, &flags);
    let positions = found["prompt"]["positions"].as_array().unwrap();
    assert_eq!(positions.len(), 7);
    for (i, position) in positions.iter().enumerate() {
        let likely = position["likely"].as_array().unwrap();
        let probabilities: Vec<f64> = likely.iter().map(|likely| number(likely, "probability")).collect();
        assert_eq!(probabilities.len(), 5);
        assert!(probabilities.is_sorted_by(|a, b| a >= b) && probabilities.iter().sum::<f64>() <= 1.0 + 1e-9);
        assert!(number(position, "entropy_bits") >= 0.0);
        let truth = &position["truth"];
        assert_eq!(truth["token"].as_str(), "he cat".get(i..i + 1));
        // The truth is among the likely tokens at its rank.
        if let Some(rank) = truth["rank"].as_u64().filter(|rank| *rank <= 5) {
            assert_eq!(likely[rank as usize - 1]["token"], truth["token"]);
        }
        let layers = position["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 2);
        assert_eq!(
            (layers[1]["token"].clone(), number(&layers[1], "answer_rank")),
            (likely[0]["token"].clone(), 1.0)
        );
        assert!(number(&layers[1], "divergence_bits") < 1e-6 && number(&layers[0], "divergence_bits") > 0.0);
    }
    assert!(found.get("layers").is_none(), "no text was named, none is read");
    let shown = succeed(tinygpt(&folder).arg("inspect").args(flags));
    assert!(shown.contains("most probable next") && shown.contains("layer 1"), "{shown}");
}

#[test]
fn flags_of_untrained_models_are_refused_with_a_checkpoint() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    for flags in [["--layers", "2"], ["--acts", "relu"], ["--seed", "5"]] {
        let error = fail(tinygpt(&folder).args(["inspect", "--checkpoint", "run"]).args(flags), 2);
        assert!(error.contains(flags[0]), "{error}");
    }
}
