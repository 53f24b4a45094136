//! Every mutation of a batch that breaks a rule falls on the chain, by the proof that the rule engine names or by a demand that nobody
//! can answer; and the same proof says nothing against the honest batch.

use std::collections::BTreeMap;

use gridtally_ledger::{BatchData, BatchEvent, Call, Demanded, Receipt, SendError};
use gridtally_settlement::{
    BatchHeader, DataKind, Demand, FraudProof, Need, TariffTable, Violation, versioned_hashes,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::mutation::{Way, commitment_ways, ways};
use super::size::times;
use super::stage::{Stage, state_after};
use super::town::{Committed, Data};
use super::watcher::{Outcome, watch};
use crate::node::Node;

/// Time to answer a demand, s.
const ANSWER_S: u64 = 2 * 86_400;
/// What the ways to change published data begin with.
const DATA_WORDS: [&str; 3] = ["published", "a blob", "bytes before"];

/// What became of the mutations.
#[derive(Debug, Default)]
struct Tally {
    tried: u32,
    refused: u32,
    harmless: u32,
    expired: u32,
    /// By the contract's name of the proof.
    cancelled: BTreeMap<&'static str, u32>,
}

impl Tally {
    fn say(&self, what: &str) {
        let Self { tried, refused, harmless, expired, cancelled } = self;
        let proved: u32 = cancelled.values().sum();
        println!(
            "proved: {what}: {tried} mutations on the chain: {refused} refused at the commit, {proved} cancelled by a proof \
             {cancelled:?}, {expired} by a demand that nobody could answer, {harmless} harmless"
        );
    }
}

#[tokio::test]
async fn what_the_engine_finds_falls_on_the_chain() {
    let mut tally = Tally::default();
    for seed in 1..=u64::from(2 * times()) {
        let stage = Stage::new(Node::embedded().await, seed).await;
        try_all(stage, 3, |_| true, &mut tally).await;
    }
    assert_eq!(tally.cancelled.len(), 8, "{tally:?}");
    assert!(tally.cancelled.values().sum::<u32>() > 80, "{tally:?}");
    assert!(tally.expired > 20 && tally.refused > 20, "{tally:?}");
    tally.say("calldata");
}

/// What is published in blobs is opened by the precompile: the ways to change data, and some others.
#[tokio::test]
async fn what_differs_from_its_blobs_falls_on_the_chain() {
    let mut tally = Tally::default();
    for seed in 4..4 + u64::from(times()) {
        let stage = Stage::publishing(Node::embedded().await, seed, DataKind::Blob).await;
        try_all(stage, 2, is_tried_in_blobs, &mut tally).await;
    }
    assert!(tally.cancelled.contains_key("proveBlob"), "{tally:?}");
    assert!(tally.cancelled.len() > 3, "{tally:?}");
    tally.say("blobs");
}

/// Blobs take long to commit to: on each commit every third way, and all that change data.
fn is_tried_in_blobs(way: &Way) -> bool {
    let is_of_data = DATA_WORDS.iter().any(|word| way.name.contains(word));
    let number = ways().position(|other| other.name == way.name);
    times() > 1 || is_of_data || number.is_some_and(|number| number % 3 == 1)
}

/// Who forced a reading waits for a correction within a day; what comes later falls.
#[tokio::test]
async fn late_corrections_of_forced_readings_fall_on_the_chain() {
    let mut tally = Tally::default();
    let (mut forced, mut late) = (0, 0);
    for seed in 31..31 + u64::from(2 * times()) {
        let mut stage = Stage::new(Node::embedded().await, seed).await;
        stage.town.corrects = Some(false);
        let honest = stage.next_batch().await;
        stage.settle(&honest).await;
        let honest = stage.next_batch().await;
        stage.settle(&honest).await;
        let honest = stage.next_batch().await;
        stage.settle(&honest).await;
        stage.finalize_all().await;
        forced += stage.force_readings(6).await;
        stage.end_corrections().await;
        stage.town.corrects = Some(true);
        for _ in 0..3 {
            let honest = stage.next_batch().await;
            late += honest.late.len();
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            for way in ways().filter(|way| way.name.contains("forced")) {
                for _ in 0..4 {
                    let mut batch = honest.clone();
                    if way.apply(&mut batch, &mut random) {
                        try_on_chain(&stage, &honest, &batch, way.name, &mut tally).await;
                    }
                }
            }
            stage.settle(&honest).await;
        }
    }
    assert!(forced > 2 && late > 2, "{forced} forced, {late} late");
    assert!(tally.cancelled.contains_key("proveForced"), "{tally:?}");
    tally.say("forced readings");
}

/// Tries mutations of so many batches.
async fn try_all(mut stage: Stage, batches: u32, is_tried: fn(&Way) -> bool, tally: &mut Tally) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for batch in 0..batches {
        // What is paid in may be left out, and nobody's balance falls below zero.
        stage.town.deposit(batch % stage.town.participants, 1);
        let honest = stage.next_batch().await;
        for way in ways().chain(commitment_ways()).filter(|way| is_tried(way)) {
            let mut batch = honest.clone();
            if way.apply(&mut batch, &mut random) {
                try_on_chain(&stage, &honest, &batch, way.name, tally).await;
            }
        }
        stage.settle(&honest).await;
    }
}

/// Commits a mutated batch, judges what the chain made of it, and proves what is found.
async fn try_on_chain(
    stage: &Stage,
    honest: &Committed,
    batch: &Committed,
    way: &str,
    tally: &mut Tally,
) {
    tally.tried += 1;
    let found = stage
        .tentatively(async || {
            let header = match stage.commit(batch).await {
                Ok(header) => header,
                Err(SendError::Refused { .. }) => {
                    tally.refused += 1;
                    return None;
                }
                Err(error) => panic!("{way}: {error}"),
            };
            let batch = Committed { header, ..batch.clone() };
            let table = stage.town.tables[&batch.header.period].clone();
            match watch(&batch, &stage.town.state, &stage.town, &table).0 {
                Outcome::Valid(state) => {
                    assert_eq!(state, state_after(&batch, batch.header.clone()), "{way}");
                    tally.harmless += 1;
                }
                Outcome::Unanswerable(demand) => {
                    expire(stage, &batch.header, demand, way).await;
                    tally.expired += 1;
                }
                Outcome::Fraud(violation) => {
                    let call = call_of(stage, &violation.proof, &batch, &table);
                    let sent = stage.send(call).await;
                    let receipt =
                        sent.unwrap_or_else(|error| panic!("{way}: {violation:?}: {error}"));
                    assert_cancelled(stage, &receipt, &batch.header, way);
                    let name = violation.proof.call(batch.header.data_kind);
                    *tally.cancelled.entry(name).or_default() += 1;
                    return Some(violation);
                }
            }
            None
        })
        .await;
    if let Some(violation) = found {
        let table = &stage.town.tables[&honest.header.period];
        stage
            .tentatively(async || assert_says_nothing(stage, honest, &violation, table).await)
            .await;
    }
}

/// Demands what nobody can answer, waits, and cancels the batch.
async fn expire(stage: &Stage, header: &BatchHeader, demand: Demand, way: &str) {
    let demanded = match demand {
        Demand::Records(Need::Row) => Demanded::RecordRow,
        Demand::Records(Need::Group(group)) => Demanded::RecordGroup(group),
        Demand::Accounts(Need::Row) => Demanded::AccountRow,
        Demand::Accounts(Need::Group(group)) => Demanded::AccountGroup(group),
    };
    let ledger = &stage.ledger;
    stage.send(ledger.demand_call(header, demanded)).await.unwrap();
    let expire = || ledger.expire_call(header, stage.town.state.header(), demanded);
    let early = stage.send(expire()).await;
    assert!(matches!(early, Err(SendError::Refused { .. })), "{way}: before its time");
    stage.pass(ANSWER_S + 1).await;
    let receipt = stage.send(expire()).await.unwrap_or_else(|error| panic!("{way}: {error}"));
    assert_cancelled(stage, &receipt, header, way);
}

fn assert_cancelled(stage: &Stage, receipt: &Receipt, header: &BatchHeader, way: &str) {
    let is_cancelled = |event: &BatchEvent| matches!(event, BatchEvent::Cancelled { seq, .. } if *seq == header.seq);
    assert!(stage.events(receipt).iter().any(is_cancelled), "{way}");
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

fn call_of(stage: &Stage, proof: &FraudProof, batch: &Committed, table: &TariffTable) -> Call {
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
