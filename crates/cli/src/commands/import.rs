//! `gridtally import`: files of meters, markets and people into the store.

mod columns;
mod documents;
mod prices;
mod readings;
mod report;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;

/// Import readings, prices, participants or a tariff into the store
///
/// A file is imported as a whole or not at all. Every refused row is named with file, line, column, value, reason and
/// remedy; docs/reference/rejections.md lists the reasons.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

/// What the files hold.
#[derive(Debug, Subcommand)]
enum What {
    Readings(readings::Arguments),
    Prices(prices::Arguments),
    Participants(documents::Participants),
    Tariff(documents::Tariff),
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    match &arguments.what {
        What::Readings(arguments) => readings::run(arguments, context),
        What::Prices(arguments) => prices::run(arguments, context),
        What::Participants(arguments) => documents::participants(arguments, context),
        What::Tariff(arguments) => documents::tariff(arguments, context),
    }
}
