//! Fleets that people write.

use expect_test::{Expect, expect};
use gridtally_schedule::fleet::{Fleet, FleetDevice, FleetOptions, Limit, check, fairness, plan};

const EXAMPLE: &str = include_str!("../../../../examples/fleet.toml");

fn no_tables(name: &str) -> Result<String, String> {
    Err(format!("no {name}"))
}

fn check_refused(changes: &[(&str, &str)], expected: &Expect) {
    let mut text = EXAMPLE.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let refused = Fleet::from_toml(&text, &mut no_tables).expect_err("refused");
    expected.assert_eq(&refused.to_string());
}

#[test]
fn the_example_is_planned_within_all_limits() {
    let fleet = Fleet::from_toml(EXAMPLE, &mut no_tables).expect("possible");
    assert_eq!((fleet.devices(), fleet.steps(), fleet.start_clock_h), (62, 48, 15));
    let found = plan(&fleet, &FleetOptions::default()).expect("a plan");
    assert!(found.gap() <= 1e-4, "{}", found.gap());
    let powers = fleet.each_device().map(|device| (device, found.power_kw(&fleet, device)));
    let checked = check(&fleet, powers);
    assert_eq!((&checked.devices, &checked.limits), (&vec![], &vec![]));
    // The limits are felt, and everybody is ready in the morning.
    assert!(found.prices.transformer.iter().any(|price| *price > 1e-3));
    assert!(found.prices.feeders.iter().flatten().any(|price| *price > 1e-3));
    assert_eq!(fleet.names.device(FleetDevice::Ev(12)), "commuter south 1");
    assert_eq!(fleet.names.device(FleetDevice::Room(0)), "house north 1");
    assert_eq!(fleet.names.limit(Limit::Feeder(1)), "feeder south");
    let fair = fairness(&fleet, &found);
    assert!(fair.shifted_devices > 20 && fair.benefit > 0.0, "{fair:?}");
    assert!((0.0..1.0).contains(&fair.gini), "{fair:?}");
}

#[test]
fn percentages_become_what_the_columns_ask_for() {
    let fleet = Fleet::from_toml(EXAMPLE, &mut no_tables).expect("possible");
    // 35 % of 60 kWh, of which nine tenths arrive.
    assert!((fleet.evs.energy_kwh[0] - 21.0 / 0.9).abs() < 1e-9);
    // From 17:00 to 07:00, where the first step begins at 15:00.
    assert_eq!((fleet.evs.arrival[0], fleet.evs.departure[0]), (4, 32));
    assert!((fleet.tanks.state_init_kwh[0] - 6.3).abs() < 1e-9);
    assert!((fleet.tanks.loss_per_h[0] + 0.99_f64.ln()).abs() < 1e-12);
    assert_eq!(fleet.v2gs.soc_min_kwh, [3.0; 3]);
}

#[test]
fn a_column_of_a_table_is_a_series() {
    let column = "base_load_kw = { file = \"load.csv\", column = \"kw\" }\nup_reserve_kw = 0.0\n";
    let (before, rest) = EXAMPLE.split_once("base_load_kw = [").expect("a series");
    let (_, after) = rest.split_once("]\n").expect("its end");
    let text = format!("{before}{column}{after}");
    let of = |table: &str| Fleet::from_toml(&text, &mut |_| Ok(table.to_owned()));
    let rows: String = (0..24).map(|hour| format!("{hour},{hour}.5\n")).collect();
    let fleet = of(&format!("hour,kw\n{rows}")).expect("possible");
    assert_eq!(fleet.base_load_kw[..3], [0.5, 0.5, 1.5]);
    let shown = |table: &str| of(table).expect_err("refused").to_string();
    expect![[r#"base_load_kw (line 15): load.csv: it has no column "kw", but hour, w"#]]
        .assert_eq(&shown("hour,w\n"));
    expect![[r#"base_load_kw (line 15): load.csv: "much" in line 3, "kw", is no number"#]]
        .assert_eq(&shown("kw\n1\nmuch\n"));
    expect!["base_load_kw (line 15): 2 values where 48 are needed"].assert_eq(&shown("kw\n1\n2\n"));
}

#[test]
fn what_cannot_be_is_named_by_its_field_and_line() {
    check_refused(
        &[("feeder = \"north\"", "feeder = \"west\"")],
        &expect![[r#"device[0].feeder (line 37): no feeder is called "west""#]],
    );
    check_refused(
        &[("feeder = \"north\"\n", "")],
        &expect!["device[0].feeder (line 33): say which it is on: north, south"],
    );
    check_refused(
        &[("leaves = \"07:00\"", "leaves = \"07:10\"")],
        &expect![
            "device[0].leaves (line 41): no step begins at 07:10:00 between 2026-11-25T17:30:00 and 2026-11-26T15:00:00"
        ],
    );
    check_refused(
        &[("leaves = \"07:00\"", "leaves = \"18:30\"")],
        &expect!["device[0].leaves_with_percent (line 43): not possible by 18:30:00; 62 % is"],
    );
    check_refused(
        &[("commuter south", "commuter north")],
        &expect![[
            r#"device[1].name (line 47): "commuter north" is the name of an earlier device"#
        ]],
    );
    check_refused(
        &[("count = 12", "count = 0")],
        &expect!["device[0].count (line 36): 0 is not between 1 and 10000000"],
    );
    check_refused(
        &[("count = 12", "count = 4000000000")],
        &expect!["device[0].count (line 36): 4000000000 is not between 1 and 10000000"],
    );
    check_refused(
        &[("limit_kw = 62.0", "limit_kw = -62.0")],
        &expect!["feeder[1].limit_kw[0] (line 30): -62 is not between 0 and 1000000000"],
    );
    check_refused(
        &[("capacity_kwh = 10.0", "capacity_kwh = -10.0")],
        &expect!["device[9].capacity_kwh (line 151): -10 is not between 0 and 1000000"],
    );
    check_refused(
        &[("heat_per_kwh = 3.1", "heat_per_kwh = 0.0")],
        &expect!["device[4].heat_per_kwh (line 90): 0 is not between 0.001 and 100"],
    );
    check_refused(
        &[("most_c = 22.5", "most_c = 19.0")],
        &expect!["device[4].most_c (line 94): 19 is not between 20 and 200"],
    );
    check_refused(
        &[("now_percent = 70.0", "now_percent = 170.0")],
        &expect!["device[6].now_percent (line 120): 170 is not between 0 and 100"],
    );
    check_refused(
        &[("give_back_max_kw = 8.0", "give_back_max_kw = 8.0\ncolor = 1")],
        &expect![
            "device[3].color (line 78): unknown field `color`, expected one of `name`, `count`, `feeder`, `battery_kwh`, `charge_max_kw`, `give_back_max_kw`, `wear_per_kwh`, `least_percent`, `arrives`, `leaves`, `arrives_with_percent`, `leaves_with_percent`"
        ],
    );
    check_refused(
        &[("T15:00", "T15:30")],
        &expect!["start (line 5): the first step begins on the hour"],
    );
}
