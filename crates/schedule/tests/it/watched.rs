//! Somebody waits: what time allows, what failed, and how far the work is.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use gridtally_schedule::fleet::{FleetError, FleetOptions, plan, plan_watched};
use gridtally_schedule::household::{
    Capacity, Household, Origin, PlanError, PlanOptions, check, optimal, optimal_watched,
    preferred, shares,
};
use gridtally_schedule::solver::{Microlp, Model, Solution, SolveError, SolveOptions, Solver};
use gridtally_schedule::{Progress, Stage, Unwatched, Watch};

use crate::fleet::{assert_sound, fleets};
use crate::oracle::households;

/// Time is over when it was asked for so often.
struct Patient {
    asks: Cell<usize>,
    heard: RefCell<Vec<Progress>>,
}

impl Patient {
    fn asking(asks: usize) -> Self {
        Self { asks: Cell::new(asks), heard: RefCell::new(Vec::new()) }
    }
}

impl Watch for Patient {
    fn time_left(&self) -> Option<Duration> {
        let left = self.asks.get();
        self.asks.set(left.saturating_sub(1));
        Some(if left == 0 { Duration::ZERO } else { Duration::from_secs(600) })
    }

    fn told(&self, progress: &Progress) {
        self.heard.borrow_mut().push(*progress);
    }
}

/// A solver that always fails.
struct Broken;

impl Solver for Broken {
    fn solve(&self, _: &Model, _: &SolveOptions) -> Result<Solution, SolveError> {
        Err(SolveError::Failed { message: "out of order".to_owned() })
    }
}

/// A solver whose plans are not what was asked.
struct Wrong;

impl Solver for Wrong {
    fn solve(&self, model: &Model, options: &SolveOptions) -> Result<Solution, SolveError> {
        let mut solution = Microlp.solve(model, options)?;
        solution.values.iter_mut().for_each(|value| *value += 0.5);
        Ok(solution)
    }
}

const EXACTLY: PlanOptions = PlanOptions { gap: 0.0, time_limit: None };

/// Oracles whose preferred schedule is possible, and that can be planned.
fn possible() -> Vec<Household> {
    let possible = |household: &Household| {
        check(household, &preferred(household)).violations.is_empty()
            && optimal(household, &[&Microlp], &PlanOptions::INTERACTIVE).is_ok()
    };
    let households = households().into_iter().map(|(_, household, _)| household);
    households.filter(possible).take(6).collect()
}

fn with_brackets() -> Vec<Household> {
    let households = households().into_iter().map(|(_, household, _)| household);
    let has_brackets = |household: &Household| {
        matches!(&household.tariff.capacity, Capacity::DailyMaxSteps(stepped) if stepped.steps.len() > 2)
            && household.devices.len() <= 6
    };
    let households: Vec<_> = households.filter(has_brackets).take(6).collect();
    assert!(households.len() > 2);
    households
}

#[test]
fn another_solver_takes_over_where_one_fails_and_it_is_said() {
    for household in possible() {
        let alone = optimal(&household, &[&Microlp], &EXACTLY).expect("a plan");
        for useless in [&Broken as &dyn Solver, &Wrong] {
            let found = optimal(&household, &[useless, &Microlp], &EXACTLY).expect("a plan");
            assert_eq!(found.plan, alone.plan, "{}", household.id);
            assert_eq!((found.origin, found.is_cut_short), (Origin::Solver, false));
            assert!(!found.failures.is_empty(), "{}", household.id);
        }
    }
}

#[test]
fn without_any_solver_the_preferred_schedule_is_the_plan_where_it_is_possible() {
    for household in possible() {
        let found = optimal(&household, &[&Broken, &Wrong], &EXACTLY).expect("a plan");
        assert_eq!(found.plan, preferred(&household), "{}", household.id);
        assert_eq!(found.origin, Origin::Preferred);
        assert_eq!(check(&household, &found.plan).violations, []);
        assert!(found.failures.len() >= 2);
        // Nothing is claimed that no sound solver proved.
        assert_eq!(found.bound, f64::NEG_INFINITY);
    }
    let mut parts = possible().swap_remove(0).into_parts();
    parts.site.import_limit_kw = 0.0;
    let dark = Household::new(parts).expect("possible numbers");
    let Err(PlanError::NoPlan { source, .. }) = optimal(&dark, &[&Broken], &EXACTLY) else {
        panic!("the preferred schedule needs the grid")
    };
    assert_eq!(source, SolveError::Failed { message: "out of order".to_owned() });
}

#[test]
fn without_time_the_preferred_schedule_is_the_plan_and_nothing_is_proved() {
    for household in possible() {
        let found = optimal_watched(&household, &[&Microlp], &EXACTLY, &Patient::asking(0))
            .expect("the preferred schedule");
        assert_eq!(found.origin, Origin::Preferred);
        assert!(found.is_cut_short && found.bound == f64::NEG_INFINITY);
        let preferred = preferred(&household);
        let shares = shares(&household, &preferred, &[&Microlp], &EXACTLY, &Patient::asking(0));
        assert!(shares.expect("no solver fails").iter().all(Option::is_none));
    }
}

/// However many brackets there is time for: what is claimed holds, and with more time less is left open.
#[test]
fn brackets_that_were_not_solved_are_in_the_bound() {
    let mut cut_short = 0;
    for household in with_brackets() {
        let exact = optimal(&household, &[&Microlp], &EXACTLY).expect("a plan").cost.total();
        let mut gap = f64::INFINITY;
        for asks in 1..12 {
            let watch = Patient::asking(asks);
            let found = match optimal_watched(&household, &[&Microlp], &EXACTLY, &watch) {
                Ok(found) => found,
                Err(PlanError::NoPlan { .. }) => continue,
                Err(error) => panic!("{}: {error}", household.id),
            };
            let slack = 1e-6 * exact.abs().max(1.0);
            let cost = found.cost.total();
            assert!(found.bound <= exact + slack, "{}: {} {exact}", household.id, found.bound);
            assert!(cost >= exact - 1e-2, "{}: {cost} {exact}", household.id);
            assert_eq!(check(&household, &found.plan).violations, []);
            if found.origin == Origin::Solver {
                assert!(found.gap() <= gap + 1e-9, "{}: {} {gap}", household.id, found.gap());
                gap = found.gap();
            }
            if found.is_cut_short && found.origin == Origin::Solver && found.gap() > 1e-6 {
                cut_short += 1;
            }
            if !found.is_cut_short {
                assert!((cost - exact).abs() <= slack && found.gap() <= 1e-6);
            }
        }
        assert!(gap <= 1e-6, "{}: {gap}", household.id);
    }
    assert!(cut_short > 0, "some plans were the best so far");
}

#[test]
fn brackets_are_told_with_a_gap_that_only_shrinks() {
    for household in with_brackets() {
        let watch = Patient::asking(usize::MAX);
        optimal_watched(&household, &[&Microlp], &EXACTLY, &watch).expect("a plan");
        let heard = watch.heard.borrow();
        assert!(heard.iter().all(|told| told.stage == Stage::Brackets && told.done < told.total));
        let gaps: Vec<f64> = heard.iter().filter_map(Progress::gap).collect();
        assert!(!gaps.is_empty() && gaps.is_sorted_by(|a, b| a >= b), "{gaps:?}");
    }
}

#[test]
fn a_fleet_that_runs_out_of_time_has_a_plan_with_an_honest_gap() {
    let (_, fleet, _) = fleets().swap_remove(1);
    let options = FleetOptions::default();
    let whole = plan(&fleet, &options).expect("a plan");
    let mut planned = 0;
    for asks in [0, 1, 4, 8, 16, 32] {
        match plan_watched(&fleet, &options, &Patient::asking(asks)) {
            Ok(found) => {
                planned += 1;
                assert_sound(&fleet, &found);
                let slack = 1e-6 * whole.cost.abs();
                assert!(found.bound <= whole.cost + slack, "{asks}: {}", found.bound);
                assert!(found.cost >= whole.bound - slack, "{asks}: {}", found.cost);
            }
            Err(FleetError::TimeOver { exceeded }) => assert!(!exceeded.is_empty()),
            Err(error) => panic!("{asks}: {error}"),
        }
    }
    assert!(planned > 1, "{planned} of 6");
}

#[test]
fn rounds_of_a_fleet_are_told_with_both_sides() {
    let (_, fleet, _) = fleets().swap_remove(1);
    let watch = Patient::asking(usize::MAX);
    plan_watched(&fleet, &FleetOptions::default(), &watch).expect("a plan");
    let heard = watch.heard.borrow();
    assert!(heard.iter().any(|told| told.stage == Stage::Rounds && told.gap().is_some()));
    for told in heard.iter() {
        if let (Some(cost), Some(bound)) = (told.cost, told.bound) {
            assert!(bound <= cost * (1.0 + 1e-6), "{told:?}");
        }
    }
    plan_watched(&fleet, &FleetOptions::default(), &Unwatched).expect("a plan");
}
