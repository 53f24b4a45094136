//! A neighborhood as a person writes it: TOML that names the files of its households.

use std::path::{Component, Path};

use serde::Deserialize;
use toml::de::DeTable;

use super::problem::{GridLimit, Members, Neighborhood, NeighborhoodParts};
use crate::household::Household;
use crate::lines;
use crate::refusal::{ProblemReason, ProblemRefused};
use crate::written::Values;

/// A neighborhood whose households are not read yet.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighborhoodDocument {
    name: String,
    currency: String,
    transformer_limit_kw: Values,
    #[serde(default)]
    feeder: Vec<FeederEntry>,
    #[serde(default)]
    household: Vec<HouseholdEntry>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeederEntry {
    name: String,
    limit_kw: Values,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct HouseholdEntry {
    file: String,
    /// What the file calls it where nothing is said.
    name: Option<String>,
    #[serde(default = "one")]
    count: usize,
    feeder: Option<String>,
}

const fn one() -> usize {
    1
}

impl NeighborhoodDocument {
    /// Returns whether a text names households, and so is a neighborhood and not a fleet of devices.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        DeTable::parse(text).is_ok_and(|root| root.get_ref().contains_key("household"))
    }

    /// Reads the text. Files of households are named from the folder of the text on, and lie in it.
    ///
    /// # Errors
    ///
    /// Returns the line where the text is not what the form asks for, or the first file that is not named so.
    pub fn read(text: &str) -> Result<Self, ProblemRefused> {
        let document: Self = lines::read(text, &[])?;
        for (i, entry) in document.household.iter().enumerate() {
            let is_inside = Path::new(&entry.file)
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
            if !is_inside || entry.file.is_empty() {
                let found = entry.file.chars().take(100).collect::<String>();
                let message = format!("{found:?} is not a file in the folder of the neighborhood");
                let path = format!("household[{i}].file");
                return Err(ProblemRefused::new(path, ProblemReason::Malformed { message }));
            }
        }
        Ok(document)
    }

    /// Returns the file of each entry, in order; one may be named several times.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.household.iter().map(|entry| entry.file.as_str())
    }

    /// Returns the neighborhood, given the household of each entry.
    ///
    /// # Errors
    ///
    /// Returns the first field that cannot be.
    pub fn with(self, households: Vec<Household>) -> Result<Neighborhood, ProblemRefused> {
        let Some(first) = households.first() else {
            let message = "there is no household".to_owned();
            return Err(ProblemRefused::new("household", ProblemReason::Malformed { message }));
        };
        let (steps, resolution_min) = (first.horizon.steps(), first.horizon.resolution_min);
        let series = |path: &str, values: &Values| values.of_steps(path, steps, resolution_min);
        let feeder = |(f, entry): (usize, &FeederEntry)| {
            let limit_kw = series(&format!("feeder[{f}].limit_kw"), &entry.limit_kw)?;
            Ok(GridLimit { name: entry.name.clone(), limit_kw })
        };
        let feeders = self.feeder.iter().enumerate().map(feeder).collect::<Result<Vec<_>, _>>()?;
        let member = |(i, (entry, household)): (usize, (HouseholdEntry, Household))| {
            let number = |feeder: String| {
                feeders.iter().position(|other| other.name == feeder).ok_or_else(|| {
                    let message = format!("there is no feeder called {feeder:?}");
                    let path = format!("household[{i}].feeder");
                    ProblemRefused::new(path, ProblemReason::Malformed { message })
                })
            };
            Ok(Members {
                name: entry.name.unwrap_or_else(|| household.id.clone()),
                feeder: entry.feeder.map(number).transpose()?,
                count: entry.count,
                household,
            })
        };
        let entries = self.household.into_iter().zip(households).enumerate();
        let members = entries.map(member).collect::<Result<Vec<_>, _>>()?;
        Neighborhood::new(NeighborhoodParts {
            id: self.name,
            currency: self.currency,
            transformer_limit_kw: series("transformer_limit_kw", &self.transformer_limit_kw)?,
            feeders,
            members,
        })
    }
}
