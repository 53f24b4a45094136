//! Households that people write.

use gridtally_schedule::household::{Household, PlanOptions, check, optimal};
use gridtally_schedule::solver::Microlp;

const EXAMPLE: &str = include_str!("../../../../examples/household.toml");

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
