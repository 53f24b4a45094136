//! The decoder of the fuzz target over the committed seeds, so that it runs without a fuzzer too.

#[path = "../../../../fuzz/decoders/problem.rs"]
mod problem;
#[path = "../../../../fuzz/decoders/runner.rs"]
mod runner;

#[test]
fn problem_reads_or_refuses_every_seed() {
    runner::run("problem", problem::decode);
}
