//! Fleets: oracles with known answers, and random ones against the whole problem.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use gridtally_schedule::fleet::{Fleet, FleetError, FleetOptions, FleetPlan, check, plan};
use serde::Deserialize;

use crate::oracle::is_close;

#[derive(Deserialize)]
struct Oracle {
    expected: Expected,
}

#[derive(Deserialize)]
pub(crate) struct Expected {
    status: String,
    optimal_cost: f64,
    lp_cost: f64,
}

fn text(path: &Path) -> String {
    let content = std::fs::read(path).expect("readable");
    if path.extension().is_none_or(|extension| extension != "gz") {
        return String::from_utf8(content).expect("text");
    }
    let mut text = String::new();
    GzDecoder::new(content.as_slice()).read_to_string(&mut text).expect("gzip");
    text
}

pub(crate) fn fleets() -> Vec<(PathBuf, Fleet, Expected)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/oracles/fleet");
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let read = |path: PathBuf| {
        let text = text(&path);
        let fleet =
            Fleet::from_json(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let oracle: Oracle = serde_json::from_str(&text).expect("an answer");
        (path, fleet, oracle.expected)
    };
    files.into_iter().map(read).collect()
}

/// Asserts that the devices do what the plan says, within all limits.
pub(crate) fn assert_sound(fleet: &Fleet, plan: &FleetPlan) {
    let powers = fleet.each_device().map(|device| (device, plan.power_kw(fleet, device)));
    let found = check(fleet, powers);
    assert_eq!(found.devices, [], "{}", fleet.id);
    assert_eq!(found.limits, [], "{}", fleet.id);
    assert!(
        (found.cost - plan.cost).abs() <= 1e-6 * (1e-2 + plan.cost.abs()),
        "{}: {} {}",
        fleet.id,
        found.cost,
        plan.cost
    );
}

/// Fleets of up to so many devices are planned exactly, larger ones to the default gap.
const SMALL_MAX: usize = 400;

#[test]
fn oracles_are_planned_at_their_cost() {
    let exactly = FleetOptions { gap: 1e-7, groups: 40, ..FleetOptions::default() };
    // How far programs are from being mixed is a property of the problem.
    let with_programs = FleetOptions { gap: 2e-5, ..exactly };
    for (path, fleet, expected) in fleets() {
        assert_eq!(expected.status, "optimal");
        if fleet.devices() > SMALL_MAX {
            continue;
        }
        let path = path.display();
        let options = if fleet.cycles.profile.is_empty() { &exactly } else { &with_programs };
        let found = plan(&fleet, options).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_sound(&fleet, &found);
        assert!(
            is_close(found.cost, expected.optimal_cost),
            "{path}: {} for {}",
            found.cost,
            expected.optimal_cost
        );
        assert!(found.bound <= expected.optimal_cost + 1e-6, "{path}: {}", found.bound);
        assert!(
            is_close(found.bound, expected.lp_cost),
            "{path}: {} for {}",
            found.bound,
            expected.lp_cost
        );
    }
}

#[test]
fn larger_oracles_are_planned_within_the_gap() {
    for (path, fleet, expected) in fleets() {
        if fleet.devices() <= SMALL_MAX {
            continue;
        }
        let path = path.display();
        let found = plan(&fleet, &FleetOptions::default())
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_sound(&fleet, &found);
        assert!(found.gap() <= 1e-4, "{path}: {}", found.gap());
        assert!(found.bound <= expected.optimal_cost, "{path}: {}", found.bound);
        assert!(found.cost <= expected.optimal_cost * (1.0 + 1e-4), "{path}: {}", found.cost);
    }
}

#[test]
fn limits_that_leave_too_little_are_named() {
    let (_, fleet, _) = fleets().swap_remove(1);
    let mut parts = fleet.into_parts();
    parts.transformer_limit_kw[40..60].fill(0.0);
    parts.transformer_limit_kw[..40].fill(300.0);
    parts.transformer_limit_kw[60..].fill(300.0);
    let fleet = Fleet::new(parts).expect("possible numbers");
    let Err(FleetError::Limits { exceeded }) = plan(&fleet, &FleetOptions::default()) else {
        panic!("possible")
    };
    assert!(!exceeded.is_empty());
}
