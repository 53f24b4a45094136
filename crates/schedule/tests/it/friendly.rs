//! Households that people write.

use expect_test::{Expect, expect};
use gridtally_schedule::household::{Household, PlanOptions, check, optimal};
use gridtally_schedule::solver::Microlp;

const EXAMPLE: &str = include_str!("../../../../examples/household.toml");

fn check_refused(changes: &[(&str, &str)], expected: &Expect) {
    let mut text = EXAMPLE.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    expected.assert_eq(&Household::from_toml(&text).expect_err("refused").to_string());
}

#[test]
fn the_example_is_planned() {
    let household = Household::from_toml(EXAMPLE).expect("possible");
    let found = optimal(&household, &[&Microlp], &PlanOptions { gap: 0.0, time_limit: None })
        .expect("a plan");
    assert_eq!(check(&household, &found.plan).violations, []);
    // The dishwasher rests at night, and the car is as full as asked.
    let rests = &found.plan.device_kw[1][44..68];
    assert!(rests.iter().all(|power| *power == 0.0), "{rests:?}");
    let charged: f64 = found.plan.device_kw[0].iter().map(|power| power * 0.25 * 0.9).sum();
    assert!((charged - 27.0).abs() < 1e-6, "{charged}");
}

#[test]
fn from_noon_to_noon_are_25_hours_when_clocks_go_back() {
    let text =
        EXAMPLE.replace("2026-11-25T12:00", "2026-10-24T12:00").replace("hours = 24", "hours = 25");
    let text = text.replace("import_per_kwh = [\n", "import_per_kwh = [\n    0.70,\n");
    let household = Household::from_toml(&text).expect("possible");
    assert_eq!(household.horizon.steps(), 100);
    assert_eq!(household.horizon.days(), [0..48, 48..100]);
    assert_eq!(household.horizon.hours().len(), 25);
    assert_eq!(household.horizon.local(60).to_string(), "2026-10-25T02:00:00");
    assert_eq!(household.horizon.local(100).to_string(), "2026-10-25T12:00:00");
}

#[test]
fn what_cannot_be_is_named_by_its_field() {
    check_refused(&[("hours = 24", "hours = 0")], &expect!["hours: 0 is not between 1 and 168"]);
    check_refused(
        &[("leaves = \"07:30\"", "leaves = \"07:31\"")],
        &expect![
            "device[0].leaves: no step begins at 07:31:00 between 2026-11-25T17:15:00 and 2026-11-26T12:00:00"
        ],
    );
    check_refused(
        &[("0.97,\n", "\n")],
        &expect!["tariff.import_per_kwh: 23 values where 96 are needed"],
    );
    check_refused(
        &[("battery_kwh = 60.0", "battery_kwh = -60.0")],
        &expect!["device[0].capacity_kwh: -60 is not between 0 and 1000000"],
    );
    check_refused(
        &[("device = \"car\"", "device = \"boat\"")],
        &expect![[r#"wish[1].device: no device called "boat" can be asked for this"#]],
    );
    check_refused(
        &[("name = \"dishwasher\"", "name = \"car\"")],
        &expect![[r#"device[1].id: "car" is the name of an earlier device"#]],
    );
    check_refused(
        &[("wanted_c = 21.0", "wanted_c = nan")],
        &expect!["device[2].wanted_c: NaN is not between 20 and 22.5"],
    );
    check_refused(
        &[("wanted_c = 21.0", "wnated_c = 21.0")],
        &expect![
            ".: TOML parse error at line 28, column 1    | 28 | [[device]]    | ^^^^^^^^^^ unknown field `wnated_c`, expected one of `name`, `power_max_kw`, `power_min_kw`, `heat_per_kwh`, `outdoor_c`, `now_c`, `wanted_c`, `least_c`, `most_c`, `heat_capacity_kwh_per_k`, `heat_loss_kw_per_k`, `discomfort_per_kh`"
        ],
    );
}
