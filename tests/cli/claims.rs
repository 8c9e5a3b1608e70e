//! `tinygpt claims`: each claim is measured, judged and reported in two languages.

use super::*;

/// Three claims that need little training.
const QUICK: &[&str] = &["claims", "--steps", "2", "--threads", "1", "--only", "centring,parameters,path"];

#[test]
fn claims_prints_verdicts_and_writes_html_and_markdown() {
    let folder = folder();
    let printed = succeed(tinygpt(&folder).args(QUICK).args(["--plot", "figures"]));
    assert_eq!(printed.lines().filter(|line| line.starts_with("depends: ")).count(), 3, "{printed}");
    assert!(printed.contains("66.4% of all parameters"), "{printed}");
    let page = String::from_utf8(read(&folder, "runs/claims/claims-centring-parameters-path.html")).unwrap();
    let markdown =
        String::from_utf8(read(&folder, "runs/claims/claims-centring-parameters-path.md")).unwrap();
    for line in printed.lines().filter(|line| line.starts_with("    ")) {
        assert!(markdown.contains(line.trim()), "{line} is not in {markdown}");
    }
    assert!(page.contains("lang=\"en\"") && page.contains("id=\"claim-parameters\""));
    assert_eq!(page.matches("<figure").count(), 2);
    assert!(!page.contains("http://") && !page.contains("https://"));
    for figure in ["path.svg", "path-gated.svg"] {
        assert!(exists(&folder, &format!("figures/{figure}")), "{figure}");
    }
}

#[test]
fn claims_support_japanese_and_json() {
    let folder = folder();
    let object = last_line(&succeed(tinygpt(&folder).args(QUICK).args(["--lang", "ja", "--json"])));
    let claims = object["claims"].as_array().unwrap();
    let names: Vec<&str> = claims.iter().map(|claim| claim["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["centring", "parameters", "path"]);
    let page = String::from_utf8(read(&folder, "runs/claims/claims-centring-parameters-path.html")).unwrap();
    assert!(page.contains("lang=\"ja\""));
    for claim in claims {
        assert_eq!(claim["verdict"], "depends");
        assert!(page.contains(claim["answer"]["ja"].as_str().unwrap()), "{claim}");
        assert!(!page.contains(claim["answer"]["en"].as_str().unwrap()), "{claim}");
    }
    // The published means on N(0, 1).
    let rows = claims[0]["tables"][0]["rows"].as_array().unwrap();
    let means: Vec<&str> = rows.iter().map(|row| row[1]["en"].as_str().unwrap()).collect();
    assert_eq!(means, ["0.50", "0.40", "0.28", "0.21", "0.00", "0.00"]);
}

#[test]
fn claims_about_functions_measure_formulas_too() {
    let folder = folder();
    let quick = |only| {
        let acts = ["--acts", "mish, x * tanh(b * x); b = 2", "--json"];
        let args = ["claims", "--steps", "2", "--threads", "1", "--only", only];
        tinygpt(&folder).args(args).args(acts).output().unwrap()
    };
    let output = quick("centring,path");
    let object = last_line(&String::from_utf8(output.stdout).unwrap());
    let rows = object["claims"][0]["tables"][0]["rows"].as_array().unwrap();
    let more: Vec<&str> = rows[6..].iter().map(|row| row[0]["en"].as_str().unwrap()).collect();
    assert_eq!(more, ["mish", "x * tanh(b * x); b = 2"]);
    // Its outputs are nowhere negative.
    assert!(rows[7][1]["en"].as_str().unwrap() > "0.50", "{rows:?}");
    // The commands that reproduce a claim name them where they count.
    let markdown = String::from_utf8(read(&folder, "runs/claims/claims-centring-path.md")).unwrap();
    for line in ["--acts 'mish, x * tanh(b * x); b = 2' --only centring", "--threads 1 --only path\n"] {
        assert!(markdown.contains(line), "{line} is not in {markdown}");
    }
    let refused = quick("path");
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(
        refused.status.code() == Some(2) && error.contains("--acts") && error.contains("vanishing"),
        "{error}"
    );
}

#[test]
fn claim_models_are_trained_once_and_can_be_inspected() {
    let folder = folder();
    let walk = || {
        let output = tinygpt(&folder).args(QUICK).output().unwrap();
        assert!(output.status.success());
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (first, training) = walk();
    assert!(training.contains("gelu  step 2/2"), "{training}");
    // Progress lines name the claim and the model.
    assert!(training.contains("[3/3] path\n") && training.contains("[3/3] swiglu  step 1/2"), "{training}");
    let (second, training) = walk();
    assert_eq!(first, second);
    assert!(!training.contains("step 2/2"), "{training}");
    let model = "runs/claims/models/gelu";
    succeed(tinygpt(&folder).args(["inspect", "--checkpoint", model, "--max-tokens", "100"]));
    let longer = ["claims", "--steps", "3", "--threads", "1", "--only", "path"];
    let error = fail(tinygpt(&folder).args(longer), 2);
    assert!(error.contains("trained otherwise") && error.contains("--out"), "{error}");
}

#[test]
fn unknown_claims_are_rejected_with_the_known_ones() {
    let folder = folder();
    let error = fail(tinygpt(&folder).args(["claims", "--only", "saturation,magic"]), 2);
    assert!(error.contains("'magic'") && error.contains("saturation, vanishing"), "{error}");
    assert!(!exists(&folder, "runs"));
    fail(tinygpt(&folder).args(["claims", "--steps", "1"]), 2);
    // A directory with other files isn't used.
    let error = fail(tinygpt(&folder).args(["claims", "--out", "."]), 2);
    assert!(error.contains("not empty") && !exists(&folder, "models"), "{error}");
}

/// With barely trained models, all fourteen claims get a verdict and the page works in a browser.
#[test]
fn every_claim_gets_a_verdict_even_with_untrained_models() {
    let folder = folder();
    let walk = ["claims", "--steps", "2", "--json"];
    let object = last_line(&succeed(tinygpt(&folder).args(walk)));
    let claims = object["claims"].as_array().unwrap();
    assert_eq!(claims.len(), 14);
    let of = |name: &str| claims.iter().find(|claim| claim["name"] == name).unwrap();
    // These verdicts don't depend on training.
    assert_eq!(of("vanishing")["verdict"], "depends");
    assert_eq!(of("saturation")["verdict"], "depends");
    assert_eq!(of("parameters")["verdict"], "depends");
    assert_ne!(of("knowledge")["verdict"], "held");
    assert_eq!(of("knowledge")["tables"][0]["rows"][0][1]["en"], "0.0%");
    let Some(mut check) = script(&folder, "check_report.py") else { return };
    let output = check.arg("runs/claims/claims.html").output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).to_string();
    if output.status.code() == Some(77) {
        eprintln!("skipped: {printed}");
        return;
    }
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
}
