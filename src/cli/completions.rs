//! `tinygpt completions`

use anyhow::Result;
use clap::{Args, Command};
use clap_complete::Shell;
use std::io::Write;

#[derive(Args)]
#[command(
    after_help = "Example: tinygpt completions bash > ~/.local/share/bash-completion/completions/tinygpt"
)]
pub struct CompletionsArgs {
    shell: Shell,
}

/// Prints the completions of `command`, the whole command line.
pub fn run(args: &CompletionsArgs, command: &mut Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "tinygpt", &mut script);
    Ok(std::io::stdout().write_all(&script)?)
}
