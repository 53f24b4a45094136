//! What is said when nothing is possible.

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::{Expect, expect};
use gridtally_schedule::household::{
    Capacity, CapacityStep, DailyMaxSteps, DeviceKind, HourSoFar, Household, HouseholdParts,
    conflict,
};
use gridtally_schedule::solver::Microlp;
use gridtally_schedule::{Unwatched, Watch};

use crate::oracle::households;

fn check(name: &str, change: impl FnOnce(&mut HouseholdParts), expected: &Expect) {
    let (_, household, _) =
        households().into_iter().find(|(path, ..)| path.ends_with(name)).expect("an oracle");
    let mut parts = household.into_parts();
    change(&mut parts);
    check_conflict(&Household::new(parts).expect("possible numbers"), expected);
}

fn check_conflict(household: &Household, expected: &Expect) {
    let mut text = String::new();
    let found = conflict(household, &Microlp, &Unwatched).expect("solved");
    assert!(found.is_smallest);
    for found in found.conflicting {
        writeln!(text, "{:?} {:?}", found.demand, found.nearest)
            .expect("a string takes everything");
    }
    expected.assert_eq(&text);
}

/// Six hours from 18:00 on, behind a fuse of 10 kW, with these devices and wishes.
fn evening(rest: &str, change: impl FnOnce(&mut HouseholdParts)) -> Household {
    let text = format!(
        "name = 'evening'\ncurrency = 'NOK'\nzone = 'Europe/Oslo'\nstart = '2026-11-25T18:00'\nhours = 6\n\
         load_kw = 1.0\nimport_limit_kw = 10.0\n[tariff]\nimport_per_kwh = 1.0\nexport_per_kwh = 0.1\n{rest}"
    );
    let mut parts = Household::from_toml(&text).expect("possible numbers").into_parts();
    change(&mut parts);
    Household::new(parts).expect("possible numbers")
}

const CAR: &str = "[[device]]\nkind = 'car'\nname = 'car'\nbattery_kwh = 50.0\ncharge_max_kw = 7.0\narrives = '18:00'\n\
    leaves = '23:00'\narrives_with_percent = 20.0\nleaves_with_percent = 50.0\n";
const BATTERY: &str = "[[device]]\nkind = 'battery'\nname = 'battery'\ncapacity_kwh = 10.0\ncharge_max_kw = 1.0\n\
    give_back_max_kw = 1.0\nnow_percent = 20.0\n";
const HEAT_PUMP: &str = "[[device]]\nkind = 'heat-pump'\nname = 'heat pump'\npower_max_kw = 2.0\nheat_per_kwh = 3.0\n\
    outdoor_c = -5.0\nnow_c = 18.0\nwanted_c = 18.0\nleast_c = 17.0\nmost_c = 23.0\nheat_capacity_kwh_per_k = 6.0\n\
    heat_loss_kw_per_k = 0.15\n";

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

#[test]
fn each_demand_that_is_too_much_is_told_what_would_do() {
    let kept = |_: &mut HouseholdParts| {};
    // On the way: 3.5 h at 7 kW are 22 kWh, of 90 %.
    let by = format!("{CAR}by = ['20:00', 60.0]\n");
    check_conflict(
        &evening(&by, kept),
        &expect![[r#"
        SocMinBy { device: "car", session: 0, index: 0 } [SocPercent(45), Until(13)]
    "#]],
    );
    let full = format!("{BATTERY}end_percent = 100.0\n");
    check_conflict(
        &evening(&full, kept),
        &expect![[r#"
        FinalSoc { device: "battery" } [SocPercent(77)]
    "#]],
    );
    let holds = "[[wish]]\nkind = 'holds'\ndevice = 'battery'\npercent = 50.0\nfrom = '19:00'\nuntil = '23:00'\n";
    check_conflict(
        &evening(&format!("{BATTERY}{holds}"), kept),
        &expect![[r#"
        Wish { index: 0 } [SocPercent(31), From(12)]
    "#]],
    );
    let rests = "[[wish]]\nkind = 'rests'\ndevice = 'car'\nfrom = '19:00'\nuntil = '23:00'\n";
    check_conflict(
        &evening(&format!("{CAR}{rests}"), kept),
        &expect![[r#"
        Target { device: "car", session: 0 } [SocPercent(32)]
        Wish { index: 0 } [Until(14), From(10)]
    "#]],
    );
    let cold = HEAT_PUMP
        .replace("least_c = 17.0", "least_c = 20.0")
        .replace("wanted_c = 18", "wanted_c = 20");
    check_conflict(
        &evening(&cold, kept),
        &expect![[r#"
        Band { device: "heat pump" } [WiderBy(1.9)]
    "#]],
    );
    let warm_end = |parts: &mut HouseholdParts| {
        if let DeviceKind::Thermal(thermal) = &mut parts.devices[0].kind {
            thermal.state_final_min = 23.0;
        }
    };
    check_conflict(
        &evening(HEAT_PUMP, warm_end),
        &expect![[r#"
        FinalState { device: "heat pump" } [State(20.3)]
    "#]],
    );
    let flexible = "[[device]]\nkind = 'flexible'\nname = 'pool'\npower_max_kw = 2.0\nenergy_kwh = 5.0\nfrom = '20:00'\nuntil = '22:00'\n";
    check_conflict(
        &evening(flexible, kept),
        &expect![[r#"
        Runs { device: "pool" } [EnergyKwh(4.0), Until(18), From(6)]
    "#]],
    );
    let boiler = "[[device]]\nkind = 'switched'\nname = 'boiler'\npower_kw = 2.0\nhours = 2\nfrom = '20:00'\nuntil = '23:00'\n";
    let busy = |parts: &mut HouseholdParts| parts.site.load_kw[8..18].fill(9.0);
    check_conflict(
        &evening(boiler, busy),
        &expect![[r#"
        ImportLimit [LimitKw(11.0)]
        Runs { device: "boiler" } [OnSteps(2), From(2)]
    "#]],
    );
    let programs = "[[device]]\nkind = 'program'\nname = 'washing'\nprofile_kw = [2.0, 0.5]\nfrom = '18:00'\nready_by = '19:00'\n\
        [[device]]\nkind = 'program'\nname = 'drying'\nprofile_kw = [2.0, 2.0]\nfrom = '21:00'\nready_by = '22:00'\nafter = 'washing'\n\
        after_hours_max = 1\n";
    check_conflict(
        &evening(programs, kept),
        &expect![[r#"
        Runs { device: "washing" } [Until(8)]
        Order { device: "drying" } [PauseSteps(8)]
        Runs { device: "drying" } [From(8)]
    "#]],
    );
    let low = |parts: &mut HouseholdParts| {
        parts.tariff.capacity = Capacity::DailyMaxSteps(DailyMaxSteps {
            hour_so_far: HourSoFar::default(),
            day_so_far_kw: 0.0,
            history_daily_max_kw: Vec::new(),
            steps: vec![CapacityStep { upto_kw: 4.0, fee: 100.0 }],
        });
    };
    check_conflict(
        &evening(CAR, low),
        &expect![[r#"
        Capacity [LimitKw(4.4)]
        Target { device: "car", session: 0 } [SocPercent(47), Until(21)]
    "#]],
    );
}

/// The wish that settles one of two conflicts was once looked up among the wishes that were left, at its place among all of them: out of bounds.
#[test]
fn a_wish_after_one_that_does_not_matter_is_told_what_would_do_beside_another_conflict() {
    let early = CAR.replace("leaves = '23:00'", "leaves = '19:00'");
    let wishes = "[[wish]]\nkind = 'rests'\ndevice = 'battery'\nfrom = '23:00'\nuntil = '23:30'\n\
        [[wish]]\nkind = 'holds'\ndevice = 'battery'\npercent = 50.0\nfrom = '19:00'\nuntil = '23:00'\n";
    check_conflict(
        &evening(&format!("{early}{BATTERY}{wishes}"), unchanged),
        &expect![[r#"
        Wish { index: 1 } [SocPercent(31), From(12)]
    "#]],
    );
}

#[test]
fn without_time_the_set_is_not_said_to_be_the_smallest() {
    struct OutOfTime(std::cell::Cell<u32>);
    impl Watch for OutOfTime {
        fn time_left(&self) -> Option<Duration> {
            self.0.set(self.0.get() + 1);
            Some(if self.0.get() > 3 { Duration::ZERO } else { Duration::from_secs(60) })
        }
    }
    let by = format!("{CAR}by = ['20:00', 60.0]\n");
    let household = evening(&by, |_| {});
    let found =
        conflict(&household, &Microlp, &OutOfTime(std::cell::Cell::new(0))).expect("solved");
    assert!(!found.is_smallest);
    assert!(
        found.conflicting.len() > 1
            && found.conflicting.iter().all(|demand| demand.nearest.is_empty())
    );
    let at_once =
        conflict(&household, &Microlp, &OutOfTime(std::cell::Cell::new(9))).expect("no failure");
    assert!(!at_once.is_smallest && at_once.conflicting.len() >= found.conflicting.len());
}
