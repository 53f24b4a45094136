//! `gridtally init`: a configuration and an empty store.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use gridtally_aggregator::store::{Settings, Store};
use serde::Serialize;

use crate::commands::{StoreArguments, store_error};
use crate::config::FILE_NAME;
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::output::Report;

/// Create a configuration and an empty store
///
/// The store keeps its currency, time zone and settlement calendar for ever; everything else can be changed in the
/// configuration later.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// Currency of all money, three capital letters [default: EUR, or store.currency]
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// Time zone of the market, an IANA name [default: Europe/Oslo, or market.zone]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Slots of a settlement period: 24, 48, 96 and 144 of a day are 60, 30, 15 and 10 minutes [default: 96]
    #[arg(long, value_name = "COUNT")]
    slots: Option<u16>,
}

/// What was made.
#[derive(Debug, Serialize)]
struct InitReport {
    configuration: PathBuf,
    /// Whether the configuration was there before.
    configuration_kept: bool,
    store: PathBuf,
    /// What further commands need to find the store.
    #[serde(skip)]
    store_flag: String,
    settings: Settings,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let given = context.config_file();
    let mut settings = context.settings()?;
    arguments.store.apply(&mut settings);
    if let Some(currency) = &arguments.currency {
        settings.set_flag("store.currency", "--currency", currency.as_str());
    }
    if let Some(zone) = &arguments.zone {
        settings.set_flag("market.zone", "--zone", zone.as_str());
    }
    if let Some(slots) = arguments.slots {
        settings.set_flag("settlement.slots_per_period", "--slots", i64::from(slots));
    }
    let config = crate::config::Config::new(&settings).or_usage()?;
    let store = Settings::new(config.currency, config.zone, config.calendar);
    drop(Store::create(&config.store_folder, &store, context.now()).map_err(store_error)?);
    let configuration = given.clone().unwrap_or_else(|| PathBuf::from(FILE_NAME));
    if given.is_none() {
        write_new(&configuration, &settings.to_file())
            .with_context(|| format!("cannot write {}", configuration.display()))
            .or_environment()?;
    }
    context.output.report(&InitReport {
        configuration,
        configuration_kept: given.is_some(),
        // A new configuration names the store; one that was kept may name another.
        store_flag: match given {
            Some(_) => format!(" --store {}", config.store_folder.display()),
            None => String::new(),
        },
        store: config.store_folder,
        settings: store,
    })
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = fs::File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all().map_err(|error| anyhow!(error))
}

impl Report for InitReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Settings { currency, zone, calendar, .. } = &self.settings;
        let kept = if self.configuration_kept { ", as it was" } else { "" };
        writeln!(out, "Configuration  {}{kept}", self.configuration.display())?;
        writeln!(
            out,
            "Store          {}: {currency}, {}, {} slots of {} s",
            self.store.display(),
            zone.name(),
            calendar.slots_per_period(),
            calendar.slot_length_s()
        )?;
        writeln!(out, "\nNext:")?;
        for (what, command) in [
            ("who takes part", "gridtally import participants FILE.toml"),
            ("what energy costs", "gridtally import tariff FILE.toml"),
            ("market prices", "gridtally import prices FILE... --help"),
            ("meter readings", "gridtally import readings FILE... --help"),
            ("records on the chain", "gridtally settle --from DAY --until DAY"),
        ] {
            writeln!(out, "  {what:<22}{command}{}", self.store_flag)?;
        }
        Ok(())
    }
}
