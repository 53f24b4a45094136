//! One file for each command.

pub(crate) mod bench;
pub(crate) mod chain;
pub(crate) mod completions;
pub(crate) mod conformance;
pub(crate) mod cost;
pub(crate) mod reference;

use crate::arguments::Command;
use crate::context::Context;
use crate::error::CommandError;

/// Runs a command.
///
/// # Errors
///
/// Why it ended early; the kind of the error is the exit code.
pub(crate) fn run(command: Command, context: &Context) -> Result<(), CommandError> {
    match command {
        Command::Bench(arguments) => bench::run(&arguments, context),
        Command::Chain(arguments) => chain::run(&arguments, context),
        Command::Conformance(arguments) => conformance::run(&arguments, context),
        Command::Cost(arguments) => cost::run(&arguments, context),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Reference(arguments) => reference::run(&arguments, context),
    }
}
