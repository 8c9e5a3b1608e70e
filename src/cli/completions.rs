//! `tinygpt completions`

use anyhow::Result;
use clap::Args;
use clap_complete::Shell;
use std::io::Write;

#[derive(Args)]
#[command(
    after_help = "Example: tinygpt completions bash > ~/.local/share/bash-completion/completions/tinygpt"
)]
pub struct CompletionsArgs {
    shell: Shell,
}

pub fn run(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command::command()?, "tinygpt", &mut script);
    Ok(std::io::stdout().write_all(&script)?)
}
