//! A fleet as a person writes it: TOML with names, clock times, percentages and counts.
//!
//! It has the words of the form for households, and becomes the same [`Fleet`] as `gridtally-fleet-1`.

use std::collections::{BTreeMap, BTreeSet};

use gridtally_core::calendar::Zone;
use jiff::civil::{DateTime, Time};
use serde::Deserialize;

use super::problem::{DEVICES_MAX, Feeder, Fleet, FleetParts, STEPS_MAX};
use crate::bounds::{within, within_count};
use crate::lines;
use crate::refusal::{ProblemReason, ProblemRefused};
use crate::written::{ClockTimes, ETA_BATTERY, ETA_CAR, Values, five, quarter};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Friendly {
    name: String,
    currency: String,
    zone: Zone,
    /// Local time of the first step, on the hour.
    start: DateTime,
    hours: u32,
    #[serde(default = "quarter")]
    resolution_minutes: u32,
    energy_per_kwh: Series,
    #[serde(default = "nothing")]
    base_load_kw: Series,
    transformer_limit_kw: Series,
    #[serde(default = "nothing")]
    up_reserve_kw: Series,
    #[serde(default = "nothing")]
    down_reserve_kw: Series,
    #[serde(default)]
    feeder: Vec<FriendlyFeeder>,
    #[serde(default)]
    device: Vec<FriendlyDevice>,
}

/// Numbers for the steps, written here or in a column of a table.
#[derive(Deserialize)]
#[serde(untagged)]
enum Series {
    Here(Values),
    Column(Column),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    file: String,
    column: String,
}

const fn nothing() -> Series {
    Series::Here(Values::One(0.0))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FriendlyFeeder {
    name: String,
    #[serde(default = "nothing")]
    base_load_kw: Series,
    limit_kw: Series,
}

/// Its `kind` says which: see [`lines::read`].
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum FriendlyDevice {
    Car {
        name: String,
        #[serde(default = "one")]
        count: u32,
        feeder: Option<String>,
        battery_kwh: f64,
        charge_max_kw: f64,
        /// What the car may give back, where it can.
        #[serde(default)]
        give_back_max_kw: f64,
        #[serde(default)]
        wear_per_kwh: f64,
        /// A car that gives back keeps this.
        #[serde(default = "five")]
        least_percent: f64,
        arrives: Time,
        leaves: Time,
        arrives_with_percent: f64,
        leaves_with_percent: f64,
    },
    Program {
        name: String,
        #[serde(default = "one")]
        count: u32,
        feeder: Option<String>,
        /// Use in each step.
        profile_kw: Vec<f64>,
        from: Time,
        ready_by: Time,
    },
    Tank {
        name: String,
        #[serde(default = "one")]
        count: u32,
        feeder: Option<String>,
        power_max_kw: f64,
        #[serde(default = "unit")]
        heat_per_kwh: f64,
        heat_max_kwh: f64,
        now_percent: f64,
        /// What is left at the end, as much as now where nothing is said.
        end_percent: Option<f64>,
        #[serde(default)]
        lost_percent_per_hour: f64,
        /// Heat that is drawn.
        draw_kw: Series,
    },
    HeatPump {
        name: String,
        #[serde(default = "one")]
        count: u32,
        feeder: Option<String>,
        power_max_kw: f64,
        heat_per_kwh: Series,
        outdoor_c: Series,
        now_c: f64,
        least_c: f64,
        most_c: f64,
        /// Least temperature at the end; the least of all where nothing is said.
        end_c: Option<f64>,
        heat_capacity_kwh_per_k: f64,
        heat_loss_kw_per_k: f64,
    },
    Battery {
        name: String,
        #[serde(default = "one")]
        count: u32,
        feeder: Option<String>,
        capacity_kwh: f64,
        charge_max_kw: f64,
        give_back_max_kw: f64,
        now_percent: f64,
        /// What is left at the end, as much as now where nothing is said.
        end_percent: Option<f64>,
        #[serde(default = "five")]
        least_percent: f64,
        #[serde(default)]
        lost_percent_per_hour: f64,
        #[serde(default)]
        wear_per_kwh: f64,
    },
}

const fn one() -> u32 {
    1
}

const fn unit() -> f64 {
    1.0
}

/// Reads a file beside the document, by the name that the document says; `Err` with what the world says.
pub type ReadBeside<'a> = &'a mut dyn FnMut(&str) -> Result<String, String>;

impl Fleet {
    /// Reads a fleet as a person writes it. Columns of tables are read with `beside`.
    ///
    /// # Errors
    ///
    /// Returns the first field that cannot be: its path and line.
    pub fn from_toml(text: &str, beside: ReadBeside<'_>) -> Result<Self, ProblemRefused> {
        let friendly: Friendly = lines::read(text, &["device"])?;
        read(&friendly, beside).map_err(|refused| lines::with_line(text, refused))
    }
}

fn malformed(path: impl std::fmt::Display, message: String) -> ProblemRefused {
    ProblemRefused::new(path, ProblemReason::Malformed { message })
}

fn read(friendly: &Friendly, beside: ReadBeside<'_>) -> Result<Fleet, ProblemRefused> {
    let resolution_min = friendly.resolution_minutes;
    let length = (resolution_min, STEPS_MAX);
    let times = ClockTimes::new(&friendly.zone, friendly.start, friendly.hours, length)?;
    if friendly.start.minute() != 0 || friendly.start.second() != 0 {
        return Err(malformed("start", "the first step begins on the hour".to_owned()));
    }
    let mut tables = Tables { beside, read: BTreeMap::new() };
    let mut series = |path: &str, values: &Series| tables.series(&times, path, values);
    let mut parts = FleetParts {
        id: friendly.name.clone(),
        currency: friendly.currency.clone(),
        resolution_min,
        start_clock_h: u32::from(friendly.start.hour().unsigned_abs()),
        energy_price: series("energy_per_kwh", &friendly.energy_per_kwh)?,
        base_load_kw: series("base_load_kw", &friendly.base_load_kw)?,
        transformer_limit_kw: series("transformer_limit_kw", &friendly.transformer_limit_kw)?,
        up_reserve_kw: series("up_reserve_kw", &friendly.up_reserve_kw)?,
        down_reserve_kw: series("down_reserve_kw", &friendly.down_reserve_kw)?,
        ..FleetParts::default()
    };
    for (f, feeder) in friendly.feeder.iter().enumerate() {
        let path = format!("feeder[{f}]");
        if parts.names.feeders.contains(&feeder.name) {
            let reason = ProblemReason::Duplicate { name: feeder.name.clone() };
            return Err(ProblemRefused::new(format!("{path}.name"), reason));
        }
        parts.feeders.push(Feeder {
            base_load_kw: series(&format!("{path}.base_load_kw"), &feeder.base_load_kw)?,
            limit_kw: series(&format!("{path}.limit_kw"), &feeder.limit_kw)?,
        });
        parts.names.feeders.push(feeder.name.clone());
    }
    let mut writing = Writing { times: &times, tables, parts, origins: BTreeMap::new() };
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut room = DEVICES_MAX;
    for (i, device) in friendly.device.iter().enumerate() {
        let path = format!("device[{i}]");
        let (name, count, _) = device.place();
        within_count(&format!("{path}.count"), count as usize, 1, room)?;
        room -= count as usize;
        if !names.insert(name.to_owned()) {
            let reason = ProblemReason::Duplicate { name: name.to_owned() };
            return Err(ProblemRefused::new(format!("{path}.name"), reason));
        }
        writing.device(&path, device)?;
    }
    let Writing { parts, origins, .. } = writing;
    Fleet::new(parts).map_err(|refused| as_written(refused, &origins))
}

/// Gives a refusal of a column the path of the device that its number comes from: `ev.energy_kwh[7]` is of `device[2]`.
fn as_written(
    mut refused: ProblemRefused,
    origins: &BTreeMap<&'static str, Vec<(usize, String)>>,
) -> ProblemRefused {
    let of_device = || -> Option<String> {
        let (kind, rest) = refused.path.split_once('.')?;
        let (member, number) = rest.strip_suffix(']')?.split_once('[')?;
        let number: usize = number.parse().ok()?;
        // The last group that begins at this number or before.
        let groups = origins.get(kind)?;
        let group = groups.partition_point(|(first, _)| *first <= number).checked_sub(1)?;
        let (_, path) = &groups[group];
        Some(match words(kind, member) {
            Some(word) => format!("{path}.{word}"),
            None => path.clone(),
        })
    };
    // Each group that has profiles brings one of each.
    let profile = || -> Option<String> {
        let (column, rest) = refused.path.split_once('[')?;
        let kind = column.split_once("_profiles").and_then(|(kind, _)| kind.split('_').next());
        let number: usize = rest.split_once(']')?.0.parse().ok()?;
        let word = match column {
            "tank_draw_profiles_kw" => "draw_kw",
            "cycle_profiles_kw" => "profile_kw",
            "room_outdoor_profiles_c" => "outdoor_c",
            _ => "heat_per_kwh",
        };
        let (_, path) = origins.get(kind?)?.get(number)?;
        Some(format!("{path}.{word}"))
    };
    let header = || {
        let (from, to) = match refused.path.split('[').next()? {
            "energy_price" => ("energy_price", "energy_per_kwh"),
            "feeders" => ("feeders", "feeder"),
            "id" => ("id", "name"),
            _ => return None,
        };
        Some(refused.path.replacen(from, to, 1))
    };
    if let Some(path) = of_device().or_else(profile).or_else(header) {
        refused.path = path;
    }
    refused
}

/// What a member of a column is called in this form, where it is written as it is.
fn words(kind: &str, member: &str) -> Option<&'static str> {
    Some(match member {
        "soc_max_kwh" if kind == "v2g" => "battery_kwh",
        "soc_max_kwh" => "capacity_kwh",
        "p_max_kw" if kind == "ev" => "charge_max_kw",
        "p_max_kw" => "power_max_kw",
        "p_max_charge_kw" => "charge_max_kw",
        "p_max_discharge_kw" => "give_back_max_kw",
        "wear_per_kwh" => "wear_per_kwh",
        "cop" => "heat_per_kwh",
        "state_max_kwh" => "heat_max_kwh",
        "state_init_kwh" | "soc_init_kwh" => "now_percent",
        "state_final_min_kwh" | "soc_final_min_kwh" => "end_percent",
        "soc_arrival_kwh" => "arrives_with_percent",
        "soc_target_kwh" => "leaves_with_percent",
        "soc_min_kwh" => "least_percent",
        "c_kwh_per_k" => "heat_capacity_kwh_per_k",
        "ua_kw_per_k" => "heat_loss_kw_per_k",
        "state_init_c" => "now_c",
        "state_min_c" => "least_c",
        "state_max_c" => "most_c",
        "state_final_min_c" => "end_c",
        "latest_end" => "ready_by",
        "name" => "name",
        _ => return None,
    })
}

/// Tables beside the document, each of which is read once.
struct Tables<'a> {
    beside: ReadBeside<'a>,
    read: BTreeMap<String, String>,
}

impl Tables<'_> {
    fn series(
        &mut self,
        times: &ClockTimes,
        path: &str,
        values: &Series,
    ) -> Result<Vec<f64>, ProblemRefused> {
        match values {
            Series::Here(values) => times.series(path, values),
            Series::Column(column) => {
                let refused = |message: String| {
                    let file = column.file.clone();
                    ProblemRefused::new(path, ProblemReason::Table { file, message })
                };
                if !self.read.contains_key(&column.file) {
                    let text = (self.beside)(&column.file).map_err(refused)?;
                    self.read.insert(column.file.clone(), text);
                }
                let values = numbers(&self.read[&column.file], &column.column).map_err(refused)?;
                times.series(path, &Values::Each(values))
            }
        }
    }
}

/// Returns the numbers of a column; `Err` with what is wrong.
fn numbers(text: &str, column: &str) -> Result<Vec<f64>, String> {
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let header = table.headers().map_err(|error| error.to_string())?;
    let place = header.iter().position(|name| name.trim() == column);
    let place = place.ok_or_else(|| {
        let known = header.iter().take(20).collect::<Vec<_>>().join(", ");
        format!("it has no column {column:?}, but {known}")
    })?;
    let mut numbers = Vec::new();
    for row in table.records() {
        let row = row.map_err(|error| error.to_string())?;
        let line = row.position().map_or(0, csv::Position::line);
        let found = row.get(place).unwrap_or_default().trim();
        let number = found.parse::<f64>().ok().filter(|number| number.is_finite());
        numbers.push(
            number.ok_or_else(|| format!("{found:?} in line {line}, {column:?}, is no number"))?,
        );
        if numbers.len() > STEPS_MAX {
            return Err(format!("it has more than {STEPS_MAX} rows"));
        }
    }
    Ok(numbers)
}

impl FriendlyDevice {
    /// Its name, how many of it there are, and its feeder.
    fn place(&self) -> (&str, u32, Option<&str>) {
        let (Self::Car { name, count, feeder, .. }
        | Self::Program { name, count, feeder, .. }
        | Self::Tank { name, count, feeder, .. }
        | Self::HeatPump { name, count, feeder, .. }
        | Self::Battery { name, count, feeder, .. }) = self;
        (name, *count, feeder.as_deref())
    }
}

/// The fleet while it is written into columns.
struct Writing<'a, 'b> {
    times: &'a ClockTimes,
    tables: Tables<'b>,
    parts: FleetParts,
    /// For each kind of the columns, with which number the devices of which path begin.
    origins: BTreeMap<&'static str, Vec<(usize, String)>>,
}

/// Adds a value as often as there are devices.
fn add<T: Clone>(column: &mut Vec<T>, value: T, count: usize) {
    column.resize(column.len() + count, value);
}

/// Part of a store.
fn percent(path: &str, field: &str, found: f64) -> Result<f64, ProblemRefused> {
    within(&format!("{path}.{field}"), found, 0.0, 100.0)?;
    Ok(found / 100.0)
}

/// A step as a column has it.
fn step(step: usize) -> u32 {
    u32::try_from(step).expect("a horizon has two thousand steps at most")
}

/// Part of what there is that is lost per hour as the columns have it: the logarithm of what is left.
fn decay_per_h(path: &str, percent: f64) -> Result<f64, ProblemRefused> {
    within(&format!("{path}.lost_percent_per_hour"), percent, 0.0, 99.0)?;
    Ok(-(1.0 - percent / 100.0).ln())
}

impl Writing<'_, '_> {
    fn series(&mut self, path: &str, values: &Series) -> Result<Vec<f64>, ProblemRefused> {
        self.tables.series(self.times, path, values)
    }

    fn feeder(&self, path: &str, name: Option<&str>) -> Result<u32, ProblemRefused> {
        let feeders = &self.parts.names.feeders;
        match name {
            None if feeders.is_empty() => Ok(0),
            None => {
                let message = format!("say which it is on: {}", feeders.join(", "));
                Err(malformed(format!("{path}.feeder"), message))
            }
            Some(name) => {
                let found = feeders.iter().position(|feeder| feeder == name);
                let reason = || ProblemReason::NoSuchFeeder { name: name.to_owned() };
                found
                    .map(step)
                    .ok_or_else(|| ProblemRefused::new(format!("{path}.feeder"), reason()))
            }
        }
    }

    fn device(&mut self, path: &str, device: &FriendlyDevice) -> Result<(), ProblemRefused> {
        let (name, count, feeder) = device.place();
        let count = count as usize;
        let feeder = self.feeder(path, feeder)?;
        let names = (1..=count)
            .map(|number| if count == 1 { name.to_owned() } else { format!("{name} {number}") });
        match device {
            FriendlyDevice::Car { give_back_max_kw, .. } if *give_back_max_kw > 0.0 => {
                self.begin("v2g", self.parts.v2gs.arrival.len(), path);
                self.parts.names.v2gs.extend(names);
                add(&mut self.parts.v2gs.feeder, feeder, count);
                self.car_that_gives_back(path, device, count)
            }
            FriendlyDevice::Car { .. } => {
                self.begin("ev", self.parts.evs.arrival.len(), path);
                self.parts.names.evs.extend(names);
                add(&mut self.parts.evs.feeder, feeder, count);
                self.car(path, device, count)
            }
            FriendlyDevice::Program { .. } => {
                self.begin("cycle", self.parts.cycles.profile.len(), path);
                self.parts.names.cycles.extend(names);
                add(&mut self.parts.cycles.feeder, feeder, count);
                self.program(path, device, count)
            }
            FriendlyDevice::Tank { .. } => {
                self.begin("tank", self.parts.tanks.cop.len(), path);
                self.parts.names.tanks.extend(names);
                add(&mut self.parts.tanks.feeder, feeder, count);
                self.tank(path, device, count)
            }
            FriendlyDevice::HeatPump { .. } => {
                self.begin("room", self.parts.rooms.p_max_kw.len(), path);
                self.parts.names.rooms.extend(names);
                add(&mut self.parts.rooms.feeder, feeder, count);
                self.heat_pump(path, device, count)
            }
            FriendlyDevice::Battery { .. } => {
                self.begin("battery", self.parts.batteries.soc_init_kwh.len(), path);
                self.parts.names.batteries.extend(names);
                add(&mut self.parts.batteries.feeder, feeder, count);
                self.battery(path, device, count)
            }
        }
    }

    fn begin(&mut self, kind: &'static str, first: usize, path: &str) {
        self.origins.entry(kind).or_default().push((first, path.to_owned()));
    }

    fn car(
        &mut self,
        path: &str,
        device: &FriendlyDevice,
        count: usize,
    ) -> Result<(), ProblemRefused> {
        let FriendlyDevice::Car {
            battery_kwh,
            charge_max_kw,
            arrives,
            leaves,
            arrives_with_percent,
            leaves_with_percent,
            ..
        } = device
        else {
            unreachable!("called for cars");
        };
        let stay = self.times.span(path, ["arrives", "leaves"], *arrives, *leaves)?;
        percent(path, "arrives_with_percent", *arrives_with_percent)?;
        percent(path, "leaves_with_percent", *leaves_with_percent)?;
        let most = crate::bounds::MAGNITUDE_MAX;
        within(&format!("{path}.battery_kwh"), *battery_kwh, 0.01, most)?;
        within(&format!("{path}.charge_max_kw"), *charge_max_kw, 0.0, most)?;
        let missing_percent = (leaves_with_percent - arrives_with_percent).max(0.0);
        let energy_kwh = battery_kwh * missing_percent / 100.0 / ETA_CAR;
        let room_kwh = charge_max_kw * self.hours(stay);
        if energy_kwh > room_kwh * (1.0 + 1e-9) {
            let possible = arrives_with_percent + room_kwh * ETA_CAR / battery_kwh * 100.0;
            let message = format!("not possible by {leaves}; {possible:.0} % is");
            return Err(malformed(format!("{path}.leaves_with_percent"), message));
        }
        let evs = &mut self.parts.evs;
        add(&mut evs.arrival, step(stay[0]), count);
        add(&mut evs.departure, step(stay[1]), count);
        add(&mut evs.p_max_kw, *charge_max_kw, count);
        add(&mut evs.energy_kwh, energy_kwh, count);
        Ok(())
    }

    fn hours(&self, [first, end]: [usize; 2]) -> f64 {
        f64::from(step(end - first)) * f64::from(self.parts.resolution_min) / 60.0
    }

    fn car_that_gives_back(
        &mut self,
        path: &str,
        device: &FriendlyDevice,
        count: usize,
    ) -> Result<(), ProblemRefused> {
        let FriendlyDevice::Car {
            battery_kwh,
            charge_max_kw,
            give_back_max_kw,
            wear_per_kwh,
            least_percent,
            arrives,
            leaves,
            arrives_with_percent,
            leaves_with_percent,
            ..
        } = device
        else {
            unreachable!("called for cars");
        };
        let arrival = percent(path, "arrives_with_percent", *arrives_with_percent)?;
        let target = percent(path, "leaves_with_percent", *leaves_with_percent)?;
        // A car that comes with less cannot have more at once.
        let least = percent(path, "least_percent", *least_percent)?.min(arrival);
        let stay = self.times.span(path, ["arrives", "leaves"], *arrives, *leaves)?;
        let cars = &mut self.parts.v2gs;
        add(&mut cars.arrival, step(stay[0]), count);
        add(&mut cars.departure, step(stay[1]), count);
        add(&mut cars.p_max_charge_kw, *charge_max_kw, count);
        add(&mut cars.p_max_discharge_kw, *give_back_max_kw, count);
        add(&mut cars.eta_charge, ETA_CAR, count);
        add(&mut cars.eta_discharge, ETA_CAR, count);
        add(&mut cars.wear_per_kwh, *wear_per_kwh, count);
        add(&mut cars.soc_arrival_kwh, arrival * battery_kwh, count);
        add(&mut cars.soc_min_kwh, least * battery_kwh, count);
        add(&mut cars.soc_max_kwh, *battery_kwh, count);
        add(&mut cars.soc_target_kwh, target * battery_kwh, count);
        Ok(())
    }

    fn program(
        &mut self,
        path: &str,
        device: &FriendlyDevice,
        count: usize,
    ) -> Result<(), ProblemRefused> {
        let FriendlyDevice::Program { profile_kw, from, ready_by, .. } = device else {
            unreachable!("called for programs");
        };
        let [first, end] = self.times.span(path, ["from", "ready_by"], *from, *ready_by)?;
        if profile_kw.len() > end - first {
            let reason = ProblemReason::NoRoom { needed: profile_kw.len(), room: end - first };
            return Err(ProblemRefused::new(format!("{path}.ready_by"), reason));
        }
        add(&mut self.parts.cycles.profile, step(self.parts.cycle_profiles_kw.len()), count);
        self.parts.cycle_profiles_kw.push(profile_kw.clone());
        add(&mut self.parts.cycles.earliest_start, step(first), count);
        add(&mut self.parts.cycles.latest_end, step(end), count);
        Ok(())
    }

    fn tank(
        &mut self,
        path: &str,
        device: &FriendlyDevice,
        count: usize,
    ) -> Result<(), ProblemRefused> {
        let FriendlyDevice::Tank {
            power_max_kw,
            heat_per_kwh,
            heat_max_kwh,
            now_percent,
            end_percent,
            lost_percent_per_hour,
            draw_kw,
            ..
        } = device
        else {
            unreachable!("called for tanks");
        };
        let draw_kw = self.series(&format!("{path}.draw_kw"), draw_kw)?;
        let now = percent(path, "now_percent", *now_percent)?;
        let end = percent(path, "end_percent", end_percent.unwrap_or(*now_percent))?;
        let tanks = &mut self.parts.tanks;
        add(&mut tanks.draw_profile, step(self.parts.tank_draw_profiles_kw.len()), count);
        self.parts.tank_draw_profiles_kw.push(draw_kw);
        add(&mut tanks.draw_scale, 1.0, count);
        add(&mut tanks.p_max_kw, *power_max_kw, count);
        add(&mut tanks.cop, *heat_per_kwh, count);
        add(&mut tanks.loss_per_h, decay_per_h(path, *lost_percent_per_hour)?, count);
        add(&mut tanks.state_init_kwh, now * heat_max_kwh, count);
        add(&mut tanks.state_max_kwh, *heat_max_kwh, count);
        add(&mut tanks.state_final_min_kwh, end * heat_max_kwh, count);
        Ok(())
    }

    fn heat_pump(
        &mut self,
        path: &str,
        device: &FriendlyDevice,
        count: usize,
    ) -> Result<(), ProblemRefused> {
        let FriendlyDevice::HeatPump {
            power_max_kw,
            heat_per_kwh,
            outdoor_c,
            now_c,
            least_c,
            most_c,
            end_c,
            heat_capacity_kwh_per_k,
            heat_loss_kw_per_k,
            ..
        } = device
        else {
            unreachable!("called for heat pumps");
        };
        let cop = self.series(&format!("{path}.heat_per_kwh"), heat_per_kwh)?;
        let outdoor_c = self.series(&format!("{path}.outdoor_c"), outdoor_c)?;
        let rooms = &mut self.parts.rooms;
        add(&mut rooms.cop_profile, step(self.parts.room_cop_profiles.len()), count);
        self.parts.room_cop_profiles.push(cop);
        add(&mut rooms.outdoor_profile, step(self.parts.room_outdoor_profiles_c.len()), count);
        self.parts.room_outdoor_profiles_c.push(outdoor_c);
        add(&mut rooms.p_max_kw, *power_max_kw, count);
        add(&mut rooms.c_kwh_per_k, *heat_capacity_kwh_per_k, count);
        add(&mut rooms.ua_kw_per_k, *heat_loss_kw_per_k, count);
        add(&mut rooms.state_init_c, *now_c, count);
        add(&mut rooms.state_min_c, *least_c, count);
        add(&mut rooms.state_max_c, *most_c, count);
        add(&mut rooms.state_final_min_c, end_c.unwrap_or(*least_c), count);
        Ok(())
    }

    fn battery(
        &mut self,
        path: &str,
        device: &FriendlyDevice,
        count: usize,
    ) -> Result<(), ProblemRefused> {
        let FriendlyDevice::Battery {
            capacity_kwh,
            charge_max_kw,
            give_back_max_kw,
            now_percent,
            end_percent,
            least_percent,
            lost_percent_per_hour,
            wear_per_kwh,
            ..
        } = device
        else {
            unreachable!("called for batteries");
        };
        let now = percent(path, "now_percent", *now_percent)?;
        let end = percent(path, "end_percent", end_percent.unwrap_or(*now_percent))?;
        let least = percent(path, "least_percent", *least_percent)?;
        let batteries = &mut self.parts.batteries;
        add(&mut batteries.p_max_charge_kw, *charge_max_kw, count);
        add(&mut batteries.p_max_discharge_kw, *give_back_max_kw, count);
        add(&mut batteries.eta_charge, ETA_BATTERY, count);
        add(&mut batteries.eta_discharge, ETA_BATTERY, count);
        let lost = decay_per_h(path, *lost_percent_per_hour)?;
        add(&mut batteries.self_discharge_per_h, lost, count);
        add(&mut batteries.wear_per_kwh, *wear_per_kwh, count);
        add(&mut batteries.soc_init_kwh, now * capacity_kwh, count);
        add(&mut batteries.soc_min_kwh, least * capacity_kwh, count);
        add(&mut batteries.soc_max_kwh, *capacity_kwh, count);
        add(&mut batteries.soc_final_min_kwh, end * capacity_kwh, count);
        Ok(())
    }
}
