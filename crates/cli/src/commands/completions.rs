//! `gridtally completions`: what shells complete.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::error::CommandError;

/// Print the completions of a shell
///
/// Example: `gridtally completions bash > ~/.local/share/bash-completion/completions/gridtally`
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let mut script = Vec::new();
    let mut command = crate::arguments::Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "gridtally", &mut script);
    Ok(std::io::stdout().lock().write_all(&script)?)
}
