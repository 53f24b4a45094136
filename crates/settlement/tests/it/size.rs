//! How much is proved: little on each commit, much by `scripts/prove`.

/// Returns how many times as much as on each commit is tried, which `GRIDTALLY_PROVE_TIMES` says.
pub(crate) fn times() -> u32 {
    let Ok(text) = std::env::var("GRIDTALLY_PROVE_TIMES") else { return 1 };
    text.parse().ok().filter(|&times| times > 0).expect("GRIDTALLY_PROVE_TIMES is a number from 1")
}
