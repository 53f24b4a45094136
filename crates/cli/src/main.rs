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
use std::thread;

use clap::Parser;

use crate::arguments::Arguments;
use crate::context::Context;

/// The chain's engine needs deep stacks: the system's default is too small for it.
const STACK_BYTES: usize = 16 << 20;

/// What a panic ends with: a bug of ours.
const BUG: u8 = 101;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are results; a reader that left is none of our business.
            error.print().unwrap_or_default();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let worker = thread::Builder::new().name("command".to_owned()).stack_size(STACK_BYTES);
    let worker = worker.spawn(move || run(arguments)).expect("the system has room for a thread");
    worker.join().unwrap_or(ExitCode::from(BUG))
}

fn run(arguments: Arguments) -> ExitCode {
    let context = Context::new(&arguments);
    match commands::run(arguments.command, &context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            context.output.error(&error);
            error.exit_code()
        }
    }
}
