//! An inspection as files: a page and charts.

use super::args::InspectArgs;
use crate::cli::outputs::{Inputs, check_file, check_folder, write_files};
use crate::cli::report::chart_files;
use crate::cli::text::command_line;
use crate::report::{Findings, Language, inspection_charts, inspection_page};
use crate::run::checkpoint::load_trainer;
use crate::run::{find_checkpoint, newest_checkpoint};
use crate::support::files::replace;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Refuses places where no file can be written, before anything is computed.
pub fn check(args: &InspectArgs) -> Result<()> {
    if let Some(path) = &args.html {
        check_file("--html", path, &inputs(args), args.force)?;
    }
    args.plot.as_deref().map_or(Ok(()), |folder| check_folder("--plot", folder))
}

/// Writes what `--html` and `--plot` ask for.
pub fn write(args: &InspectArgs, findings: &Findings) -> Result<()> {
    if let Some(folder) = &args.plot {
        let charts = chart_files(inspection_charts(findings));
        write_files("--plot", folder, &charts, &inputs(args), args.force)?;
        note!("wrote {}", folder.display());
    }
    if let Some(path) = &args.html {
        let command = command_line();
        let findings = Findings { command: &command, ..*findings };
        replace(path, inspection_page(&findings, args.lang.unwrap_or(Language::En)).as_bytes())?;
        note!("wrote {}", path.display());
    }
    Ok(())
}

/// What an inspection reads: a checkpoint and the text of its run, unless other things are named.
fn inputs(args: &InspectArgs) -> Inputs {
    let is_trained = args.model.is_none() && !args.init_only;
    let checkpoint = match &args.checkpoint {
        Some(name) => find_local_checkpoint(name),
        None if is_trained => newest_checkpoint().ok(),
        None => None,
    };
    let run = checkpoint.as_deref().and_then(|checkpoint| load_trainer(checkpoint).ok());
    let text = run.and_then(|run| run.settings.val_data.or(run.settings.data));
    Inputs::default()
        .path("--checkpoint", checkpoint)
        .path("--model", args.model.as_ref())
        .text("--data", args.data.as_deref().or(text.as_deref()))
}

fn find_local_checkpoint(name: &Path) -> Option<PathBuf> {
    if name.to_string_lossy().starts_with("hf:") { None } else { find_checkpoint(name).ok() }
}
