//! Every mutation of a batch that breaks a rule falls on the chain, by the proof that the rule engine names; and the same proof
//! says nothing against the honest batch.

use std::collections::BTreeMap;

use gridtally_ledger::{BatchData, BatchEvent, SendError};
use gridtally_settlement::{DataKind, FraudProof, TariffTable, Violation, versioned_hashes};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::mutation::{WAYS, mutate};
use super::stage::{Stage, state_after};
use super::town::{Committed, Data};
use super::watcher::{Outcome, watch};
use crate::node::Node;

/// Mutations of published data, and of records beside them.
const DATA_WAYS: [u32; 3] = [4, 19, 20];

/// What became of the mutations.
#[derive(Debug, Default)]
struct Tally {
    refused: u32,
    harmless: u32,
    unanswerable: u32,
    /// By the contract's name of the proof.
    cancelled: BTreeMap<&'static str, u32>,
}

#[tokio::test]
async fn what_the_engine_finds_falls_on_the_chain() {
    let mut tally = Tally::default();
    for seed in [1, 2, 3] {
        let stage = Stage::new(Node::embedded().await, seed).await;
        try_all(stage, 5, |_| true, &mut tally).await;
    }
    assert_eq!(tally.cancelled.len(), 8, "{tally:?}");
    assert!(tally.cancelled.values().sum::<u32>() > 80, "{tally:?}");
}

/// What is published in blobs is opened by the precompile: the ways to change data, and some others.
#[tokio::test]
async fn what_differs_from_its_blobs_falls_on_the_chain() {
    let mut tally = Tally::default();
    let stage = Stage::publishing(Node::embedded().await, 4, DataKind::Blob).await;
    try_all(stage, 2, |way| way % 3 == 1 || DATA_WAYS.contains(&way), &mut tally).await;
    assert!(tally.cancelled.contains_key("proveBlob"), "{tally:?}");
    assert!(tally.cancelled.len() > 3, "{tally:?}");
}

/// Tries mutations of so many batches.
async fn try_all(mut stage: Stage, batches: u32, is_tried: fn(u32) -> bool, tally: &mut Tally) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..batches {
        let honest = stage.next_batch().await;
        for way in (0..WAYS).filter(|way| is_tried(*way)) {
            let mut batch = honest.clone();
            if mutate(&mut batch, way, &mut random) {
                try_on_chain(&stage, &honest, &batch, tally).await;
            }
        }
        let header = stage.commit(&honest).await.unwrap();
        stage.town.state = state_after(&honest, header);
    }
}

/// Commits a mutated batch, judges what the chain made of it, and proves what is found.
async fn try_on_chain(stage: &Stage, honest: &Committed, batch: &Committed, tally: &mut Tally) {
    let table = stage.town.tables[&batch.header.period].clone();
    let found = stage
        .tentatively(async || {
            let header = match stage.commit(batch).await {
                Ok(header) => header,
                Err(SendError::Refused { .. }) => {
                    tally.refused += 1;
                    return None;
                }
                Err(error) => panic!("{error}"),
            };
            let batch = Committed { header, ..batch.clone() };
            match watch(&batch, &stage.town.state, &stage.town, &table).0 {
                Outcome::Valid(state) => {
                    assert_eq!(state, state_after(&batch, batch.header.clone()));
                    tally.harmless += 1;
                }
                Outcome::Unanswerable => tally.unanswerable += 1,
                Outcome::Fraud(violation) => {
                    let call = call_of(stage, &violation.proof, &batch, &table);
                    let receipt = stage.send(call).await;
                    let receipt = receipt.unwrap_or_else(|error| panic!("{violation:?}: {error}"));
                    let is_cancelled = stage.events(&receipt).iter().any(|event| {
                        matches!(event, BatchEvent::Cancelled { seq, .. } if *seq == batch.header.seq)
                    });
                    assert!(is_cancelled, "{violation:?}");
                    *tally.cancelled.entry(violation.proof.call(batch.header.data_kind)).or_default() += 1;
                    return Some(violation);
                }
            }
            None
        })
        .await;
    if let Some(violation) = found {
        stage
            .tentatively(async || assert_says_nothing(stage, honest, &violation, &table).await)
            .await;
    }
}

async fn assert_says_nothing(
    stage: &Stage,
    honest: &Committed,
    violation: &Violation,
    table: &TariffTable,
) {
    let header = stage.commit(honest).await.unwrap();
    let honest = Committed { header, ..honest.clone() };
    let sent = stage.send(call_of(stage, &violation.proof, &honest, table)).await;
    assert!(matches!(sent, Err(SendError::Refused { .. })), "{violation:?}");
}

fn call_of(
    stage: &Stage,
    proof: &FraudProof,
    batch: &Committed,
    table: &TariffTable,
) -> gridtally_ledger::Call {
    let data = match &batch.data {
        Data::Calldata(data) => BatchData::Calldata(data.clone()),
        Data::Blobs(blobs) => {
            let versioned_hashes = versioned_hashes(blobs).unwrap();
            BatchData::Blobs { blobs: blobs.clone(), versioned_hashes }
        }
    };
    let evidence = match proof {
        FraudProof::Data { leaf } => data.evidence(leaf.index),
        _ => None,
    };
    let parent = stage.town.state.header();
    stage.ledger.prove_call(proof, &batch.header, parent, table, evidence).unwrap()
}
