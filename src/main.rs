//! The program: runs the command line and turns errors into one line and an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    match tinygpt::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough of it.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tinygpt::cli::tell(&error);
            ExitCode::from(tinygpt::support::failure::exit_code(&error))
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
