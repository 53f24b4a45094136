//! What a participant does alone: prove a record, claim, and leave a ledger whose hub has stopped.

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_ledger::{
    Demanded, ExportError, FollowOptions, ReadError, SendError, WantedRecord, Watcher,
};
use gridtally_settlement::{MeterKey, RecordProof, RecordProofError, SignedReading};

use super::hub::pass;
use super::stage::{Stage, state_after};
use super::town::Committed;
use crate::node::Node;
use crate::town::key;

/// The window and a second.
const WINDOW_OVER_S: u64 = 7 * 86_400 + 1;
/// The time without a final batch after which a ledger can be frozen, and a second.
const FREEZE_OVER_S: u64 = 28 * 86_400 + 1;

/// Commits honest batches until one has a reading, and returns them.
async fn committed(stage: &mut Stage) -> Vec<Committed> {
    let mut batches = Vec::new();
    loop {
        let honest = stage.next_batch().await;
        let header = stage.commit(&honest).await.unwrap();
        stage.town.state = state_after(&honest, header.clone());
        let is_last = honest.leaves.iter().any(|leaf| leaf.record.code().is_priced());
        batches.push(Committed { header, ..honest });
        if is_last {
            return batches;
        }
    }
}

async fn finalize(stage: &Stage, batches: &[Committed]) {
    pass(stage, WINDOW_OVER_S).await;
    for batch in batches {
        stage.send(stage.ledger.finalize_call(&batch.header)).await.unwrap();
    }
}

async fn watcher(stage: &Stage) -> Watcher {
    let mut watcher = Watcher::new(stage.ledger.clone(), FollowOptions::default(), None);
    watcher.poll().await.unwrap();
    watcher
}

/// Returns the last reading of a batch, as somebody asks for it.
fn wanted(batch: &Committed) -> (usize, WantedRecord) {
    let place = batch.leaves.iter().rposition(|leaf| leaf.record.code().is_priced()).unwrap();
    let record = &batch.leaves[place].record;
    let wanted = WantedRecord {
        participant: record.participant(),
        period: batch.header.period,
        run: batch.header.run,
        slot: record.slot(),
        code: Some(record.code()),
    };
    (place, wanted)
}

#[tokio::test]
async fn a_record_is_proved_down_to_a_final_header() {
    let mut stage = Stage::new(Node::embedded().await, 21).await;
    let mut batches = committed(&mut stage).await;
    let batch = batches.last().unwrap().clone();
    let (place, wanted) = wanted(&batch);
    let pending = watcher(&stage).await.export_record(&wanted).await.unwrap();
    let proved = pending.check().unwrap();
    assert_eq!(proved.leaf.leaf, batch.leaves[place]);
    let asked = stage.ledger.verify_record(&proved.headers, &proved.leaf).await;
    assert!(matches!(asked, Err(ReadError::Refused { .. })), "pending");

    // One more batch, so that the chain of headers has a link.
    batches.extend(committed(&mut stage).await);
    finalize(&stage, &batches).await;
    let mut proof = watcher(&stage).await.export_record(&wanted).await.unwrap();
    let proved = proof.check().unwrap();
    assert!(proved.headers.len() > 1);
    assert_eq!(proved.header(), &batch.header);
    stage.ledger.verify_record(&proved.headers, &proved.leaf).await.unwrap();
    let short = stage.ledger.verify_record(&proved.headers[1..], &proved.leaf).await;
    short.unwrap();

    // The meter's signature, which the chain does not have.
    let record = &proved.leaf.leaf.record;
    let header = proved.header();
    let reading = SignedReading::of_record(header.period, header.run, record).unwrap();
    let digest = reading.digest(&proof.domain());
    let meter = stage.ledger.meter_of(wanted.participant).await.unwrap().unwrap();
    let operator = stage.ledger.deployment().terms.offices.metering_operator;
    let in_correction = stage.ledger.keys_of(wanted.participant, 1).await.unwrap();
    assert_eq!(in_correction, [meter, MeterKey::Secp256k1(operator)]);
    assert_eq!(stage.ledger.keys_of(wanted.participant, 0).await.unwrap(), [meter]);
    assert_eq!(proof.check_signature(&proved, &meter), None);
    proof.signature = Some(key(1).sign(digest).as_bytes().to_vec().into());
    assert_eq!(proof.check_signature(&proved, &meter), Some(Ok(())));
    let other = MeterKey::Secp256k1(key(2).address());
    assert!(proof.check_signature(&proved, &other).unwrap().is_err());
    assert_everything_counts(&proof);
}

/// Changes each field of a proof, and expects to hear of it.
fn assert_everything_counts(proof: &RecordProof) {
    let refused = |change: fn(&mut RecordProof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        changed.check().unwrap_err()
    };
    let not_included = |error| matches!(error, RecordProofError::NotIncluded { .. });
    assert!(not_included(refused(|proof| proof.participant ^= 1)));
    assert!(not_included(refused(|proof| proof.balance_after_micro ^= 1)));
    assert!(not_included(refused(|proof| proof.hub_after_micro ^= 1)));
    assert!(not_included(refused(|proof| proof.index ^= 1)));
    assert!(not_included(refused(|proof| proof.path.push(Default::default()))));
    assert!(not_included(refused(|proof| proof.path[0].0[31] ^= 1)));
    assert_eq!(refused(|proof| proof.code = 64), RecordProofError::Code(64));
    assert!(matches!(refused(|proof| proof.slot = 1_024), RecordProofError::Record(_)));
    assert_eq!(refused(|proof| proof.headers.clear()), RecordProofError::HeaderCount(0));
    let error = refused(|proof| {
        proof.headers.swap(0, 1);
    });
    assert!(matches!(error, RecordProofError::Parent { place: 1 }), "{error}");
    let error = refused(|proof| proof.headers[0] = vec![0; 9].into());
    assert!(matches!(error, RecordProofError::Header { place: 0, .. }), "{error}");
    assert!(matches!(refused(|proof| proof.amount_micro += 1), RecordProofError::Amount { .. }));
    assert!(matches!(refused(|proof| proof.slots_per_period = 0), RecordProofError::Table(_)));
    let error = refused(|proof| {
        let mut table = proof.tariff_table.to_vec();
        *table.last_mut().unwrap() ^= 1;
        proof.tariff_table = table.into();
    });
    assert!(matches!(error, RecordProofError::TableDiffers { .. }), "{error}");
}

#[tokio::test]
async fn what_is_not_there_or_not_told_apart_is_refused() {
    let mut stage = Stage::new(Node::embedded().await, 22).await;
    let batches = committed(&mut stage).await;
    let watcher = watcher(&stage).await;
    let (_, wanted) = wanted(batches.last().unwrap());
    for missing in [
        WantedRecord { participant: ParticipantNumber(u32::MAX), ..wanted },
        WantedRecord { period: SettlementPeriod(99), ..wanted },
        WantedRecord { run: 7, ..wanted },
    ] {
        let error = watcher.export_record(&missing).await.unwrap_err();
        assert!(matches!(error, ExportError::NotFound { .. }), "{error}");
    }
}

/// The hub stops: after four weeks anybody freezes the ledger, and everybody takes out what is theirs, once.
#[tokio::test]
async fn everybody_leaves_a_frozen_ledger_with_what_is_theirs() {
    let mut stage = Stage::new(Node::embedded().await, 23).await;
    let batches = committed(&mut stage).await;
    finalize(&stage, &batches).await;
    let participant = ParticipantNumber(1);
    let watcher = watcher(&stage).await;
    let found = watcher.final_account(participant).unwrap();
    assert_eq!(found.header, batches.last().unwrap().header);
    assert_eq!(watcher.final_account(ParticipantNumber(u32::MAX)), None);
    let state = stage.ledger.payout_of(participant).await.unwrap();
    let owed = found.exit_micro(&state);
    assert!(owed > 0);
    assert!(!stage.ledger.is_frozen().await.unwrap());
    let early = stage.send(stage.ledger.exit_call(&found.header, &found.account)).await;
    assert!(matches!(early, Err(SendError::Refused { .. })), "not frozen");

    pass(&stage, FREEZE_OVER_S).await;
    stage.send(stage.ledger.freeze_call(&found.header)).await.unwrap();
    assert!(stage.ledger.is_frozen().await.unwrap());
    stage.send(stage.ledger.exit_call(&found.header, &found.account)).await.unwrap();
    let after = stage.ledger.payout_of(participant).await.unwrap();
    assert!(after.is_exited);
    assert_eq!(found.exit_micro(&after), 0);
    let again = stage.send(stage.ledger.exit_call(&found.header, &found.account)).await;
    assert!(matches!(again, Err(SendError::Refused { .. })), "paid once");
}

/// The hub stops while a demand on its last batch is open: the freeze drops the batch, and the watcher goes on with what is final.
#[tokio::test]
async fn what_was_pending_at_the_freeze_no_longer_counts() {
    let mut stage = Stage::new(Node::embedded().await, 24).await;
    let mut batches = committed(&mut stage).await;
    finalize(&stage, &batches).await;
    let before = batches.len() as u64;
    batches.extend(committed(&mut stage).await);
    let mut watching = watcher(&stage).await;
    assert_eq!(watching.view().batches().len(), batches.len());
    let [latest, next] =
        [before, before + 1].map(|seq| &batches[usize::try_from(seq).unwrap() - 1].header);
    stage.send(stage.ledger.demand_call(next, Demanded::RecordRow)).await.unwrap();
    pass(&stage, FREEZE_OVER_S).await;
    stage.send(stage.ledger.freeze_pending_call(latest, next)).await.unwrap();

    assert_eq!(watching.poll().await.unwrap(), []);
    for watcher in [watching, watcher(&stage).await] {
        let view = watcher.view();
        assert!(view.is_frozen());
        assert_eq!(view.final_batches(), view.batches());
        assert_eq!(view.batches().len() as u64, before);
        assert_eq!(view.demand(before + 1, Demanded::RecordRow), None);
        let found = watcher.final_account(ParticipantNumber(1)).unwrap();
        assert_eq!(&found.header, latest);
        let (_, dropped) = wanted(batches.last().unwrap());
        assert!(watcher.export_record(&dropped).await.is_err());
    }
    let found = watcher(&stage).await.final_account(ParticipantNumber(1)).unwrap();
    stage.send(stage.ledger.exit_call(&found.header, &found.account)).await.unwrap();
}
