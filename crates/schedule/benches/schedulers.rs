//! What `scripts/bench-schedulers` runs of ours: a household of a file, planned so many times, by us and as a textbook program by `HiGHS`.
#![expect(clippy::print_stdout, reason = "what it prints is its result")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::time::{Duration, Instant};

use gridtally_schedule::household::{Household, PlanOptions, optimal};
use gridtally_schedule::solver::{Highs, Microlp, SolveOptions, Solver};
use gridtally_schedule::textbook;

fn main() {
    let arguments: Vec<String> = std::env::args().filter(|text| text != "--bench").collect();
    let [_, file, rounds] = arguments.as_slice() else { return };
    let rounds: usize = rounds.parse().expect("a number of rounds");
    let text = std::fs::read_to_string(file).expect("a problem");
    let household = Household::from_json(&text).expect("a problem");
    let time_limit = Some(Duration::from_mins(2));
    let options = PlanOptions { gap: 1e-4, time_limit };
    let plan = |solver: &dyn Solver| {
        optimal(&household, &[solver], &options).expect("a plan").cost.total()
    };
    report("gridtally", rounds, || plan(&Microlp));
    report("gridtally's formulation, HiGHS", rounds, || plan(&Highs));
    report("usual formulation, HiGHS", rounds, || {
        let model = textbook::household(&household).expect("no wishes");
        let options = SolveOptions { gap: 1e-4, time_limit, nodes_max: None };
        Highs.solve(&model, &options).expect("a plan").cost
    });
}

/// Calls `plan` once to warm up and `rounds` times for the clock.
fn report(planner: &str, rounds: usize, plan: impl Fn() -> f64) {
    let mut cost = plan();
    let seconds: Vec<f64> = (0..rounds)
        .map(|_| {
            let begin = Instant::now();
            cost = plan();
            begin.elapsed().as_secs_f64()
        })
        .collect();
    let report =
        serde_json::json!({ "planner": planner, "seconds": seconds, "cost": cost, "left_out": [] });
    println!("{report}");
}
