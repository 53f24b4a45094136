//! One file for each command.

pub(crate) mod bench;
pub(crate) mod chain;
pub(crate) mod claim;
pub(crate) mod completions;
pub(crate) mod conformance;
pub(crate) mod cost;
pub(crate) mod demo;
pub(crate) mod dispatch;
pub(crate) mod erase;
pub(crate) mod export;
mod export_section;
pub(crate) mod import;
pub(crate) mod init;
mod order;
pub(crate) mod reference;
pub(crate) mod schedule;
pub(crate) mod settle;
pub(crate) mod verify;
mod verify_proof;
mod verify_section;
pub(crate) mod watch;

use std::path::PathBuf;

use gridtally_aggregator::store::StoreError;

use crate::arguments::Command;
use crate::config::Settings;
use crate::context::Context;
use crate::error::CommandError;

/// Runs a command.
///
/// # Errors
///
/// Why it ended early; the kind of the error is the exit code.
pub(crate) fn run(command: Command, context: &Context) -> Result<(), CommandError> {
    match command {
        Command::Demo(arguments) => demo::run(&arguments, context),
        Command::Init(arguments) => init::run(&arguments, context),
        Command::Import(arguments) => import::run(&arguments, context),
        Command::Settle(arguments) => settle::run(&arguments, context),
        Command::Verify(arguments) => verify::run(&arguments, context),
        Command::Watch(arguments) => watch::run(&arguments, context),
        Command::Schedule(arguments) => schedule::run(&arguments, context),
        Command::Dispatch(arguments) => dispatch::run(&arguments, context),
        Command::Export(arguments) => export::run(&arguments, context),
        Command::Erase(arguments) => erase::run(&arguments, context),
        Command::Claim(arguments) => claim::run(&arguments, context),
        Command::Chain(arguments) => chain::run(&arguments, context),
        Command::Cost(arguments) => cost::run(&arguments, context),
        Command::Bench(arguments) => bench::run(&arguments, context),
        Command::Conformance(arguments) => conformance::run(&arguments, context),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Reference(arguments) => reference::run(&arguments, context),
    }
}

/// Which store a command works on.
#[derive(Debug, clap::Args)]
pub(crate) struct StoreArguments {
    /// Folder of the store [default: gridtally-store, or store.folder of the configuration]
    #[arg(long, value_name = "FOLDER")]
    store: Option<PathBuf>,
}

impl StoreArguments {
    /// Puts the flag above the other settings.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        if let Some(folder) = &self.store {
            settings.set_flag("store.folder", "--store", folder.display().to_string());
        }
    }
}

/// Says whose fault a failed operation on the store is.
pub(crate) fn store_error(error: StoreError) -> CommandError {
    match error {
        StoreError::NotAStore { .. }
        | StoreError::Locked { .. }
        | StoreError::Io { .. }
        | StoreError::Interrupted => CommandError::environment(error),
        _ => CommandError::refused(error),
    }
}
