//! Problems of the planner from recorded data.

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use gridtally_aggregator::scenario::{ChargersScenario, HomeScenario, RealChargers};
use gridtally_schedule::fleet::{
    Fleet, FleetDevice, FleetOptions, FleetPlan, check, plan, uncontrolled_ev_kw,
};
use gridtally_schedule::household::{DeviceKind, PlanOptions, check as check_home, preferred};
use jiff::Timestamp;
use tempfile::TempDir;

use crate::import_data::data;
use crate::world::at;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/scenarios").join(name)
}

fn now() -> Timestamp {
    at("2026-11-01T00:00:00Z")
}

/// Two homes' load, three days of half-hours from Monday 1 June 2020 on by the clocks of Oslo, and prices of the week before.
struct Files(TempDir);

const SESSIONS: &str = "\
site,user,session,plugin_utc,plugout_utc,minutes,energy_wh,est_power_w,est_battery_wh
A,anna,1,2020-06-01T14:07:00Z,2020-06-01T20:50:00Z,403,8000,4000,
A,anna,2,2020-06-01T14:30:00Z,2020-06-01T15:30:00Z,60,5000,4000,
A,bo,3,2020-06-01T09:00:00Z,2020-06-01T13:00:00Z,240,12000,4000,
A,bo,4,2020-06-01T16:01:00Z,2020-06-01T16:10:00Z,9,30000,,
A,bo,5,2020-06-01T17:00:00Z,2020-06-01T18:00:00Z,60,0,4000,
A,eva,6,2020-06-01T06:00:00Z,2020-06-01T12:00:00Z,360,4000,4000,
B,zoe,1,2020-06-01T14:07:00Z,2020-06-01T20:50:00Z,403,8000,4000,
";

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("sessions.csv", SESSIONS);
        let mut load = "start_utc,consumption_wh\n".to_owned();
        // 2020-05-24T22:00Z is midnight in Oslo: two weeks, each half-hour has its number.
        for half in 0..(14 * 48) {
            let start = at("2020-05-24T22:00:00Z").as_second() + half * 1_800;
            let start = Timestamp::from_second(start).unwrap();
            load += &format!("{start},{}\n", half % 336);
        }
        files.write("home_1.csv", &load);
        let mut prices = "start_utc,no2\n".to_owned();
        for hour in 0..(7 * 24) {
            let start = at("2020-05-24T22:00:00Z").as_second() + hour * 3_600;
            let start = Timestamp::from_second(start).unwrap();
            prices += &format!("{start},{}.00\n", 100 + hour);
        }
        files.write("prices.csv", &prices);
        files.write("scenario.toml", SCENARIO);
        files
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    /// Replaces a part of a file that stands in it once.
    fn change(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.0.path().join(name)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from} stands once in {name}");
        self.write(name, &text.replace(from, to));
    }

    fn build(&self) -> Result<RealChargers, String> {
        let scenario = ChargersScenario::read(&self.0.path().join("scenario.toml"));
        scenario.and_then(|scenario| scenario.build(now())).map_err(|error| {
            error.to_string().replace(&self.0.path().display().to_string(), "FOLDER")
        })
    }
}

const SCENARIO: &str = r#"
name = "yard"
currency = "EUR"
zone = "Europe/Oslo"
from = "2020-06-01T14:00"
days = 1
transformer_limit_kw = 20.0

[sessions]
file = "sessions.csv"
site = "A"
power_w_otherwise = 3600
power_max_w = 11000

[[load]]
homes = ["home_1"]
times = 2

[load.table]
file = "{metering_point}.csv"
time_column = "start_utc"
stamp = "start"
zone = "UTC"
resolution_minutes = 30
columns = ["consumption_wh=import:Wh"]

[prices]
shift_weeks = -1

[prices.table]
file = "prices.csv"
time_column = "start_utc"
stamp = "start"
zone = "UTC"
resolution_minutes = 60
columns = ["no2=NO2:per_MWh"]

[tariff]
name = "yard"
currency = "EUR"

[[tariff.version]]
valid_from = "2019-01-01T00:00:00Z"

[[tariff.version.import]]
part = "spot"
area = "NO2"
margin_micro_per_kwh = 5000
"#;

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
}

#[test]
fn sessions_become_cars_with_every_change_counted() {
    let built = Files::new().build().unwrap();
    let evs = &built.fleet.evs;
    let cars: Vec<String> = (0..evs.arrival.len())
        .map(|i| {
            let (arrival, departure) = (evs.arrival[i], evs.departure[i]);
            let (power, energy) = (evs.p_max_kw[i], evs.energy_kwh[i]);
            format!("{} {arrival}..{departure} {power} kW {energy} kWh", built.sessions[i])
        })
        .collect();
    // The first step is 12:00Z. Session 3 came three hours before and had charged all but nothing; 12 kWh take until then.
    expect![[r#"
        1 9..35 4 kW 8 kWh
        2 10..14 5 kW 5 kWh
        4 16..17 11 kW 2.75 kWh"#]]
    .assert_eq(&cars.join("\n"));
    let counts = &built.counts;
    assert_eq!((counts.planned, counts.users, counts.overlapping), (3, 2, 1));
    assert_eq!((counts.raised, counts.cut, counts.widened), (1, 1, 1));
    assert_eq!((counts.empty, counts.without_power, counts.load_filled), (1, 1, 0));
    assert_eq!((counts.over_the_border, counts.charged_before), (1, 1));
    close(counts.cut_kwh, 27.25);
    close(counts.outside_kwh, 12.0);
}

#[test]
fn a_session_across_the_border_has_what_charging_on_arrival_takes_within() {
    let files = Files::new();
    files.change("sessions.csv", "13:00:00Z,240,12000", "13:00:00Z,240,14500");
    let built = files.build().unwrap();
    assert_eq!(built.sessions[0], "3");
    // Of 14.5 kWh, 12 are charged in the three hours before.
    close(built.fleet.evs.energy_kwh[0], 2.5);
    assert_eq!((built.fleet.evs.arrival[0], built.fleet.evs.departure[0]), (0, 4));
    assert_eq!((built.counts.over_the_border, built.counts.charged_before), (1, 0));
}

#[test]
fn energy_is_cut_where_power_is_not_to_be_raised() {
    let files = Files::new();
    files.change("scenario.toml", "power_max_w = 11000", "too_short = \"cut\"");
    let built = files.build().unwrap();
    close(built.fleet.evs.energy_kwh[1], 4.0);
    close(built.fleet.evs.p_max_kw[1], 4.0);
    assert_eq!((built.counts.raised, built.counts.cut), (0, 2));
}

#[test]
fn loads_and_prices_are_those_of_the_same_weekday_and_clock() {
    let files = Files::new();
    let built = files.build().unwrap();
    // Monday 14:00 of the second week is half-hour 28 again; two homes' watt-hours in half an hour.
    close(built.fleet.base_load_kw[0], 2.0 * 28.0 * 2.0 / 1e3);
    close(built.fleet.base_load_kw[1], 2.0 * 28.0 * 2.0 / 1e3);
    close(built.fleet.base_load_kw[2], 2.0 * 29.0 * 2.0 / 1e3);
    // Monday 14:00 of the week before is hour 14, and the margin is added.
    close(built.fleet.energy_price[0], 0.114 + 0.005);
    close(built.fleet.energy_price[95], 0.137 + 0.005);
    // By the clocks of a place two hours ahead, 14:00 was two hours earlier.
    files.change("scenario.toml", "times = 2", "times = 2\nclock = \"Europe/Moscow\"");
    close(files.build().unwrap().fleet.base_load_kw[0], 2.0 * 26.0 * 2.0 / 1e3);
    assert_eq!(built.horizon.local(0).to_string(), "2020-06-01T14:00:00");
}

#[test]
fn missing_is_refused_or_filled_and_counted() {
    let files = Files::new();
    files.change("home_1.csv", "2020-06-01T12:30:00Z,29\n", "");
    expect![[
        "home_1 in home_1.csv has no value for 2020-06-01T14:30:00 by the clocks of Europe/Oslo, and 2 steps have none in all"
    ]]
    .assert_eq(&files.build().unwrap_err());
    files.change("scenario.toml", "times = 2", "times = 2\nmissing = \"week_before\"");
    let built = files.build().unwrap();
    close(built.fleet.base_load_kw[2], 2.0 * 29.0 * 2.0 / 1e3);
    assert_eq!(built.counts.load_filled, 2);
    files.change("home_1.csv", "2020-05-25T12:30:00Z,29\n", "");
    assert!(files.build().unwrap_err().contains("2 steps have none in all"));
}

#[test]
fn a_day_on_which_clocks_change_has_its_own_number_of_steps() {
    let files = Files::new();
    files.change("scenario.toml", "from = \"2020-06-01T14:00\"", "from = \"2020-10-24T14:00\"");
    // Sessions and data are of June: the span comes first.
    assert!(files.build().unwrap_err().contains("has no sessions of \"A\" in these days"));
    files.change(
        "sessions.csv",
        "A,eva,6,2020-06-01T06:00:00Z,2020-06-01T12:00:00Z",
        "A,eva,6,2020-10-24T16:00:00Z,2020-10-25T06:00:00Z",
    );
    files.change("scenario.toml", "shift_weeks = -1\n", "shift_weeks = -21\n");
    files.change("scenario.toml", "times = 2", "times = 2\nshift_weeks = -21");
    let built = files.build().unwrap();
    assert_eq!(built.fleet.steps(), 100);
    // 02:00 stands twice, both times with the value of the only 02:00 that week.
    let local = |step: usize| built.horizon.local(step).to_string();
    assert_eq!(
        (local(48), local(52)),
        ("2020-10-25T02:00:00".into(), "2020-10-25T02:00:00".into())
    );
    close(built.fleet.base_load_kw[48], built.fleet.base_load_kw[52]);
}

#[expect(clippy::needless_pass_by_value, reason = "expectations are written in place")]
fn check_refused(file: &str, from: &str, to: &str, expected: Expect) {
    let files = Files::new();
    files.change(file, from, to);
    expected.assert_eq(&files.build().unwrap_err());
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    let sessions = "sessions.csv";
    check_refused(
        sessions,
        "8000,4000,\nA,anna,2",
        "-8,4000,\nA,anna,2",
        expect![[
            r#"sessions.csv:2: energy_wh "-8": the value is out of range [number-out-of-range]; check the unit of the column"#
        ]],
    );
    check_refused(
        sessions,
        "8000,4000,\nA,anna,2",
        "8e3,4000,\nA,anna,2",
        expect![[
            r#"sessions.csv:2: energy_wh "8e3": the value has an exponent [number-exponent]; write all digits"#
        ]],
    );
    check_refused(
        sessions,
        "8000,4000,\nA,anna,2",
        ",4000,\nA,anna,2",
        expect![[
            r#"sessions.csv:2: energy_wh "": the value is empty [number-empty]; leave the row out: missing is not zero"#
        ]],
    );
    check_refused(
        sessions,
        "8000,4000,\nA,anna,2",
        "8000,NaN,\nA,anna,2",
        expect![[
            r#"sessions.csv:2: est_power_w "NaN": the value is not a finite number [number-not-finite]; leave the row out: missing is not zero"#
        ]],
    );
    check_refused(
        sessions,
        "A,anna,2",
        "A,anna,1",
        expect![[
            r#"sessions.csv:3: session "1": a charging session stands twice: also in line 2 [session-twice]; keep one of the rows"#
        ]],
    );
    check_refused(
        sessions,
        "A,bo,3,2020-06-01T09",
        "A,bo,3,2020-06-01T19",
        expect![[
            r#"sessions.csv:4: plugout_utc "2020-06-01T13:00:00Z": a charging session ends before it begins: it began at 2020-06-01T19:00:00Z [session-reversed]; correct the row, or leave it out"#
        ]],
    );
    check_refused(
        sessions,
        "B,zoe,1,2020-06-01T14:07:00Z",
        "B,zoe,1,yesterday",
        expect![[
            r#"sessions.csv:8: plugin_utc "yesterday": the time cannot be read [time-malformed]; write it as 2026-01-15T10:00:00Z, or give its format"#
        ]],
    );
    check_refused(
        sessions,
        "est_power_w",
        "power",
        expect![[
            r#"sessions.csv:1: est_power_w "est_power_w": a column that is needed is missing: the file has site, user, session, plugin_utc, plugout_utc, minutes, energy_wh, power, est_battery_wh [column-missing]; add the column, or name the one to use"#
        ]],
    );
    check_refused(
        sessions,
        "A,bo,5,",
        "A,bo,",
        expect![[
            r#"sessions.csv:6: "A,bo,2020-06-01T17:00:00Z,2020-06-01T18:00:00Z,60,0,4000,": the row has more or fewer fields than the header: 8 instead of 9 [field-count]; check separators and quotes in this row"#
        ]],
    );
    let scenario = "scenario.toml";
    check_refused(
        scenario,
        "site = \"A\"",
        "site = \"C\"",
        expect![[r#"sessions.csv has no sessions of "C" in these days"#]],
    );
    check_refused(
        scenario,
        "site = \"A\"",
        "place = \"A\"",
        expect![
            "FOLDER/scenario.toml:11: unknown field `place`, expected one of `file`, `site`, `power_w_otherwise`, `too_short`, `power_max_w`"
        ],
    );
    check_refused(scenario, "days = 1", "days = 400", expect!["days = 400: not between 1 and 21"]);
    check_refused(
        scenario,
        "days = 1",
        "days = 1\nresolution_minutes = 60",
        expect!["resolution_minutes = 60: home_1 in home_1.csv has values of 30 minutes"],
    );
    check_refused(
        scenario,
        "from = \"2020-06-01T14:00\"",
        "from = \"2020-06-01T14:07\"",
        expect!["from = 2020-06-01T14:07:00: not on the hour"],
    );
    check_refused(
        scenario,
        "from = \"2020-06-01T14:00\"",
        "from = \"2020-03-29T02:00\"",
        expect![
            "from = 2020-03-29T02:00:00: 2020-03-29T02:00:00 does not exist, clocks jump over it"
        ],
    );
    check_refused(
        scenario,
        "transformer_limit_kw = 20.0",
        "transformer_limit_kw = -1.0",
        expect!["transformer_limit_kw[0]: -1 is not between 0 and 1000000000"],
    );
    check_refused(
        scenario,
        "times = 2",
        "times = nan",
        expect!["load.times = NaN: not above 0 and at most 10000"],
    );
    check_refused(
        scenario,
        "homes = [\"home_1\"]",
        "homes = [\"home_1\", \"home_1\"]",
        expect!["load.homes = home_1: named twice"],
    );
    check_refused(
        scenario,
        "homes = [\"home_1\"]",
        "homes = [\"home_2\"]",
        expect![
            "home_2.csv: the file cannot be read: No such file or directory (os error 2) [file-unreadable]; check the path and the permissions"
        ],
    );
    check_refused(
        scenario,
        "power_max_w = 11000",
        "power_max_w = 0",
        expect!["sessions.power_max_w = 0: not between 100 and 1000000"],
    );
    check_refused(
        scenario,
        "shift_weeks = -1",
        "shift_weeks = 6000",
        expect!["shift_weeks = 6000: not within 5000 weeks"],
    );
    check_refused(
        scenario,
        "shift_weeks = -1",
        "shift_weeks = 0",
        expect![
            "NO2 in prices.csv has no value for 2020-06-01T14:00:00 by the clocks of Europe/Oslo, and 96 steps have none in all"
        ],
    );
    check_refused(
        scenario,
        "currency = \"EUR\"\nzone",
        "currency = \"NOK\"\nzone",
        expect![[r#"tariff.currency = "EUR": the scenario is in NOK"#]],
    );
    check_refused(
        scenario,
        "area = \"NO2\"",
        "area = \"NO5\"",
        expect!["no spot price of NO5 at 2020-06-01T12:00:00Z/PT15M"],
    );
    check_refused(
        scenario,
        "2019-01-01T00:00:00Z",
        "2021-01-01T00:00:00Z",
        expect!["no version of the tariff is valid at 2020-06-01T12:00:00Z/PT15M"],
    );
}

fn planned(fleet: &Fleet) -> (FleetPlan, f64) {
    let found = plan(fleet, &FleetOptions::default()).unwrap();
    let powers = fleet.each_device().map(|device| (device, found.power_kw(fleet, device)));
    let checked = check(fleet, powers);
    assert_eq!((checked.devices, checked.limits), (Vec::new(), Vec::new()));
    (found, checked.cost)
}

fn uncontrolled_cost(fleet: &Fleet) -> f64 {
    let power = uncontrolled_ev_kw(fleet);
    power.iter().zip(&fleet.energy_price).map(|(a, b)| a * b).sum::<f64>() * fleet.step_h()
}

#[test]
fn a_week_of_chargers_in_asker_is_planned_within_the_limit() {
    if data("ev_norway_residential").is_none() {
        return;
    }
    let scenario = ChargersScenario::read(&fixture("chargers.toml")).unwrap();
    let built = scenario.build(now()).unwrap();
    assert_eq!(built, scenario.build(now()).unwrap());
    let fleet = &built.fleet;
    assert_eq!(fleet.steps(), 7 * 96);
    let counts = &built.counts;
    assert_eq!((counts.planned, counts.users), (129, 17));
    assert_eq!((counts.raised, counts.cut, counts.widened), (18, 0, 3));
    assert_eq!((counts.over_the_border, counts.charged_before, counts.load_filled), (3, 1, 0));
    // Charging on arrival delivers everything too, but goes above the limit.
    let arrival_kw = uncontrolled_ev_kw(fleet);
    let needed: f64 = fleet.evs.energy_kwh.iter().sum();
    assert!((arrival_kw.iter().sum::<f64>() * fleet.step_h() - needed).abs() < 1e-6);
    let loads = |cars: &[f64]| -> Vec<f64> {
        fleet.base_load_kw.iter().zip(cars).map(|(a, b)| a + b).collect()
    };
    let peak = |cars: &[f64]| loads(cars).into_iter().fold(0.0, f64::max);
    assert!(peak(&arrival_kw) > 75.0);
    let (found, cost) = planned(fleet);
    assert!(peak(&found.load_kw) <= 50.0 * (1.0 + 1e-5));
    assert!(found.gap() <= 1e-4);
    assert!(cost < 0.85 * uncontrolled_cost(fleet));
    for i in 0..fleet.evs.arrival.len() {
        let power_kw = found.power_kw(fleet, FleetDevice::Ev(i));
        let charged = power_kw.iter().sum::<f64>() * fleet.step_h();
        assert!((charged - fleet.evs.energy_kwh[i]).abs() < 1e-3, "{}", built.sessions[i]);
    }
    let (again, _) = planned(fleet);
    assert_eq!(found.load_kw, again.load_kw);
    // Where there is room for charging on arrival, a plan is not dearer, and a wider limit never is.
    let mut wide = fleet.clone().into_parts();
    wide.transformer_limit_kw.fill(100.0);
    let wide = Fleet::new(wide).unwrap();
    let (_, wide_cost) = planned(&wide);
    assert!(wide_cost <= uncontrolled_cost(&wide));
    assert!(wide_cost <= cost * (1.0 + 1e-4));
}

#[test]
fn a_week_of_a_home_is_put_together_from_recorded_data() {
    if data("households_fontana").is_none() {
        return;
    }
    let scenario = HomeScenario::read(&fixture("home.toml")).unwrap();
    let built = scenario.build(now()).unwrap();
    assert_eq!(built, scenario.build(now()).unwrap());
    let household = &built.household;
    assert_eq!(household.horizon.steps(), 7 * 96);
    let of = |kind: &str| built.kinds.iter().filter(|found| *found == kind).count();
    assert_eq!((of("car"), of("battery"), of("panels")), (1, 1, 1));
    assert_eq!((of("dishwasher"), of("washing machine")), (7, 2));
    let panels = household.devices.iter().find_map(|device| match &device.kind {
        DeviceKind::Pv(pv) => Some(pv.available_kw.iter().sum::<f64>() * 0.25),
        _ => None,
    });
    // A week in April of 4 kW of panels.
    assert!(panels.is_some_and(|kwh| (70.0..200.0).contains(&kwh)), "{panels:?}");
    let unplanned = check_home(household, &preferred(household));
    assert!(unplanned.cost.total() > 0.0);
    let options = PlanOptions { gap: 1e-3, time_limit: None };
    let solvers: [&dyn gridtally_schedule::solver::Solver; 1] =
        [&gridtally_schedule::solver::Microlp];
    let found = gridtally_schedule::household::optimal(household, &solvers, &options).unwrap();
    assert!(check_home(household, &found.plan).violations.is_empty());
    assert!(found.gap() <= 1e-3);
    if unplanned.violations.is_empty() {
        assert!(found.cost.total() <= unplanned.cost.total());
    }
}
