//! Batch settlement on the embedded chain, against the random ledgers of the settlement crate.

mod completeness;
mod duty;
mod hub;
mod hub_faults;
mod record;
mod sealed;
mod sealed_fraud;
mod sealed_mixed;
mod sealed_probe;
mod sealed_stage;
mod signatures;
mod stage;
mod watch;

#[path = "../../../../settlement/tests/it/mutation.rs"]
mod mutation;
#[path = "../../../../settlement/tests/it/town.rs"]
mod town;
#[path = "../../../../settlement/tests/it/watcher.rs"]
mod watcher;
