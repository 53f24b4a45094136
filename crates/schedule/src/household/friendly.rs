//! A household as a person writes it: TOML with names, clock times and percentages.
//!
//! It says less than `gridtally-household-1` and becomes the same [`Household`]: what is left out takes the defaults that the fields name.

use gridtally_core::calendar::Zone;
use jiff::civil::{DateTime, Time};
use serde::Deserialize;

use super::device::{
    Battery, Cycle, CycleOrder, Device, DeviceKind, Ev, EvSession, Interruptible, Modulating,
    PreferredMode, Pv, Room, SocMinBy, Thermal, ThermalModel,
};
use super::horizon::Horizon;
use super::problem::{Household, HouseholdParts};
use super::site::Site;
use super::tariff::{Capacity, DailyMaxSteps, PeakPrice, Tariff};
use super::wish::Wish;
use crate::bounds::within;
use crate::lines;
use crate::refusal::{ProblemReason, ProblemRefused};
use crate::written::{ClockTimes, ETA_BATTERY, ETA_CAR, Values, five, quarter};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Friendly {
    name: String,
    currency: String,
    zone: Zone,
    /// Local time of the first step.
    start: DateTime,
    hours: u32,
    #[serde(default = "quarter")]
    resolution_minutes: u32,
    load_kw: Values,
    import_limit_kw: f64,
    #[serde(default)]
    export_limit_kw: f64,
    tariff: FriendlyTariff,
    #[serde(default)]
    device: Vec<FriendlyDevice>,
    #[serde(default)]
    wish: Vec<FriendlyWish>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FriendlyTariff {
    import_per_kwh: Values,
    export_per_kwh: Values,
    peak: Option<PeakPrice>,
    steps: Option<DailyMaxSteps>,
}

/// Its `kind` says which: see [`lines::read`].
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum FriendlyDevice {
    Panels {
        name: String,
        available_kw: Values,
        #[serde(default)]
        curtailable: bool,
    },
    Program {
        name: String,
        /// Use in each step.
        profile_kw: Vec<f64>,
        from: Time,
        ready_by: Time,
        /// When it would be started without a plan; as soon as it may where nothing is said.
        preferred: Option<Time>,
        after: Option<String>,
        /// How long after it at most.
        #[serde(default = "twelve")]
        after_hours_max: u32,
    },
    Switched {
        name: String,
        power_kw: f64,
        hours: f64,
        from: Time,
        until: Time,
        minutes_on_min: Option<u32>,
    },
    Flexible {
        name: String,
        power_max_kw: f64,
        #[serde(default)]
        power_min_kw: f64,
        energy_kwh: f64,
        from: Time,
        until: Time,
    },
    Car {
        name: String,
        battery_kwh: f64,
        charge_max_kw: f64,
        #[serde(default)]
        charge_min_kw: f64,
        /// What the car may give back, where it can.
        #[serde(default)]
        give_back_max_kw: f64,
        #[serde(default)]
        wear_per_kwh: f64,
        arrives: Time,
        leaves: Time,
        arrives_with_percent: f64,
        leaves_with_percent: f64,
        /// A time and the percentage that is reached by then.
        by: Option<(Time, f64)>,
    },
    Battery {
        name: String,
        capacity_kwh: f64,
        charge_max_kw: f64,
        give_back_max_kw: f64,
        now_percent: f64,
        /// What is left at the end, as much as now where nothing is said.
        end_percent: Option<f64>,
        #[serde(default = "five")]
        least_percent: f64,
        #[serde(default)]
        wear_per_kwh: f64,
    },
    HeatPump {
        name: String,
        power_max_kw: f64,
        #[serde(default)]
        power_min_kw: f64,
        heat_per_kwh: Values,
        outdoor_c: Values,
        now_c: f64,
        wanted_c: f64,
        least_c: f64,
        most_c: f64,
        heat_capacity_kwh_per_k: f64,
        heat_loss_kw_per_k: f64,
        /// What leaving the band costs for each K and hour, where it may be left.
        discomfort_per_kh: Option<f64>,
    },
}

const fn twelve() -> u32 {
    12
}

/// Its `kind` says which: see [`lines::read`].
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum FriendlyWish {
    Rests { device: String, from: Time, until: Time },
    OnlySurplus { device: String },
    NotFromBattery { device: String },
    Holds { device: String, percent: f64, from: Time, until: Time },
}

impl Household {
    /// Reads a household as a person writes it.
    ///
    /// # Errors
    ///
    /// Returns the first field that cannot be, with its path and line.
    pub fn from_toml(text: &str) -> Result<Self, ProblemRefused> {
        let friendly: Friendly = lines::read(text, &["device", "wish"])?;
        friendly.household().map_err(|refused| lines::with_line(text, refused))
    }
}

impl Friendly {
    fn household(self) -> Result<Household, ProblemRefused> {
        let friendly = self;
        let clock = Clock::new(&friendly)?;
        let devices = friendly.device.iter().enumerate();
        let devices = devices.map(|(i, device)| clock.device(&format!("device[{i}]"), device));
        let devices = devices.collect::<Result<Vec<_>, _>>()?;
        let wishes = friendly.wish.iter().enumerate();
        let wishes = wishes.map(|(i, wish)| clock.wish(&format!("wish[{i}]"), wish, &devices));
        let wishes = wishes.collect::<Result<_, _>>()?;
        let kinds: Vec<_> = devices.iter().map(|device| names(&device.kind)).collect();
        Household::new(HouseholdParts {
            site: Site {
                load_kw: clock.series("load_kw", &friendly.load_kw)?,
                import_limit_kw: friendly.import_limit_kw,
                export_limit_kw: friendly.export_limit_kw,
                export_only_pv: false,
            },
            tariff: Tariff {
                import_price: clock
                    .series("tariff.import_per_kwh", &friendly.tariff.import_per_kwh)?,
                export_price: clock
                    .series("tariff.export_per_kwh", &friendly.tariff.export_per_kwh)?,
                capacity: match (friendly.tariff.peak, friendly.tariff.steps) {
                    (None, None) => Capacity::Free,
                    (Some(peak), None) => Capacity::Peak(peak),
                    (None, Some(steps)) => Capacity::DailyMaxSteps(steps),
                    (Some(_), Some(_)) => {
                        let message = "give either a peak price or steps".to_owned();
                        return Err(ProblemRefused::new(
                            "tariff",
                            ProblemReason::Malformed { message },
                        ));
                    }
                },
            },
            id: friendly.name,
            currency: friendly.currency,
            horizon: clock.horizon,
            devices,
            wishes,
        })
        .map_err(|mut refused| {
            refused.path = as_written(&refused.path, &kinds);
            refused
        })
    }
}

/// How this form calls the fields of a kind of device: pairs of a name in the document `gridtally-household-1` and one here.
fn names(kind: &DeviceKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        DeviceKind::Pv(_) => &[],
        DeviceKind::Cycle(_) => &[
            ("earliest_start", "from"),
            ("latest_end", "ready_by"),
            ("preferred_start", "preferred"),
            ("after.id", "after"),
        ],
        DeviceKind::Interruptible(_) => &[
            ("on_steps", "hours"),
            ("min_on_steps", "minutes_on_min"),
            ("preferred_start", "from"),
        ],
        DeviceKind::Modulating(_) => &[("p_max_kw", "power_max_kw"), ("p_min_kw", "power_min_kw")],
        DeviceKind::Ev(_) => &[
            ("capacity_kwh", "battery_kwh"),
            ("p_max_charge_kw", "charge_max_kw"),
            ("p_min_charge_kw", "charge_min_kw"),
            ("p_max_discharge_kw", "give_back_max_kw"),
            ("sessions[0].soc_arrival_kwh", "arrives_with_percent"),
            ("sessions[0].soc_target_kwh", "leaves_with_percent"),
            ("sessions[0].soc_min_by[0][0]", "by"),
            ("sessions[0].soc_min_by[0][1]", "by"),
        ],
        DeviceKind::Battery(_) => &[
            ("p_max_charge_kw", "charge_max_kw"),
            ("p_max_discharge_kw", "give_back_max_kw"),
            ("soc_min_kwh", "least_percent"),
            ("soc_init_kwh", "now_percent"),
            ("soc_final_min_kwh", "end_percent"),
        ],
        DeviceKind::Thermal(_) => &[
            ("p_max_kw", "power_max_kw"),
            ("p_min_kw", "power_min_kw"),
            ("cop", "heat_per_kwh"),
            ("state_init", "now_c"),
            ("state_min", "least_c"),
            ("state_max", "most_c"),
            ("preferred_state", "wanted_c"),
            ("c_kwh_per_k", "heat_capacity_kwh_per_k"),
            ("ua_kw_per_k", "heat_loss_kw_per_k"),
            ("discomfort_price", "discomfort_per_kh"),
        ],
    }
}

/// Returns a path of the document `gridtally-household-1` as this form calls it.
fn as_written(path: &str, kinds: &[&[(&str, &str)]]) -> String {
    const TOP: [(&str, &str); 6] = [
        ("site.", ""),
        ("tariff.import_price", "tariff.import_per_kwh"),
        ("tariff.export_price", "tariff.export_per_kwh"),
        ("tariff.capacity.steps", "tariff.steps.steps"),
        ("tariff.capacity.history", "tariff.steps.history"),
        ("tariff.capacity.", "tariff.peak."),
    ];
    let of_device = path.strip_prefix("devices[").and_then(|rest| rest.split_once(']'));
    if let Some((number, field)) = of_device {
        let field = field.trim_start_matches('.');
        let names = number.parse().ok().and_then(|i: usize| kinds.get(i)).copied();
        let all = names.unwrap_or_default().iter().chain(&[("id", "name")]);
        let found = all.into_iter().find(|(name, _)| {
            field.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
        });
        let field = found
            .map_or_else(|| field.to_owned(), |(name, written)| field.replacen(name, written, 1));
        return format!("device[{number}].{field}").trim_end_matches('.').to_owned();
    }
    if let Some(rest) = path.strip_prefix("wishes[") {
        return format!("wish[{rest}").replacen("soc_kwh", "percent", 1);
    }
    match path {
        "id" => "name".to_owned(),
        "steps" => "hours".to_owned(),
        _ => TOP
            .iter()
            .find_map(|(from, to)| path.strip_prefix(from).map(|rest| format!("{to}{rest}")))
            .unwrap_or_else(|| path.to_owned()),
    }
}

/// Clock times as steps.
struct Clock {
    horizon: Horizon,
    times: ClockTimes,
}

impl Clock {
    fn new(friendly: &Friendly) -> Result<Self, ProblemRefused> {
        let resolution_min = friendly.resolution_minutes;
        let times = ClockTimes::new(
            &friendly.zone,
            friendly.start,
            friendly.hours,
            (resolution_min, super::STEPS_MAX),
        )?;
        let zone = friendly.zone.clone();
        let horizon = Horizon::new(times.start, zone, resolution_min, times.steps());
        Ok(Self { horizon, times })
    }

    fn steps(&self) -> usize {
        self.times.steps()
    }

    fn series(&self, path: &str, values: &Values) -> Result<Vec<f64>, ProblemRefused> {
        self.times.series(path, values)
    }

    fn step(&self, path: &str, time: Time, after: usize) -> Result<usize, ProblemRefused> {
        self.times.step(path, time, after)
    }

    fn span(
        &self,
        path: &str,
        names: [&str; 2],
        from: Time,
        until: Time,
    ) -> Result<[usize; 2], ProblemRefused> {
        self.times.span(path, names, from, until)
    }

    fn device(&self, path: &str, device: &FriendlyDevice) -> Result<Device, ProblemRefused> {
        let (id, kind) = match device {
            FriendlyDevice::Panels { name, available_kw, curtailable } => {
                let available_kw = self.series(&format!("{path}.available_kw"), available_kw)?;
                (name, DeviceKind::Pv(Pv { available_kw, curtailable: *curtailable }))
            }
            FriendlyDevice::Program {
                name,
                profile_kw,
                from,
                ready_by,
                preferred,
                after,
                after_hours_max,
            } => {
                let [earliest_start, latest_end] =
                    self.span(path, ["from", "ready_by"], *from, *ready_by)?;
                let preferred = preferred
                    .map(|time| self.step(&format!("{path}.preferred"), time, earliest_start));
                let preferred_start = preferred.transpose()?.unwrap_or(earliest_start);
                let max_gap_steps =
                    *after_hours_max as usize * (60 / self.horizon.resolution_min as usize);
                let order = |id: &String| CycleOrder {
                    id: id.clone(),
                    min_gap_steps: 0,
                    max_gap_steps: max_gap_steps.min(self.steps()),
                };
                let after = after.as_ref().map(order);
                let profile_kw = profile_kw.clone();
                (
                    name,
                    DeviceKind::Cycle(Cycle {
                        profile_kw,
                        earliest_start,
                        latest_end,
                        preferred_start,
                        after,
                    }),
                )
            }
            FriendlyDevice::Switched { name, power_kw, hours, from, until, minutes_on_min } => {
                let window = self.span(path, ["from", "until"], *from, *until)?;
                let on_steps = self.whole_steps(&format!("{path}.hours"), *hours)?;
                let min_on_steps = minutes_on_min
                    .map_or(1, |minutes| minutes.div_ceil(self.horizon.resolution_min) as usize);
                let load = Interruptible {
                    power_kw: *power_kw,
                    on_steps,
                    window,
                    min_on_steps,
                    preferred_start: window[0],
                    running_steps: 0,
                };
                (name, DeviceKind::Interruptible(load))
            }
            FriendlyDevice::Flexible {
                name,
                power_max_kw,
                power_min_kw,
                energy_kwh,
                from,
                until,
            } => {
                let window = self.span(path, ["from", "until"], *from, *until)?;
                let load = Modulating {
                    p_max_kw: *power_max_kw,
                    p_min_kw: *power_min_kw,
                    energy_kwh: *energy_kwh,
                    window,
                };
                (name, DeviceKind::Modulating(load))
            }
            FriendlyDevice::Car { .. } => return self.car(path, device),
            FriendlyDevice::Battery {
                name,
                capacity_kwh,
                charge_max_kw,
                give_back_max_kw,
                now_percent,
                end_percent,
                least_percent,
                wear_per_kwh,
            } => {
                let of = |percent: f64| capacity_kwh * percent / 100.0;
                percents(
                    path,
                    &[
                        ("now_percent", *now_percent),
                        ("end_percent", end_percent.unwrap_or_default()),
                        ("least_percent", *least_percent),
                    ],
                )?;
                (
                    name,
                    DeviceKind::Battery(Battery {
                        capacity_kwh: *capacity_kwh,
                        soc_min_kwh: of(*least_percent),
                        soc_max_kwh: *capacity_kwh,
                        soc_init_kwh: of(*now_percent),
                        soc_final_min_kwh: of(end_percent.unwrap_or(*now_percent)),
                        p_max_charge_kw: *charge_max_kw,
                        p_max_discharge_kw: *give_back_max_kw,
                        eta_charge: ETA_BATTERY,
                        eta_discharge: ETA_BATTERY,
                        wear_per_kwh: *wear_per_kwh,
                        self_discharge_per_h: 0.0,
                        terminal_value_per_kwh: 0.0,
                        charge_only_pv: false,
                        preferred_mode: PreferredMode::SelfConsumption,
                    }),
                )
            }
            FriendlyDevice::HeatPump {
                name,
                power_max_kw,
                power_min_kw,
                heat_per_kwh,
                outdoor_c,
                now_c,
                wanted_c,
                least_c,
                most_c,
                heat_capacity_kwh_per_k,
                heat_loss_kw_per_k,
                discomfort_per_kh,
            } => {
                within(&format!("{path}.wanted_c"), *wanted_c, *least_c, *most_c)?;
                let steps = self.steps();
                (
                    name,
                    DeviceKind::Thermal(Thermal {
                        model: ThermalModel::Room(Room {
                            c_kwh_per_k: *heat_capacity_kwh_per_k,
                            ua_kw_per_k: *heat_loss_kw_per_k,
                            outdoor_c: self.series(&format!("{path}.outdoor_c"), outdoor_c)?,
                            gain_kw: vec![0.0; steps],
                        }),
                        p_max_kw: *power_max_kw,
                        p_min_kw: *power_min_kw,
                        cop: self.series(&format!("{path}.heat_per_kwh"), heat_per_kwh)?,
                        state_init: *now_c,
                        state_min: vec![*least_c; steps],
                        state_max: vec![*most_c; steps],
                        state_final_min: *least_c,
                        discomfort_price: *discomfort_per_kh,
                        preferred_state: *wanted_c,
                    }),
                )
            }
        };
        Ok(Device { id: id.clone(), kind })
    }

    fn car(&self, path: &str, device: &FriendlyDevice) -> Result<Device, ProblemRefused> {
        let FriendlyDevice::Car {
            name,
            battery_kwh,
            charge_max_kw,
            charge_min_kw,
            give_back_max_kw,
            wear_per_kwh,
            arrives,
            leaves,
            arrives_with_percent,
            leaves_with_percent,
            by,
        } = device
        else {
            unreachable!("called for cars");
        };
        let of = |percent: f64| battery_kwh * percent / 100.0;
        percents(
            path,
            &[
                ("arrives_with_percent", *arrives_with_percent),
                ("leaves_with_percent", *leaves_with_percent),
                ("by", by.map_or(0.0, |by| by.1)),
            ],
        )?;
        let [arrival, departure] = self.span(path, ["arrives", "leaves"], *arrives, *leaves)?;
        let soc_min_by = by.map(|(time, percent)| -> Result<SocMinBy, ProblemRefused> {
            Ok(SocMinBy(self.step(&format!("{path}.by"), time, arrival + 1)?, of(percent)))
        });
        let kind = DeviceKind::Ev(Ev {
            capacity_kwh: *battery_kwh,
            soc_min_kwh: 0.0,
            p_max_charge_kw: *charge_max_kw,
            p_min_charge_kw: *charge_min_kw,
            eta_charge: ETA_CAR,
            p_max_discharge_kw: *give_back_max_kw,
            eta_discharge: ETA_CAR,
            wear_per_kwh: *wear_per_kwh,
            sessions: vec![EvSession {
                arrival,
                departure,
                soc_arrival_kwh: of(*arrives_with_percent),
                soc_target_kwh: of(*leaves_with_percent),
                soc_min_by: soc_min_by.transpose()?.into_iter().collect(),
            }],
        });
        Ok(Device { id: name.clone(), kind })
    }

    /// A time that must be whole steps.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a small whole number"
    )]
    fn whole_steps(&self, path: &str, hours: f64) -> Result<usize, ProblemRefused> {
        let steps = hours * 60.0 / f64::from(self.horizon.resolution_min);
        if (0.0..=1e4).contains(&steps) && (steps - steps.round()).abs() < 1e-9 {
            return Ok(steps.round() as usize);
        }
        let message = format!(
            "{hours} h are no whole number of steps of {} min",
            self.horizon.resolution_min
        );
        Err(ProblemRefused::new(path, ProblemReason::Malformed { message }))
    }

    fn wish(
        &self,
        path: &str,
        wish: &FriendlyWish,
        devices: &[Device],
    ) -> Result<Wish, ProblemRefused> {
        Ok(match wish {
            FriendlyWish::Rests { device, from, until } => Wish::Rests {
                device: device.clone(),
                steps: self.span(path, ["from", "until"], *from, *until)?,
            },
            FriendlyWish::OnlySurplus { device } => Wish::OnlySurplus { device: device.clone() },
            FriendlyWish::NotFromBattery { device } => {
                Wish::NotFromBattery { device: device.clone() }
            }
            FriendlyWish::Holds { device, percent, from, until } => {
                percents(path, &[("percent", *percent)])?;
                let capacity_kwh =
                    devices.iter().find(|other| other.id == *device).map_or(0.0, |other| {
                        match &other.kind {
                            DeviceKind::Battery(battery) => battery.capacity_kwh,
                            DeviceKind::Ev(ev) => ev.capacity_kwh,
                            _ => 0.0,
                        }
                    });
                let steps = self.span(path, ["from", "until"], *from, *until)?;
                Wish::Holds {
                    device: device.clone(),
                    soc_kwh: capacity_kwh * percent / 100.0,
                    steps,
                }
            }
        })
    }
}

/// Refuses what is no part of a whole.
fn percents(path: &str, fields: &[(&str, f64)]) -> Result<(), ProblemRefused> {
    let check =
        |(name, percent): &(&str, f64)| within(&format!("{path}.{name}"), *percent, 0.0, 100.0);
    fields.iter().try_for_each(check)
}
