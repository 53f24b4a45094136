//! The binary `gridtally`: arguments, configuration, output. It decides nothing about money.

mod arguments;
mod chain_access;
mod commands;
mod config;
mod conformance;
mod context;
mod error;
mod input;
mod output;
mod progress;
mod stopwatch;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::context::Context;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are results; a reader that left is none of our business.
            error.print().unwrap_or_default();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let context = Context::new(&arguments);
    match commands::run(arguments.command, &context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            context.output.error(&error);
            error.exit_code()
        }
    }
}
