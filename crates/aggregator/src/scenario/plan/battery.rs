//! A battery as a laboratory measured it.

use std::path::Path;

use gridtally_schedule::household::{Battery, PreferredMode};
use serde::Deserialize;

use super::PlanScenarioError;
use crate::import::csv::records;
use crate::scenario::file::ScenarioError;

/// The columns that are read: those of the parameters of PerMod, for systems beside the inverter of the panels.
const COLUMNS: [&str; 8] = [
    "ID",
    "Type [-coupled]",
    "E_BAT_usable [kWh]",
    "P_AC2BAT_in [W]",
    "P_PV2BAT_out [W]",
    "P_BAT2AC_in [W]",
    "P_BAT2AC_out [W]",
    "eta_BAT",
];

/// A measured system and how it is used.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatterySource {
    file: String,
    /// Which of its systems.
    id: String,
    now_percent: f64,
    /// What is left at the end, as much as now where nothing is said.
    end_percent: Option<f64>,
    #[serde(default)]
    wear_per_kwh: f64,
}

impl BatterySource {
    pub(super) fn read(&self, folder: &Path) -> Result<Battery, PlanScenarioError> {
        let end_percent = self.end_percent.unwrap_or(self.now_percent);
        for (key, percent) in
            [("battery.now_percent", self.now_percent), ("battery.end_percent", end_percent)]
        {
            if !(0.0..=100.0).contains(&percent) {
                let (value, reason) = (percent.to_string(), "not between 0 and 100".to_owned());
                return Err(PlanScenarioError::Value { key, value, reason });
            }
        }
        let mut found = None;
        records(&folder.join(&self.file), &self.file, &COLUMNS, |row| {
            if row.text(0) == self.id && row.text(1) == "AC" {
                let number = |place| row.positive(place);
                let (capacity_kwh, eta_percent) = (number(2)?, number(7)?);
                let [charge_in, charge_out, give_in, give_out] =
                    [number(3)?, number(4)?, number(5)?, number(6)?];
                // What the cells lose on the way in and out is half on either.
                let eta_cells = (eta_percent / 100.0).sqrt();
                found = Some(Battery {
                    capacity_kwh,
                    soc_min_kwh: 0.0,
                    soc_max_kwh: capacity_kwh,
                    soc_init_kwh: capacity_kwh * self.now_percent / 100.0,
                    soc_final_min_kwh: capacity_kwh * end_percent / 100.0,
                    p_max_charge_kw: charge_in / 1e3,
                    p_max_discharge_kw: give_out / 1e3,
                    eta_charge: charge_out / charge_in * eta_cells,
                    eta_discharge: give_out / give_in * eta_cells,
                    wear_per_kwh: self.wear_per_kwh,
                    self_discharge_per_h: 0.0,
                    terminal_value_per_kwh: 0.0,
                    charge_only_pv: false,
                    preferred_mode: PreferredMode::SelfConsumption,
                });
            }
            Ok(())
        })
        .map_err(ScenarioError::from)?;
        found.ok_or_else(|| {
            let what = format!("AC-coupled battery {:?}", self.id);
            PlanScenarioError::Nothing { file: self.file.clone(), what }
        })
    }
}
