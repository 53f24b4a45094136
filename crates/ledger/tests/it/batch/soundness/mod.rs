//! No proof succeeds against honest batches, whatever it is made of: leaves, accounts, entries, headers, tables and openings of this batch
//! or another one, at their places or moved, as they are or with a number changed.

mod ground;
mod probe;

use std::collections::BTreeMap;

use alloy_primitives::keccak256;
use futures::StreamExt;
use gridtally_ledger::{BlockId, Call, CallRequest, EndpointError};
use gridtally_settlement::DataKind;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use self::ground::Ground;
use self::probe::PROBES;
use super::size::times;

/// Probes of each proof on each commit.
const PROBES_EACH: u32 = 100;
/// Probes of each proof at most with the same batches.
const PROBES_EACH_GROUND: u32 = 1_000;
/// Grounds at most beyond those needed: not every ground has something for each proof.
const GROUNDS_MAX: u32 = 8;
/// How often a probe is made until it is one.
const ATTEMPTS: u32 = 50;
/// Calls that are under way at once.
const CALLS_AT_ONCE: usize = 8;

/// What became of the probes of one proof.
#[derive(Debug, Default)]
struct Count {
    made: u32,
    /// Refused because the rule is obeyed, and not for what came before.
    reached: u32,
}

#[tokio::test]
async fn no_proof_succeeds_against_honest_batches_in_calldata() {
    probe_all(DataKind::Calldata, 61).await;
}

#[tokio::test]
async fn no_proof_succeeds_against_honest_batches_in_blobs() {
    probe_all(DataKind::Blob, 71).await;
}

async fn probe_all(kind: DataKind, first_seed: u64) {
    let mut counts: BTreeMap<&'static str, Count> = BTreeMap::new();
    let wanted = PROBES_EACH * times();
    let grounds_max = GROUNDS_MAX + 2 * wanted / PROBES_EACH_GROUND;
    for seed in (first_seed..).take(grounds_max.try_into().unwrap()) {
        if !counts.is_empty() && counts.values().all(|count| count.made == wanted) {
            break;
        }
        let ground = Ground::new(kind, seed).await;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for &(name, probe) in PROBES {
            let count = counts.entry(name).or_default();
            let each = (wanted - count.made).min(PROBES_EACH_GROUND);
            // Some answers are right by chance, and some batches took no exit in.
            let calls = (0..ATTEMPTS * each).filter_map(|_| probe(&ground, &mut random));
            let calls: Vec<Call> = calls.take(each.try_into().unwrap()).collect();
            count.made += u32::try_from(calls.len()).unwrap();
            count.reached += tried(&ground, name, calls).await;
        }
        assert_eq!(ground.state().await, ground.state_before, "nothing changed");
    }
    let made: u32 = counts.values().map(|count| count.made).sum();
    for (name, Count { made, reached }) in &counts {
        assert_eq!(*made, wanted, "{name}");
        let is_judged = name.starts_with("prove");
        assert!(!is_judged || reached * 20 > *made, "{name}: idle, {reached} of {made} judged");
    }
    let each: Vec<String> = counts
        .iter()
        .map(|(name, Count { made, reached })| format!("{name} {made} ({reached})"))
        .collect();
    println!(
        "proved: {kind:?}: none of {made} probes of {} proofs and answers succeeds against honest batches; of each, and how many \
         were judged by the rule: {}",
        counts.len(),
        each.join(", ")
    );
}

/// Calls, and returns how many were refused because the rule is obeyed.
async fn tried(ground: &Ground, name: &str, calls: Vec<Call>) -> u32 {
    let not_fraud = &keccak256("NotFraud()")[..4];
    let from = Some(ground.stage.officer().address());
    let client = &ground.stage.node.client;
    let answers = futures::stream::iter(calls)
        .map(|call| async move {
            let Call { to, data, .. } = call;
            let request = CallRequest { from, to, data, gas: None, blob_versioned_hashes: None };
            let answer = client.call(&request, BlockId::Latest).await;
            (request, answer)
        })
        .buffer_unordered(CALLS_AT_ONCE);
    let mut reached = 0;
    let mut answers = std::pin::pin!(answers);
    while let Some((request, answer)) = answers.next().await {
        let error = answer.err();
        let error = error.unwrap_or_else(|| panic!("{name} succeeds: {}", request.data));
        let EndpointError::Refused { .. } = &error else { panic!("{name}: {error}") };
        let data = error.refusal().and_then(|refusal| refusal.data.clone()).unwrap_or_default();
        reached += u32::from(data.starts_with(not_fraud));
    }
    reached
}
