//! The binary `gridtally`: arguments, configuration, output. It decides nothing about money.

mod address;
mod arguments;
mod batch_access;
mod blob_arguments;
mod chain_access;
mod commands;
mod config;
mod conformance;
mod context;
mod error;
mod explained;
mod input;
mod output;
mod progress;
mod stopwatch;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::{Format, Output};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && wants_json() => {
            let text = error.to_string();
            let message =
                text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
            let error = CommandError::usage(anyhow::anyhow!(message.replace('\n', " ")));
            Output { format: Format::Json }.error(&error);
            return error.exit_code();
        }
        Err(error) => {
            // Help and version are results; a reader that left is none of our business.
            error.print().unwrap_or_default();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let warnings = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::WARN.into())
        .from_env_lossy();
    // https://no-color.org: any value that is not empty.
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(warnings)
        .with_ansi(std::io::stderr().is_terminal() && !is_plain)
        .with_writer(std::io::stderr)
        .init();
    let context = Context::new(&arguments);
    match commands::run(arguments.command, &context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            context.output.error(&error);
            error.exit_code()
        }
    }
}

/// Returns whether the command line asks for JSON, although it cannot be understood.
fn wants_json() -> bool {
    let words: Vec<_> = std::env::args_os().collect();
    words.iter().any(|word| word == "--output=json")
        || words.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json")
}
