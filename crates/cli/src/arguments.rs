//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands;
use crate::config::FILE_VARIABLE;
use crate::output::Format;

/// Settle metered energy on an Ethereum chain, so that nobody has to believe the party that pays
///
/// Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 refused or a difference found,
/// 2 wrong command line or configuration, 3 a file, port or endpoint is not as needed, 101 a bug.
#[derive(Debug, Parser)]
#[command(name = "gridtally", version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Form of the result
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORM",
        help_heading = "Every command"
    )]
    pub(crate) output: Format,
    /// Configuration file [default: gridtally.toml in the working folder, where there is one]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = FILE_VARIABLE,
        hide_env_values = true,
        help_heading = "Every command"
    )]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One variant for each file of `commands/`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(commands::demo::Arguments),
    Init(commands::init::Arguments),
    Import(commands::import::Arguments),
    Settle(commands::settle::Arguments),
    Verify(commands::verify::Arguments),
    Watch(commands::watch::Arguments),
    Schedule(commands::schedule::Arguments),
    Dispatch(commands::dispatch::Arguments),
    Export(commands::export::Arguments),
    Erase(commands::erase::Arguments),
    Claim(commands::claim::Arguments),
    Chain(commands::chain::Arguments),
    Cost(commands::cost::Arguments),
    Bench(commands::bench::Arguments),
    Conformance(commands::conformance::Arguments),
    Completions(commands::completions::Arguments),
    #[command(hide = true)]
    Reference(commands::reference::Arguments),
}

/// Reads the name of a file to draw into.
pub(crate) fn svg_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_svg = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
    is_svg.then_some(path).ok_or_else(|| {
        "pictures are drawn as SVG: give a name that ends in .svg; rsvg-convert makes other formats of it".to_owned()
    })
}

/// Reads a relative gap.
pub(crate) fn gap(text: &str) -> Result<f64, String> {
    let is_gap = |gap: &f64| (0.0..=1.0).contains(gap);
    text.parse()
        .ok()
        .filter(is_gap)
        .ok_or_else(|| "give a number from 0 to 1, such as 0.0001".to_owned())
}
