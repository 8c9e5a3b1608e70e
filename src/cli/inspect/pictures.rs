//! An inspection as files: a page and charts.

use super::InspectArgs;
use crate::bail_input;
use crate::cli::report::write_charts;
use crate::cli::text::command_line;
use crate::files::replace;
use crate::report::{Findings, Language, inspection_charts, inspection_page};
use anyhow::Result;
use std::path::Path;

/// Refuses places where no file can be, before anything is computed.
pub fn check(args: &InspectArgs) -> Result<()> {
    if let Some(path) = &args.html {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if path.is_dir() || !folder.is_dir() {
            bail_input!("--html {}: name a file in a directory that exists", path.display());
        }
    }
    match &args.plot {
        Some(folder) if folder.exists() && !folder.is_dir() => {
            bail_input!("--plot {} is no directory", folder.display())
        }
        _ => Ok(()),
    }
}

/// Writes what `--html` and `--plot` ask for.
pub fn write(args: &InspectArgs, findings: &Findings) -> Result<()> {
    if let Some(folder) = &args.plot {
        write_charts(folder, &inspection_charts(findings))?;
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
