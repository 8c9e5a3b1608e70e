//! `tinygpt report`

use super::text::shown;
use crate::compare::{Analysis, Comparison, Results, evaluate, load};
use crate::files::replace;
use crate::input_error;
use crate::report::{charts, csv, markdown, page, png};
use anyhow::Result;
use clap::Args;
use serde_json::Value;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "Example: tinygpt report runs/compare --plot figures")]
pub struct ReportArgs {
    /// Directory of a comparison, finished or still running
    #[arg(value_name = "DIR", default_value = "runs/compare")]
    directory: PathBuf,
    /// Write the charts as SVG and PNG, and the table as CSV and Markdown, to a directory
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
}

pub fn run(args: &ReportArgs) -> Result<()> {
    let comparison = load(&args.directory)?;
    let analysis = evaluate(&args.directory, &comparison, &Results::open(&args.directory)?);
    if let Some(folder) = &args.plot {
        plot(folder, &analysis)?;
    }
    say!("{}", shown(&write(&args.directory, &comparison, &analysis)?))?;
    Ok(())
}

/// Writes the report of a comparison into its directory.
pub fn write(directory: &Path, comparison: &Comparison, analysis: &Analysis) -> Result<PathBuf> {
    let title = format!("Activations on {}", analysis.data);
    let path = directory.join("report.html");
    replace(&path, page(&title, analysis, &settings(comparison), &comparison.command).as_bytes())?;
    Ok(path)
}

/// Writes the charts and tables of a comparison into a directory of the user's.
pub fn plot(folder: &Path, analysis: &Analysis) -> Result<()> {
    write_charts(folder, &charts(analysis))?;
    replace(&folder.join("table.csv"), csv(analysis).as_bytes())?;
    replace(&folder.join("table.md"), markdown(analysis).as_bytes())?;
    note!("wrote {}", folder.display());
    Ok(())
}

/// Writes charts, each with the stem of its file's name, into a directory as SVG and PNG.
pub fn write_charts(folder: &Path, charts: &[(String, String)]) -> Result<()> {
    std::fs::create_dir_all(folder)
        .map_err(|error| input_error!("cannot create {}: {error}", folder.display()))?;
    for (name, svg) in charts {
        replace(&folder.join(format!("{name}.png")), &png(svg)?)?;
        replace(&folder.join(format!("{name}.svg")), svg.as_bytes())?;
    }
    Ok(())
}

/// What all runs had in common, as flags are called.
fn settings(comparison: &Comparison) -> Vec<(String, String)> {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), String::from);
    let own = ["act", "seed", "threads", "keep"];
    let settings = comparison.settings.to_map();
    let common = settings.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let mut rows: Vec<(String, String)> = common.map(|(name, value)| (name.clone(), shown(value))).collect();
    let design = &comparison.design;
    let seeds: Vec<String> = design.seeds.iter().map(u64::to_string).collect();
    rows.push(("seeds".to_string(), seeds.join(", ")));
    rows.push(("matched".to_string(), shown(&serde_json::json!(design.matching))));
    if design.match_init {
        let scale = |arm: &crate::compare::ArmDesign| Some(format!("{} {}", arm.act, arm.ffn_init_scale?));
        let scales: Vec<String> = design.arms.iter().filter_map(scale).collect();
        rows.push(("ffn-init-scale".to_string(), scales.join(", ")));
    }
    rows.push(("version".to_string(), env!("CARGO_PKG_VERSION").to_string()));
    rows
}
