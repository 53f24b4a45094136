//! What is said when nothing is possible.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use gridtally_schedule::household::{DeviceKind, Household, HouseholdParts, conflict};
use gridtally_schedule::solver::Microlp;

use crate::oracle::households;

fn check(name: &str, change: impl FnOnce(&mut HouseholdParts), expected: &Expect) {
    let (_, household, _) =
        households().into_iter().find(|(path, ..)| path.ends_with(name)).expect("an oracle");
    let mut parts = household.into_parts();
    change(&mut parts);
    let household = Household::new(parts).expect("possible numbers");
    let mut text = String::new();
    for found in conflict(&household, &Microlp).expect("solved") {
        writeln!(text, "{:?} {:?}", found.demand, found.nearest)
            .expect("a string takes everything");
    }
    expected.assert_eq(&text);
}

fn unchanged(_: &mut HouseholdParts) {}

#[test]
fn what_oracles_ask_in_vain_is_named() {
    check(
        "56.json",
        unchanged,
        &expect![[r#"
        Target { device: "ev", session: 0 } [SocPercent(63)]
    "#]],
    );
    check(
        "59.json",
        unchanged,
        &expect![[r#"
            ImportLimit [LimitKw(1.9)]
        "#]],
    );
}

#[test]
fn a_household_that_can_be_planned_has_no_conflict() {
    check("16.json", unchanged, &expect![[r#""#]]);
}

#[test]
fn a_fuse_that_is_too_small_is_named_with_what_it_must_carry() {
    let narrow = |parts: &mut HouseholdParts| parts.site.import_limit_kw = 1.0;
    check(
        "36.json",
        narrow,
        &expect![[r#"
            ImportLimit [LimitKw(3.6)]
        "#]],
    );
}

#[test]
fn a_car_that_leaves_too_early_is_told_how_full_it_can_be_and_when_it_would_be_full() {
    let early = |parts: &mut HouseholdParts| {
        for device in &mut parts.devices {
            if let DeviceKind::Ev(ev) = &mut device.kind {
                ev.sessions[0].departure = ev.sessions[0].arrival + 4;
            }
        }
    };
    check(
        "16.json",
        early,
        &expect![[r#"
        Target { device: "ev", session: 0 } [SocPercent(37), Until(90)]
    "#]],
    );
}
