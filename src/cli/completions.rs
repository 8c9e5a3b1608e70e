//! `tinygpt completions`

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

#[derive(Args)]
#[command(
    after_help = "Example: tinygpt completions bash > ~/.local/share/bash-completion/completions/tinygpt"
)]
pub struct CompletionsArgs {
    shell: Shell,
}

pub fn run(args: &CompletionsArgs) -> Result<()> {
    clap_complete::generate(args.shell, &mut super::Cli::command(), "tinygpt", &mut std::io::stdout());
    Ok(())
}
