//! `tinygpt report`

use super::outputs::{Inputs, check_folder, write_files};
use super::text::{plain, shown};
use crate::lab::compare::{Analysis, Comparison, REPORT, Results, claim_report, evaluate, load, newest};
use crate::report::Language;
use crate::report::comparison::{charts, page, table};
use crate::settings::Settings;
use crate::support::files::replace;
use anyhow::Result;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "Example: tinygpt report runs/compare --plot figures")]
pub struct ReportArgs {
    /// Directory of the comparison [default: the newest one in runs/]
    ///
    /// The comparison may still be running.
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Also write the charts as SVG and the table as CSV and Markdown to this directory
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
    /// Language of the report
    #[arg(long, value_name = "LANG", default_value = "en")]
    lang: Language,
    /// Replace files even if tinygpt didn't write them
    #[arg(long)]
    force: bool,
}

pub fn run(args: &ReportArgs) -> Result<()> {
    let directory = match &args.directory {
        Some(directory) => directory.clone(),
        None => newest()?,
    };
    let comparison = load(&directory)?;
    claim_report(&directory, args.force)?;
    args.plot.as_deref().map_or(Ok(()), |folder| check_folder("--plot", folder))?;
    let analysis = evaluate(&directory, &comparison, &Results::open(&directory, &comparison)?)?;
    if let Some(folder) = &args.plot {
        plot(folder, &analysis, &Inputs::default().path("the comparison", Some(&directory)), args.force)?;
    }
    say!("{}", shown(&write(&directory, &comparison, &analysis, args.lang)?))?;
    Ok(())
}

/// Writes the report of a comparison into its directory.
pub fn write(
    directory: &Path,
    comparison: &Comparison,
    analysis: &Analysis,
    language: Language,
) -> Result<PathBuf> {
    let path = directory.join(REPORT);
    replace(&path, page(analysis, &settings(comparison), &comparison.command, language).as_bytes())?;
    Ok(path)
}

/// Writes the charts and tables of a comparison into the directory that --plot names.
pub fn plot(folder: &Path, analysis: &Analysis, inputs: &Inputs, force: bool) -> Result<()> {
    let mut files = chart_files(charts(analysis));
    let table = table(analysis);
    files.push(("table.csv".to_string(), table.csv().into_bytes()));
    files.push(("table.md".to_string(), table.markdown(Language::En).into_bytes()));
    write_files("--plot", folder, &files, inputs, force)?;
    note!("wrote {}", folder.display());
    Ok(())
}

/// SVG files of charts, given as file stem and SVG.
pub fn chart_files(charts: Vec<(String, String)>) -> Vec<(String, Vec<u8>)> {
    charts.into_iter().map(|(stem, svg)| (format!("{stem}.svg"), svg.into_bytes())).collect()
}

/// Settings by the names of their flags, without those that each run has of its own, and tinygpt's version.
pub fn common_settings(settings: &Settings, own: &[&str]) -> Vec<(String, String)> {
    let mut settings = settings.to_map();
    settings.retain(|name, _| !own.contains(&name.as_str()));
    settings.insert("version".to_string(), env!("CARGO_PKG_VERSION").into());
    settings.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
}

/// The settings that all runs share.
fn settings(comparison: &Comparison) -> Vec<(String, String)> {
    let design = &comparison.design;
    let own = ["act", "seed", "threads", "keep"].into_iter().chain(design.keys.iter().map(String::as_str));
    let mut rows = common_settings(&comparison.settings, &own.collect::<Vec<_>>());
    let seeds: Vec<String> = design.seeds.iter().map(u64::to_string).collect();
    rows.push(("seeds".to_string(), seeds.join(", ")));
    rows.push(("matched".to_string(), plain(&serde_json::json!(design.matching))));
    if design.match_init {
        let scale =
            |arm: &crate::lab::compare::ArmDesign| Some(format!("{} {}", arm.variant, arm.ffn_init_scale?));
        let scales: Vec<String> = design.arms.iter().filter_map(scale).collect();
        rows.push(("ffn-init-scale".to_string(), scales.join(", ")));
    }
    rows
}
