//! A scenario's data into a store.

use std::path::Path;

use gridtally_core::calendar::Zone;
use jiff::Timestamp;

use super::file::{Scenario, ScenarioError};
use crate::cycle::CycleProgress;
use crate::import::csv::Context;
use crate::import::{Format, Imported, Limits, Report, file};
use crate::store::{Added, ImportTerms, Store};

/// What a scenario's files gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filled {
    /// Each file, readings first.
    pub files: Vec<FilledFile>,
}

/// One file of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilledFile {
    /// How it was understood.
    pub report: Report,
    /// What became of its values.
    pub added: Added,
}

impl Scenario {
    /// Opens the store of the scenario in a folder, or creates it.
    ///
    /// # Errors
    ///
    /// [`ScenarioError::Calendar`], [`ScenarioError::OtherStore`] where the folder holds the store of something else,
    /// [`ScenarioError::Store`].
    pub fn open_store(&self, folder: &Path, now: Timestamp) -> Result<Store, ScenarioError> {
        let settings = self.settings()?;
        if !folder.join("store.toml").exists() {
            return Ok(Store::create(folder, &settings, now)?);
        }
        let store = Store::open(folder)?;
        let found = store.view().settings();
        let differing = [
            ("currency", found.currency != settings.currency),
            ("zone", found.zone != settings.zone),
            ("settlement calendar", found.calendar != settings.calendar),
        ];
        match differing.into_iter().find(|(_, differs)| *differs) {
            Some((what, _)) => Err(ScenarioError::OtherStore { what }),
            None => Ok(store),
        }
    }

    /// Adds everything that the scenario names to a store. Doing it again adds nothing.
    ///
    /// # Errors
    ///
    /// In the order of [`ScenarioError`], for one file after another. What came before is in the store.
    pub fn fill(
        &self,
        store: &mut Store,
        now: Timestamp,
        progress: &mut (dyn FnMut(CycleProgress) + Send),
    ) -> Result<Filled, ScenarioError> {
        let book = self.book()?;
        store.set_participants(&book, now)?;
        store.set_tariff(&self.tariff, now)?;
        let points = book.metering_points().iter().map(|point| point.id.clone());
        let mut sources = Vec::new();
        for source in &self.readings {
            for (file, label) in source.files(points.clone())? {
                sources.push((file, label, source));
            }
        }
        let total = (sources.len() + self.prices.len()) as u64;
        let mut filled = Filled::default();
        let mut step = |filled: &mut Filled, report: Report, added: Added| {
            filled.files.push(FilledFile { report, added });
            let done = filled.files.len() as u64;
            progress(CycleProgress { step: "importing", done, total });
        };
        for (name, label, source) in sources {
            let (layout, columns) = (source.table.layout(label)?, source.columns()?);
            let imported = self.import(&name, &Format::Readings { layout, columns }, now)?;
            let terms = ImportTerms { quality: source.quality, ..ImportTerms::default() };
            let added = store.add_imported(&name, &imported, terms, now)?;
            step(&mut filled, imported.report().clone(), added);
        }
        for source in &self.prices {
            let columns = source.columns()?;
            let layout = source.table.layout(source.label(&columns)?)?;
            let imported = self.import(&source.file, &Format::Prices { layout, columns }, now)?;
            let terms = ImportTerms::default();
            let added = store.add_imported(&source.file, &imported, terms, now)?;
            step(&mut filled, imported.report().clone(), added);
        }
        Ok(filled)
    }

    fn import(
        &self,
        name: &str,
        format: &Format,
        now: Timestamp,
    ) -> Result<Imported, ScenarioError> {
        import(&self.folder, name, format, &self.zone, now)
    }
}

/// Reads a data file of a scenario.
pub(in crate::scenario) fn import(
    folder: &Path,
    name: &str,
    format: &Format,
    zone: &Zone,
    now: Timestamp,
) -> Result<Imported, ScenarioError> {
    let context = Context {
        file: name.to_owned(),
        now,
        oldest: None,
        report_zone: zone.clone(),
        limits: Limits::default(),
    };
    Ok(file(&folder.join(name), format, &context)?)
}
