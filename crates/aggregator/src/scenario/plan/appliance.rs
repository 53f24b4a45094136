//! Programs of appliances as they were metered, run on some days of the span.

use std::path::Path;

use gridtally_core::rejection::Reason;
use gridtally_schedule::household::{Cycle, Device, DeviceKind};
use jiff::civil::{Date, Time, Weekday};
use serde::Deserialize;

use super::PlanScenarioError;
use super::span::Span;
use crate::import::csv::records;
use crate::scenario::file::ScenarioError;

/// Length of the quarters in which programs are recorded, min.
const QUARTER_MIN: u32 = 15;
/// Most quarters of a program: a day.
const QUARTERS_MAX: usize = 96;

/// A recorded program and when it is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplianceSource {
    name: String,
    /// Table of the columns `cycle`, `quarter` and `energy_wh`.
    file: String,
    /// Which of its programs.
    cycle: String,
    /// On which days it runs; on all where none is named.
    #[serde(default)]
    days: Vec<DayName>,
    /// From when on it may start.
    from: Time,
    /// When it has ended; on the next day where that is not after `from`.
    ready_by: Time,
    /// When it would be started without a plan; as soon as it may where nothing is said.
    preferred: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DayName {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl DayName {
    const fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

impl ApplianceSource {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns one device for each day of the span on whose window it lies as a whole.
    pub(super) fn read(
        &self,
        span: &Span,
        folder: &Path,
    ) -> Result<Vec<Device>, PlanScenarioError> {
        if span.horizon.resolution_min != QUARTER_MIN {
            let value = span.horizon.resolution_min.to_string();
            let reason = "programs are recorded in quarters of an hour".to_owned();
            return Err(PlanScenarioError::Value { key: "resolution_minutes", value, reason });
        }
        let profile_kw = self.profile_kw(folder)?;
        let mut devices = Vec::new();
        let mut date = span.horizon.local(0).date();
        let last = span.horizon.local(span.steps()).date();
        while date <= last {
            let is_wanted = |day: &DayName| day.weekday() == date.weekday();
            if self.days.is_empty() || self.days.iter().any(is_wanted) {
                devices.extend(self.on(date, &profile_kw, span)?);
            }
            let Ok(next) = date.tomorrow() else { break };
            date = next;
        }
        if devices.is_empty() {
            let what = "days on which it fits into the span";
            return Err(PlanScenarioError::Nothing {
                file: self.name.clone(),
                what: what.to_owned(),
            });
        }
        Ok(devices)
    }

    /// Returns the program on one day, where its window lies in the span.
    fn on(
        &self,
        date: Date,
        profile_kw: &[f64],
        span: &Span,
    ) -> Result<Option<Device>, PlanScenarioError> {
        let after = |time: Time| if time > self.from { Some(date) } else { date.tomorrow().ok() };
        let step = |time: Time, date: Option<Date>| span.step_at(date?.to_datetime(time));
        let window = (step(self.from, Some(date)), step(self.ready_by, after(self.ready_by)));
        let (Some(earliest_start), Some(latest_end)) = window else { return Ok(None) };
        let preferred_start = match self.preferred {
            None => Some(earliest_start),
            Some(time) if time == self.from => Some(earliest_start),
            Some(time) => step(time, after(time)),
        };
        let fits =
            |start: &usize| *start >= earliest_start && *start + profile_kw.len() <= latest_end;
        let Some(preferred_start) = preferred_start.filter(fits) else {
            let value = format!("{:?}", self.name);
            let reason = format!(
                "its program of {} quarters does not fit between from, preferred and ready_by",
                profile_kw.len()
            );
            return Err(PlanScenarioError::Value { key: "appliance", value, reason });
        };
        Ok(Some(Device {
            id: format!("{} {}", self.name, date.strftime("%a %-d %b")),
            kind: DeviceKind::Cycle(Cycle {
                profile_kw: profile_kw.to_vec(),
                earliest_start,
                latest_end,
                preferred_start,
                after: None,
            }),
        }))
    }

    /// Returns the mean power in each quarter.
    fn profile_kw(&self, folder: &Path) -> Result<Vec<f64>, PlanScenarioError> {
        let mut profile_kw = Vec::new();
        let columns = ["cycle", "quarter", "energy_wh"];
        records(&folder.join(&self.file), &self.file, &columns, |row| {
            let (quarter, energy_wh) = (row.whole(1)?, row.whole(2)?);
            if row.text(0) != self.cycle {
                return Ok(());
            }
            if profile_kw.len() >= QUARTERS_MAX {
                return Err(row.refused(1, Reason::NumberOutOfRange).because("more than a day"));
            }
            if usize::try_from(quarter) != Ok(profile_kw.len()) {
                let gap = row.refused(1, Reason::PeriodMissing);
                return Err(gap.because(format_args!("quarter {} comes next", profile_kw.len())));
            }
            profile_kw.push(f64::from(energy_wh) * 60.0 / f64::from(QUARTER_MIN) / 1e3);
            Ok(())
        })
        .map_err(ScenarioError::from)?;
        if profile_kw.is_empty() {
            let (file, what) = (self.file.clone(), format!("cycle {:?}", self.cycle));
            return Err(PlanScenarioError::Nothing { file, what });
        }
        Ok(profile_kw)
    }
}
