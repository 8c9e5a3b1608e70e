//! Reports of comparisons as pages, charts and tables.

use super::*;
use roxmltree::Document;
use synthetic::{HOSTILE_NAME, analysis, hostile};
use tinygpt::lab::compare::analysis::Analysis;
use tinygpt::report::Language;
use tinygpt::report::comparison::{charts, page, table};

mod synthetic;

fn report(analysis: &Analysis) -> String {
    let settings =
        [("steps".to_string(), "2000".to_string()), ("data".to_string(), HOSTILE_NAME.to_string())];
    page(analysis, &settings, "tinygpt compare --data '<script>'", Language::En)
}

/// Unusual comparisons that a page must handle.
fn odd_ones() -> Vec<(&'static str, Analysis)> {
    let mut unfinished = analysis(&["swiglu", "relu"], &[], 0.01, 1, &[1e-3]);
    unfinished.done = 2;
    unfinished.planned = 6;
    let mut nothing = analysis(&["swiglu", "relu"], &["swiglu", "relu"], 0.01, 2, &[1e-3]);
    nothing.pairs.clear();
    let mut no_curves = analysis(&["swiglu", "relu", "gelu"], &[], 0.01, 3, &[1e-3]);
    no_curves.arms.iter_mut().for_each(|arm| arm.curve = Default::default());
    let names = [
        "swiglu",
        "geglu",
        "reglu",
        "glu",
        "bilinear",
        "gelu",
        "gelu_tanh",
        "silu",
        "relu",
        "relu2",
        "mish",
        "leaky_relu",
        "elu",
        "selu",
        "softplus",
        "tanh",
        "quick_gelu",
        "glu:mish",
        "glu:leaky_relu",
        "sigmoid",
        "identity",
    ];
    let mut far = analysis(&["swiglu", "gelu", "relu", "silu", "identity"], &[], 0.004, 3, &[1e-3]);
    let identity = far.arms.last_mut().unwrap();
    identity.losses.iter_mut().for_each(|loss| *loss += 4.0);
    identity.loss.mean += 4.0;
    identity.curve.mean.iter_mut().for_each(|loss| *loss += 4.0);
    let pair = far.pairs.iter_mut().find(|pair| pair.variant.label() == "identity").unwrap();
    pair.difference += 4.0;
    pair.interval = Some((3.5, 4.5));
    vec![
        (
            "usual",
            analysis(&["swiglu", "gelu", "silu", "relu", "tanh"], &["tanh"], 0.011, 5, &[3e-4, 1e-3, 3e-3]),
        ),
        ("hostile", hostile()),
        ("unfinished", unfinished),
        ("nothing", nothing),
        ("one-arm", analysis(&["relu"], &[], 0.01, 1, &[1e-3])),
        ("no-curves", no_curves),
        ("far", far),
        ("many", analysis(&names, &["sigmoid"], 0.006, 3, &[1e-4, 3e-4, 1e-3, 3e-3])),
    ]
}

#[test]
fn reports_escape_untrusted_text() {
    let page = report(&hostile());
    assert!(!page.contains(HOSTILE_NAME) && !page.contains("<img") && !page.contains('\u{1b}'));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("\\u{1b}[31mred"));
    // One script holds the numbers, one is the code. Nothing is loaded from elsewhere.
    assert_eq!(page.matches("<script").count(), 2);
    for remote in ["http://", "https://", "src=", "url(h", "style=\"", "'unsafe"] {
        assert!(!page.replace("&lt;img src=x", "").contains(remote), "{remote}");
    }
}

#[test]
fn reports_show_unfinished_runs_and_never_nan() {
    for (name, analysis) in odd_ones() {
        let page = report(&analysis);
        let words = page.split("<script").next().unwrap();
        assert!(!words.contains("NaN") && !words.contains(">inf"), "{name}");
        assert_eq!(words.contains("Not finished: 2 of 6 runs are done"), name == "unfinished", "{name}");
    }
}

#[test]
fn report_charts_are_well_formed_svg() {
    for (name, analysis) in odd_ones() {
        for (stem, svg) in charts(&analysis) {
            assert!(!svg.contains("NaN"), "{name}, {stem}");
            let document = Document::parse(&svg).unwrap_or_else(|error| panic!("{name}, {stem}: {error}"));
            let root = document.root_element();
            assert!(root.has_tag_name(("http://www.w3.org/2000/svg", "svg")), "{name}, {stem}");
            let size = |side: &str| root.attribute(side).unwrap().parse::<f64>().unwrap();
            let (width, height) = (size("width"), size("height"));
            assert!(
                width == 512.0 && (100.0..1000.0).contains(&height),
                "{name}, {stem}: {width} x {height}"
            );
        }
    }
    let stems: Vec<String> = charts(&hostile()).into_iter().map(|(stem, _)| stem).collect();
    assert_eq!(stems, ["loss-by-tokens", "loss-by-time", "final-loss", "differences", "loss-by-rate"]);
}

#[test]
fn report_tables_match_the_analysis() {
    let analysis = hostile();
    let csv = table(&analysis).csv();
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let rows: Vec<Vec<&str>> = lines.collect();
    assert_eq!(rows.len(), analysis.arms.len());
    let cell = |row: usize, name: &str| rows[row][header.iter().position(|title| *title == name).unwrap()];
    assert_eq!(cell(0, "act"), "swiglu");
    assert_eq!(cell(0, "val_loss_mean").parse::<f64>().unwrap(), analysis.arms[0].loss.mean);
    assert_eq!(cell(0, "verdict"), "better");
    assert_eq!(cell(2, "verdict"), "baseline");
    assert_eq!((cell(4, "verdict"), cell(4, "val_loss_mean"), cell(4, "diverged")), ("diverged", "", "3"));
    assert_eq!(cell(0, "sensitivity").parse::<f64>().unwrap(), analysis.arms[0].sensitivity());
    // This arm diverged at its highest rate. As in JSON, a value that isn't finite is left out.
    assert_eq!(cell(1, "sensitivity"), "");

    let markdown = table(&analysis).markdown(Language::En);
    let widths: Vec<usize> =
        markdown.lines().map(|line| line.replace("\\|", "").matches('|').count()).collect();
    assert_eq!(widths.len(), 2 + analysis.arms.len());
    assert!(widths.iter().all(|width| *width == widths[0]), "{markdown}");
    assert!(markdown.contains("| glu:leaky\\_relu | "), "{markdown}");
    assert!(markdown.contains("| diverged | - | - | - | - |"), "{markdown}");
}

#[test]
fn the_report_and_its_controls_work_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut check) = script(&folder, "check_report.py") else { return };
    write(&folder, "report.html", &report(&hostile()));
    let output = check.arg("report.html").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    // Exit code 77 means that the script found no browser.
    if output.status.code() == Some(77) {
        eprintln!("skipped: {said}");
        return;
    }
    assert!(output.status.success(), "{said}");
    assert_eq!(said, "5 arms, 5 charts\n");
}
