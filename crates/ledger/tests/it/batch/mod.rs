//! Batch settlement on the embedded chain, against the random ledgers of the settlement crate.

mod archive;
mod completeness;
mod duty;
mod hub;
mod hub_faults;
mod lies;
mod record;
mod sealed;
mod sealed_fraud;
mod sealed_mixed;
mod sealed_probe;
mod sealed_stage;
mod signatures;
mod soundness;
mod stage;
mod watch;

#[path = "../../../../settlement/tests/it/mutation/mod.rs"]
mod mutation;
#[path = "../../../../settlement/tests/it/size.rs"]
mod size;
#[path = "../../../../settlement/tests/it/town.rs"]
mod town;
#[path = "../../../../settlement/tests/it/watcher.rs"]
mod watcher;
