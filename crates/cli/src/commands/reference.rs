//! `gridtally reference` (hidden): the pages of `docs/reference/` that are generated from the program.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::{Command, CommandFactory, ValueEnum};

use crate::config::{DEFAULTS, variable_name};
use crate::context::Context;
use crate::error::CommandError;

/// Print a generated page of the reference
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The page
    #[arg(value_enum)]
    page: Page,
}

/// The generated pages.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Page {
    /// Every command and flag
    Cli,
    /// Every key and variable
    Config,
    /// Every refusal of contract, ledger, chain and runs
    Refusals,
}

pub(crate) fn run(arguments: &Arguments, _: &Context) -> Result<(), CommandError> {
    let page = match arguments.page {
        Page::Cli => cli(),
        Page::Config => config(),
        Page::Refusals => crate::explained::page(),
    };
    Ok(std::io::stdout().lock().write_all(page.as_bytes())?)
}

/// Returns the help of every command, as `--help` prints it; what every command has stands once, at the top.
fn cli() -> String {
    let mut page = String::from(
        "# Commands\n\nThis page is what `gridtally --help` and `gridtally COMMAND --help` print; a test keeps it so \
         (`UPDATE_EXPECT=1`\nrewrites it).\n",
    );
    let mut command = crate::arguments::Arguments::command().term_width(100);
    command.build();
    write_help(&mut page, "gridtally", &mut command);
    write_subcommands(&mut page, "gridtally", &mut command);
    page
}

fn write_subcommands(page: &mut String, parent: &str, command: &mut Command) {
    let is_shown = |command: &Command| !command.is_hide_set() && command.get_name() != "help";
    for command in command.get_subcommands_mut().filter(|command| is_shown(command)) {
        let name = format!("{parent} {}", command.get_name());
        let hide = |argument: clap::Arg| {
            let hidden = argument.is_global_set();
            argument.hide(hidden)
        };
        *command = std::mem::take(command).mut_args(hide);
        write_help(page, &name, command);
        write_subcommands(page, &name, command);
    }
}

fn write_help(page: &mut String, name: &str, command: &mut Command) {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    write!(page, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n")).expect("a text has room");
}

/// Returns every key with its default, its variable and its comment.
fn config() -> String {
    let mut page = String::from(
        "# Configuration\n\nEvery setting has a committed default. A file (`--config FILE`, the variable \
         `GRIDTALLY_CONFIG`, or\n`gridtally.toml` in the working folder) gives what differs; variables stand above the \
         file, flags above both. Unknown keys\nand bad values are refused with the place where they were given. \
         `gridtally init` writes a file to start from.\n\nThis page is written from \
         `crates/cli/src/config/default.toml`; a test keeps it so (`UPDATE_EXPECT=1` rewrites it).\n",
    );
    let (mut section, mut comment) = ("", String::new());
    for line in DEFAULTS.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            comment.clear();
            write!(page, "\n## {section}\n\n| Key | Default | Variable | Meaning |\n| --- | --- | --- | --- |\n")
                .expect("a text has room");
        } else if let Some(text) = line.strip_prefix("# ") {
            comment =
                if comment.is_empty() { text.to_owned() } else { format!("{comment} {text}") };
        } else if let Some((key, value)) = line.split_once(" = ") {
            let variable = variable_name(&format!("{section}.{key}"));
            writeln!(page, "| `{key}` | `{value}` | `{variable}` | {comment} |")
                .expect("a text has room");
            comment.clear();
        } else {
            comment.clear();
        }
    }
    page
}
