//! Households that share a transformer.

use std::collections::BTreeSet;

use crate::bounds::{Checked, MAGNITUDE_MAX, length, name, within_count, within_each};
use crate::household::Household;
use crate::refusal::{ProblemReason, ProblemRefused};

/// Most households behind one transformer.
pub const HOUSEHOLDS_MAX: usize = 5_000;
/// Most steps of all households together.
const STEPS_TOGETHER_MAX: usize = 4_000_000;
/// Most feeders of one transformer.
pub const FEEDERS_MAX: usize = 100;

/// Most that may flow towards households through a part of the grid.
#[derive(Debug, Clone, PartialEq)]
pub struct GridLimit {
    /// What it is called.
    pub name: String,
    /// Net power in each step, kW; `limit_kw.len() == steps`.
    pub limit_kw: Vec<f64>,
}

/// Households that are alike: each plans for itself, all of them what one of them may.
#[derive(Debug, Clone, PartialEq)]
pub struct Members {
    /// What each is called, with its number where there are several.
    pub name: String,
    /// One of them.
    pub household: Household,
    /// How many there are.
    pub count: usize,
    /// The feeder that they are on, by number.
    pub feeder: Option<usize>,
}

/// What a neighborhood is, before it is checked.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighborhoodParts {
    /// Name of the problem.
    pub id: String,
    /// The currency of all households.
    pub currency: String,
    /// Most net power through the transformer in each step, kW.
    pub transformer_limit_kw: Vec<f64>,
    /// Its feeders.
    pub feeders: Vec<GridLimit>,
    /// The households.
    pub members: Vec<Members>,
}

/// Households with the same steps and currency, and limits for each step.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighborhood {
    id: String,
    currency: String,
    /// The transformer, then the feeders.
    limits: Vec<GridLimit>,
    members: Vec<Members>,
}

impl Neighborhood {
    /// Returns the neighborhood, checked.
    ///
    /// # Errors
    ///
    /// Returns the first field that cannot be.
    pub fn new(parts: NeighborhoodParts) -> Result<Self, ProblemRefused> {
        name("name", &parts.id)?;
        name("currency", &parts.currency)?;
        within_count("household", parts.members.len(), 1, HOUSEHOLDS_MAX)?;
        check_members(&parts)?;
        let steps = parts.members[0].household.horizon.steps();
        let households: usize = parts.members.iter().map(|members| members.count).sum();
        if households * steps > STEPS_TOGETHER_MAX {
            let message = format!(
                "{households} households of {steps} steps are too many: at most {STEPS_TOGETHER_MAX} steps together"
            );
            return Err(ProblemRefused::new("household", ProblemReason::Malformed { message }));
        }
        let limit = |path: &str, limit_kw: &[f64]| {
            length(path, limit_kw.len(), steps)?;
            within_each(path, limit_kw, 0.0, MAGNITUDE_MAX)
        };
        limit("transformer_limit_kw", &parts.transformer_limit_kw)?;
        within_count("feeder", parts.feeders.len(), 0, FEEDERS_MAX)?;
        let mut names = BTreeSet::from(["transformer"]);
        for (f, feeder) in parts.feeders.iter().enumerate() {
            name(&format!("feeder[{f}].name"), &feeder.name)?;
            unique(&mut names, &format!("feeder[{f}].name"), &feeder.name)?;
            limit(&format!("feeder[{f}].limit_kw"), &feeder.limit_kw)?;
        }
        let transformer =
            GridLimit { name: "transformer".to_owned(), limit_kw: parts.transformer_limit_kw };
        let limits = std::iter::once(transformer).chain(parts.feeders).collect();
        Ok(Self { id: parts.id, currency: parts.currency, limits, members: parts.members })
    }

    /// Returns the name of the problem.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the currency of all households.
    #[must_use]
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// Returns the limits: the transformer's, then one for each feeder.
    #[must_use]
    pub fn limits(&self) -> &[GridLimit] {
        &self.limits
    }

    /// Returns the households, those that are alike together.
    #[must_use]
    pub fn members(&self) -> &[Members] {
        &self.members
    }

    /// Returns how many households there are.
    #[must_use]
    pub fn households(&self) -> usize {
        self.members.iter().map(|members| members.count).sum()
    }

    /// Returns how many steps there are.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.members[0].household.horizon.steps()
    }

    /// Returns the length of a step, h.
    #[must_use]
    pub fn step_h(&self) -> f64 {
        self.members[0].household.horizon.step_h()
    }

    /// Returns the limits that members are behind, by number.
    pub(super) fn behind(&self, members: usize) -> impl Iterator<Item = usize> + use<> {
        std::iter::once(0).chain(self.members[members].feeder.map(|feeder| feeder + 1))
    }
}

fn check_members(parts: &NeighborhoodParts) -> Checked {
    let first = &parts.members[0].household;
    let mut names = BTreeSet::new();
    let mut households = 0_usize;
    for (i, members) in parts.members.iter().enumerate() {
        let path = format!("household[{i}]");
        name(&format!("{path}.name"), &members.name)?;
        unique(&mut names, &format!("{path}.name"), &members.name)?;
        within_count(&format!("{path}.count"), members.count, 1, HOUSEHOLDS_MAX)?;
        households += members.count;
        within_count(&format!("{path}.count"), households, 1, HOUSEHOLDS_MAX)?;
        if let Some(feeder) = members.feeder {
            within_count(&format!("{path}.feeder"), feeder + 1, 1, parts.feeders.len())?;
        }
        let (horizon, expected) = (&members.household.horizon, &first.horizon);
        let same = |what: &str, found: String, expected: String| {
            if found == expected {
                return Ok(());
            }
            let message = format!("its {what} is {found}, that of the others is {expected}");
            Err(ProblemRefused::new(&path, ProblemReason::Malformed { message }))
        };
        let resolution = |minutes: u32| format!("{minutes} min");
        same("currency", members.household.currency.clone(), parts.currency.clone())?;
        same("start", horizon.start.to_string(), expected.start.to_string())?;
        same(
            "resolution",
            resolution(horizon.resolution_min),
            resolution(expected.resolution_min),
        )?;
        same("number of steps", horizon.steps().to_string(), expected.steps().to_string())?;
    }
    Ok(())
}

fn unique<'a>(names: &mut BTreeSet<&'a str>, path: &str, found: &'a str) -> Checked {
    if names.insert(found) {
        return Ok(());
    }
    let message = format!("{found:?} is also the name of another; give each a name of its own");
    Err(ProblemRefused::new(path, ProblemReason::Malformed { message }))
}
