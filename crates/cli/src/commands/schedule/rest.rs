//! A household whose day has begun: what is left of it to plan.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use gridtally_schedule::household::{Household, HouseholdPlan, Measured, Rest};

use crate::error::{Blame, CommandError};
use crate::input::read_bounded;

/// Largest state that is read, in bytes after unpacking.
const STATE_BYTES_MAX: u64 = 4 << 20;

/// When it is, and what is measured.
#[derive(Debug, clap::Args)]
pub(super) struct NowArguments {
    /// Plan the rest, from this step on: a clock time such as 20:30, a date and time, or the number of a step
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// What is measured now: TOML as in examples/household-state.toml, or JSON with the same names where the name ends in .json
    #[arg(long, value_name = "FILE", requires = "now")]
    state: Option<PathBuf>,
    /// Plan the whole, and write the state that this plan leads to now into this file, to be filled in with what is measured
    #[arg(long, value_name = "FILE.toml", requires = "now", conflicts_with = "state", value_parser = toml_file)]
    write_state: Option<PathBuf>,
}

impl NowArguments {
    /// Returns whether only the rest is asked for.
    pub(super) const fn is_given(&self) -> bool {
        self.now.is_some()
    }

    /// Returns what is left to plan, the whole where no state is given.
    pub(super) fn rest(&self, household: Household) -> Result<Rest, CommandError> {
        let Some(now) = &self.now else { return Ok(Rest { household, missed: Vec::new() }) };
        let at = self.step(now, &household)?;
        let Some(path) = &self.state else {
            if self.write_state.is_some() {
                return Ok(Rest { household, missed: Vec::new() });
            }
            return Err(CommandError::usage(anyhow!(
                "with --now give --state FILE, or --write-state FILE.toml for one to fill in"
            )));
        };
        let content = read_bounded(path, STATE_BYTES_MAX)?;
        let shown = path.display();
        let text = str::from_utf8(&content)
            .with_context(|| format!("{shown} is not UTF-8"))
            .or_refused()?;
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        let measured = if is_json {
            Measured::from_json(text, &household, at)
        } else {
            Measured::from_toml(text, &household, at)
        };
        let rest = measured.and_then(|measured| household.from_step(at, &measured));
        rest.map_err(|refused| {
            CommandError::refused(anyhow::Error::new(refused).context(shown.to_string()))
        })
    }

    /// Writes the state that a plan leads to where it is asked for.
    pub(super) fn write(
        &self,
        household: &Household,
        plan: &HouseholdPlan,
    ) -> Result<(), CommandError> {
        let (Some(now), Some(path)) = (&self.now, &self.write_state) else { return Ok(()) };
        let at = self.step(now, household)?;
        let text = Measured::after(household, plan, at).to_toml(household, at);
        write(path, &text)
    }

    fn step(&self, now: &str, household: &Household) -> Result<usize, CommandError> {
        household.horizon.step_of(now).ok_or_else(|| {
            let horizon = &household.horizon;
            let (first, end) = (horizon.local(0), horizon.local(horizon.steps()));
            CommandError::usage(anyhow!(
                "--now: no step begins at {now:?} between {} and {}",
                first.strftime("%Y-%m-%d %H:%M"),
                end.strftime("%Y-%m-%d %H:%M")
            ))
        })
    }
}

fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    std::fs::write(path, text)
        .with_context(|| format!("cannot write {}", path.display()))
        .or_environment()
}

/// Reads the name of a state to write.
fn toml_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    is_toml.then_some(path).ok_or_else(|| "give a name that ends in .toml".to_owned())
}
