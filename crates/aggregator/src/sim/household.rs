//! One household: what stands in it and how much power it draws.

use gridtally_core::id::Gsrn;
use gridtally_core::quantity::{Energy, Power};
use jiff::civil::DateTime;

use super::dice::Dice;

/// What a household has besides lamps and a stove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// A heat pump that runs harder when it is cold.
    HeatPump {
        /// Power at 0 degrees outside.
        power: Power,
    },
    /// An electric car that is home from the evening on.
    Car {
        /// Power of its charger.
        power: Power,
        /// Whether it waits for midnight; else it charges when it comes home.
        waits_for_night: bool,
    },
    /// Photovoltaic panels on the roof.
    Panels {
        /// Most power that they give at noon in summer.
        power_peak: Power,
    },
}

/// A household with one metering point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Household {
    /// Its number, from 1.
    pub number: u32,
    /// Where its exchange with the grid is metered: a Norwegian number with a valid check digit, which nobody has.
    pub metering_point: Gsrn,
    /// What stands in it.
    pub devices: Vec<Device>,
    /// Mean power of what always runs: fridge, router, ventilation.
    base: Power,
}

impl Household {
    /// Returns the household of that number: every third has panels, every second a car, two of three a heat pump.
    pub(super) fn new(number: u32, dice: &mut Dice) -> Self {
        // 707057500 is the prefix of Norwegian metering points; eight digits are ours, the last is the check digit.
        let body = format!("707057500{number:08}");
        let metering_point = Gsrn::from_body(&body).expect("seventeen digits");
        let base = Power::from_w(dice.between(120, 320));
        let mut devices = Vec::new();
        if number % 3 != 1 {
            devices.push(Device::HeatPump { power: Power::from_w(dice.between(600, 1_600)) });
        }
        if number.is_multiple_of(2) {
            let chargers_w = [3_680, 7_360, 11_000];
            let charger_w = chargers_w[usize::try_from(dice.between(0, 2)).expect("0 to 2")];
            let waits_for_night = dice.chance(75);
            devices.push(Device::Car { power: Power::from_w(charger_w), waits_for_night });
        }
        if number.is_multiple_of(3) {
            devices.push(Device::Panels { power_peak: Power::from_w(dice.between(4_000, 10_000)) });
        }
        Self { number, metering_point, devices, base }
    }

    /// Returns whether it can feed in.
    #[must_use]
    pub fn has_panels(&self) -> bool {
        self.devices.iter().any(|device| matches!(device, Device::Panels { .. }))
    }
}

/// How a household lives on from one quarter-hour to the next.
pub(super) struct Life<'household> {
    household: &'household Household,
    dice: Dice,
    /// What the car still wants.
    car_missing: Energy,
    /// Share of a clear day's sun that comes through the clouds today, percent.
    sky_percent: i64,
}

impl<'household> Life<'household> {
    pub(super) fn new(household: &'household Household, mut dice: Dice) -> Self {
        let car_missing = Energy::from_wh(dice.between(4_000, 15_000));
        Self { household, dice, car_missing, sky_percent: 0 }
    }

    /// Returns the mean power that the meter sees in the quarter-hour that begins at `local`; negative is fed in.
    ///
    /// `minute_utc` is the minute of the UTC day, for the sun does not know daylight saving; `sky_percent` is how clear
    /// the day is.
    pub(super) fn quarter_hour(
        &mut self,
        local: DateTime,
        minute_utc: i64,
        sky_percent: i64,
    ) -> Power {
        self.sky_percent = sky_percent;
        let minute = i64::from(local.hour()) * 60 + i64::from(local.minute());
        let mut power_w = self.dice.around(self.household.base.w(), 25);
        power_w += self.living_w(minute);
        for device in &self.household.devices {
            power_w += match *device {
                Device::HeatPump { power } => self.heat_pump_w(power.w(), minute),
                Device::Car { power, waits_for_night } => {
                    self.car_w(power.w(), waits_for_night, minute)
                }
                Device::Panels { power_peak } => -self.panels_w(power_peak.w(), minute_utc),
            };
        }
        Power::from_w(power_w)
    }

    /// Breakfast, dinner, and an evening with lights and screens.
    fn living_w(&mut self, minute: i64) -> i64 {
        let (likely_percent, low_w, high_w) = match minute {
            390..510 => (45, 200, 2_000),     // 06:30 to 08:30
            510..960 => (20, 50, 700),        // until 16:00
            960..1_170 => (70, 400, 3_500),   // until 19:30
            1_170..1_380 => (80, 150, 1_000), // until 23:00
            _ => (5, 20, 150),
        };
        if self.dice.chance(likely_percent) { self.dice.between(low_w, high_w) } else { 0 }
    }

    /// Colder outside, more power: 0 degrees at six in the morning, 8 at three in the afternoon, 18 is warm enough.
    fn heat_pump_w(&mut self, power_w: i64, minute: i64) -> i64 {
        let from_warmest = (minute - 900).abs().min(1_440 - (minute - 900).abs());
        let outside_tenths = (80 - from_warmest * 80 / 540).max(0);
        self.dice.around(power_w * (180 - outside_tenths) / 180, 20)
    }

    /// Comes home at five in the afternoon with what the day has used, and stops when it is full.
    fn car_w(&mut self, power_w: i64, waits_for_night: bool, minute: i64) -> i64 {
        if minute == 1_020 {
            let used = Energy::from_wh(self.dice.between(3_000, 18_000));
            self.car_missing = self.car_missing.checked_add(used).unwrap_or(used);
        }
        let charges = minute < 360 || (minute >= 1_020 && !waits_for_night);
        if !charges {
            return 0;
        }
        // Four quarter-hours to the hour.
        let taken_wh = (power_w / 4).min(self.car_missing.wh());
        self.car_missing = Energy::from_wh(self.car_missing.wh() - taken_wh);
        taken_wh * 4
    }

    /// A parabola from sunrise to sunset under passing clouds; the low sun of October gives 45 percent of the peak.
    fn panels_w(&mut self, power_peak_w: i64, minute_utc: i64) -> i64 {
        const SUNRISE: i64 = 380; // 06:20 UTC
        const SUNSET: i64 = 915; // 15:15 UTC
        if !(SUNRISE..SUNSET).contains(&minute_utc) {
            return 0;
        }
        let arc = 4 * (minute_utc - SUNRISE) * (SUNSET - minute_utc);
        let clear_w = power_peak_w * 45 * arc / (100 * (SUNSET - SUNRISE) * (SUNSET - SUNRISE));
        self.dice.around(clear_w * self.sky_percent / 100, 30)
    }
}
