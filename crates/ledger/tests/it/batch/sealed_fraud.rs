//! False sealed batches: each falls by its participant alone, by the auditor, or by anybody.

use std::collections::BTreeMap;
use std::fs;

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_core::quantity::Amount;
use gridtally_ledger::{
    Call, Demanded, Outcome, SectionReader, SendError, Sender, WatchReport, Watcher,
};
use gridtally_settlement::{
    BatchHeader, DataKind, Rule, SealedBatch, SealedElements, SectionFile, SignedReading,
    open_element, section_element, versioned_hashes,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::hub::{pass, signed};
use super::mutation::ways;
use super::sealed::commit_honest;
use super::sealed_stage::{HOUSEHOLD, OWN, SealedStage, sealed};
use super::stage::{PERIODS, state_after};
use super::town::{Committed, Town};
use crate::town::{brisk, key};

/// The time for an answer is over.
const ANSWER_OVER_S: u64 = 2 * 86_400 + 1;

/// Returns a stage and a batch for it, of which at least three records are the household's, and some before and after are
/// others': of the first random town from `seed` on that plans one.
async fn ready(seed: u64) -> (SealedStage, Committed) {
    let seed = (seed..).find(|seed| is_suitable(*seed)).unwrap();
    let mut stage = SealedStage::new(seed).await;
    commit_honest(&mut stage, 1).await;
    let planned = stage.stage.next_batch().await;
    assert!(surrounds(&planned));
    (stage, planned)
}

/// Whether the second batch of a town is a regular one in which the household is surrounded. The stage asks the town for as much.
fn is_suitable(seed: u64) -> bool {
    let mut town = Town::new(seed);
    (town.takes_all, town.forces, town.data_kind) = (true, false, Some(DataKind::Calldata));
    for period in (1..=PERIODS).map(SettlementPeriod) {
        town.table(period);
    }
    let first = town.next_batch();
    town.state = state_after(&first, first.header.clone());
    surrounds(&town.next_batch())
}

fn surrounds(batch: &Committed) -> bool {
    let own = own(batch);
    let readings = batch.leaves[own.clone()].iter().filter(|leaf| leaf.record.code().is_priced());
    own.start > 0 && own.end < batch.leaves.len() && readings.count() > 2
}

/// The places of the household's records.
fn own(batch: &Committed) -> std::ops::Range<usize> {
    let start = batch.leaves.partition_point(|leaf| leaf.record.participant() < OWN);
    start..batch.leaves.partition_point(|leaf| leaf.record.participant() <= OWN)
}

fn more(amount: &mut Amount, micro: i64) {
    *amount = Amount::from_micro(amount.micro() + micro);
}

fn all(header: &BatchHeader) -> impl Iterator<Item = ParticipantNumber> + use<> {
    (0..header.account_count).map(ParticipantNumber)
}

/// The hub answers the demand for a section as it must.
async fn show(stage: &SealedStage, sealed: &SealedBatch, header: &BatchHeader, demanded: Demanded) {
    let ledger = &stage.stage.ledger;
    let participant = |number| ParticipantNumber(number);
    let call = match demanded {
        Demanded::Section(number) => {
            let section = sealed.section(participant(number)).unwrap();
            answer_section(stage, sealed, header, &section)
        }
        Demanded::Account(number) => {
            let section = sealed.section(participant(number)).unwrap();
            let known = gridtally_settlement::KnownSection::from(&section);
            ledger.answer_account_call(header, &known.account)
        }
        Demanded::Record(index) => {
            let sections = all(header).map(|participant| sealed.section(participant).unwrap());
            let mut sections = sections.filter(|section| {
                let end = section.first + u32::try_from(section.leaves.len()).unwrap();
                (section.first..end).contains(&index)
            });
            let section = sections.next().unwrap();
            let known = gridtally_settlement::KnownSection::from(&section);
            let place = usize::try_from(index - section.first).unwrap();
            let leaf = known.open(place, header.count).unwrap();
            let reading = SignedReading::of_record(header.period, header.run, &leaf.leaf.record);
            let signature = reading.map(|reading| signed(&reading, &ledger.deployment().domain()));
            ledger.answer_record_call(header, &leaf, signature.unwrap_or_default())
        }
        Demanded::AccountGroup(0) => {
            ledger.answer_sealed_group_call(header, demanded, sealed.account_tree.leaves(), &[])
        }
        other => panic!("{other}"),
    };
    stage.stage.send(call).await.unwrap();
}

fn answer_section(
    stage: &SealedStage,
    sealed: &SealedBatch,
    header: &BatchHeader,
    section: &gridtally_settlement::SealedSection,
) -> Call {
    let blobs = sealed.blobs();
    let versioned = versioned_hashes(&blobs).unwrap();
    let (blob, element) = SealedElements::section_place(section.account.participant);
    let opening = open_element(&blobs[blob], element).unwrap();
    stage.stage.ledger.answer_section_call(header, section, &versioned, &opening)
}

/// What the watcher and the hub did, in order: `R4` for a batch that fell by that rule, else what was demanded.
async fn struggle(
    stage: &SealedStage,
    watcher: &mut Watcher,
    sealed: &SealedBatch,
    header: &BatchHeader,
) -> Vec<String> {
    let mut story = Vec::new();
    let mut quiet = 0;
    for _ in 0..60 {
        let reports = watcher.poll().await.unwrap();
        quiet = if reports.is_empty() { quiet + 1 } else { 0 };
        for report in reports {
            match report {
                WatchReport::Fraud { seq, rule, outcome, .. } if seq == header.seq => {
                    assert!(matches!(outcome, Outcome::Cancelled(_)), "{story:?} {outcome:?}");
                    story.push(rule.to_string());
                }
                WatchReport::Expired { demanded, .. } => story.push(format!("{demanded} expired")),
                WatchReport::Demanded { demanded, .. } => story.push(demanded.to_string()),
                WatchReport::Sealed { seq, read, withheld, .. } if seq == header.seq => {
                    story.push(format!("sealed {read} {withheld}"));
                }
                WatchReport::Valid { seq, .. } if seq == header.seq => story.push("valid".into()),
                _ => {}
            }
        }
        let batches = watcher.view().batches();
        if !batches.iter().any(|batch| batch.header == *header) {
            return story;
        }
        let open = watcher.view().demands(header.seq);
        let open: Vec<Demanded> = open
            .filter(|(_, state)| state.answer.is_none())
            .map(|(demanded, _)| demanded)
            .collect();
        if open.is_empty() && quiet > 1 {
            return story;
        }
        for demanded in open {
            show(stage, sealed, header, demanded).await;
        }
    }
    panic!("no end: {story:?}")
}

/// Commits a batch, delivers its sections to these, and lets a watcher find what is wrong.
async fn tried(
    stage: &SealedStage,
    batch: &SealedBatch,
    is_delivered: bool,
    mut watcher: Watcher,
) -> Vec<String> {
    stage
        .stage
        .tentatively(async || {
            let header = stage.commit(batch).await;
            if is_delivered {
                stage.deliver(batch, &header, all(&header));
            }
            struggle(stage, &mut watcher, batch, &header).await
        })
        .await
}

#[tokio::test]
async fn a_participant_strikes_down_what_is_wrong_with_itself() {
    let (stage, honest) = ready(51).await;
    let own = own(&honest);
    let account = usize::try_from(OWN.0).unwrap();
    let section = format!("the section of participant {OWN}");

    // Nothing is wrong.
    assert_eq!(tried(&stage, &sealed(&honest), true, stage.own()).await, ["sealed 1 0"]);

    // A wrong amount shows in one record.
    let mut batch = honest.clone();
    more(&mut batch.leaves[own.start].amount, 1);
    assert_eq!(tried(&stage, &sealed(&batch), true, stage.own()).await, ["R4"]);

    // A balance that jumps between two of its records.
    let mut batch = honest.clone();
    more(&mut batch.leaves[own.start + 1].balance_after, 1);
    assert_eq!(tried(&stage, &sealed(&batch), true, stage.own()).await, ["R6"]);

    // All of its balances are wrong from the first record on.
    let mut batch = honest.clone();
    for leaf in &mut batch.leaves[own.clone()] {
        more(&mut leaf.balance_after, 1);
    }
    more(&mut batch.accounts[account].balance, 1);
    assert_eq!(tried(&stage, &sealed(&batch), true, stage.own()).await, [&section, "R6"]);

    // The account does not follow from the records.
    let mut batch = honest.clone();
    more(&mut batch.accounts[account].balance, 1);
    assert_eq!(tried(&stage, &sealed(&batch), true, stage.own()).await, [&section, "R8"]);
    let mut batch = honest.clone();
    batch.accounts[account].payable_micro += 10_000;
    assert_eq!(tried(&stage, &sealed(&batch), true, stage.own()).await, [&section, "R8"]);

    // The public sees the form, and nothing else.
    assert_eq!(tried(&stage, &sealed(&batch), true, stage.public(None)).await, ["sealed 0 0"]);
    // The auditor needs no demand.
    assert_eq!(tried(&stage, &sealed(&batch), true, stage.auditor()).await, ["R8"]);
}

#[tokio::test]
async fn what_is_withheld_is_shown_or_expires() {
    let (stage, honest) = ready(52).await;
    let own = own(&honest);
    let section = format!("the section of participant {OWN}");
    let record = |index: usize| format!("record {index}");

    // Nothing was delivered, and everything is right: it is shown piece by piece.
    let story = tried(&stage, &sealed(&honest), false, stage.own()).await;
    let mut expected = vec!["sealed 0 1".to_owned(), section.clone(), format!("account {OWN}")];
    expected.insert(2, "sealed 0 1".to_owned());
    for piece in &expected {
        assert!(story.contains(piece), "{story:?}");
    }
    for index in own.clone() {
        assert!(story.contains(&record(index)), "{story:?}");
    }
    assert_eq!(story.last().unwrap(), "sealed 1 0", "{story:?}");

    // Shown, and wrong.
    let mut batch = honest.clone();
    more(&mut batch.leaves[own.start].amount, 1);
    let story = tried(&stage, &sealed(&batch), false, stage.own()).await;
    assert_eq!(story.last().unwrap(), "R4", "{story:?}");

    // Nobody answers.
    let batch = sealed(&honest);
    stage
        .stage
        .tentatively(async || {
            let header = stage.commit(&batch).await;
            let mut watcher = stage.own();
            watcher.poll().await.unwrap();
            pass(&stage.stage, ANSWER_OVER_S).await;
            let demanded = Demanded::Section(OWN.0);
            let reports = watcher.poll().await.unwrap();
            assert_eq!(reports, [WatchReport::Expired { seq: header.seq, demanded }]);
            watcher.poll().await.unwrap();
            assert_eq!(watcher.view().batches().len() as u64, header.seq - 1);
        })
        .await;

    // A reader without a key says what it does not have, and goes on.
    stage
        .stage
        .tentatively(async || {
            stage.commit(&batch).await;
            let source = gridtally_ledger::SectionSource::Folder(stage.delivered());
            let reader = SectionReader::Participants(vec![OWN]);
            let mut watcher = stage.public(None).with_sections(source, reader);
            let reports = watcher.poll().await.unwrap();
            let last = reports.last().unwrap();
            assert!(matches!(last, WatchReport::Sealed { read: 0, withheld: 1, .. }), "{last:?}");
        })
        .await;
}

/// What is delivered late is taken in, and nothing more is demanded.
#[tokio::test]
async fn a_section_that_comes_late_is_judged() {
    let (stage, honest) = ready(53).await;
    let batch = sealed(&honest);
    let header = stage.commit(&batch).await;
    let mut watcher = stage.own();
    let reports = watcher.poll().await.unwrap();
    let demanded = Demanded::Section(OWN.0);
    assert!(reports.contains(&WatchReport::Demanded { seq: header.seq, demanded }), "{reports:?}");
    assert_eq!(watcher.poll().await.unwrap(), []);
    stage.deliver(&batch, &header, [OWN]);
    let reports = watcher.poll().await.unwrap();
    assert!(
        matches!(reports[..], [WatchReport::Sealed { read: 1, withheld: 0, .. }]),
        "{reports:?}"
    );
    assert!(watcher.account_after(header.seq, OWN).is_some());
}

#[tokio::test]
async fn published_hashes_that_are_not_those_of_the_trees_fall() {
    let (stage, honest) = ready(54).await;
    let own = own(&honest);
    let number = usize::try_from(OWN.0).unwrap();
    let section = format!("the section of participant {OWN}");

    // The account leaf: anybody demands the hashes and proves it.
    for element in [B256::repeat_byte(0x11), B256::with_last_byte(1)] {
        let mut batch = sealed(&honest);
        let count = honest.accounts.len();
        batch.elements[count + number] = element;
        let story = tried(&stage, &batch, true, stage.public(Some(HOUSEHOLD))).await;
        assert_eq!(story, ["group 0 of the accounts", "R9"]);
    }

    // The digest of nothing that anybody could show.
    let mut batch = sealed(&honest);
    batch.elements[number] = B256::with_last_byte(7);
    stage
        .stage
        .tentatively(async || {
            let header = stage.commit(&batch).await;
            stage.deliver(&batch, &header, [OWN]);
            let mut watcher = stage.own();
            watcher.poll().await.unwrap();
            let refused = stage
                .stage
                .send(answer_section(&stage, &batch, &header, &batch.section(OWN).unwrap()))
                .await;
            assert!(matches!(refused, Err(SendError::Refused { .. })));
            pass(&stage.stage, ANSWER_OVER_S).await;
            let demanded = Demanded::Section(OWN.0);
            let expired = WatchReport::Expired { seq: header.seq, demanded };
            assert!(watcher.poll().await.unwrap().contains(&expired));
        })
        .await;

    // The digest leaves out the last record, which was delivered: it lies outside of what is shown then.
    let batch = sealed(&honest);
    let whole = batch.section(OWN).unwrap();
    let short = shortened(&batch, &whole, own.end - 1);
    let mut batch = batch;
    batch.elements[number] = section_element(&short.hashes());
    stage
        .stage
        .tentatively(async || {
            let header = stage.commit(&batch).await;
            stage.deliver(&batch, &header, [OWN]);
            let mut watcher = stage.own();
            let reports = watcher.poll().await.unwrap();
            let demanded = Demanded::Section(OWN.0);
            let last = reports.last().unwrap();
            assert_eq!(last, &WatchReport::Demanded { seq: header.seq, demanded }, "{section}");
            stage.stage.send(answer_section(&stage, &batch, &header, &short)).await.unwrap();
            let reports = watcher.poll().await.unwrap();
            let fell = reports.iter().any(|report| {
                matches!(
                    report,
                    WatchReport::Fraud {
                        rule: Rule::DataPublished,
                        outcome: Outcome::Cancelled(_),
                        ..
                    }
                )
            });
            assert!(fell, "{reports:?}");
        })
        .await;
}

/// Returns a section without its records from this place of the batch on, as a false hub would show it.
fn shortened(
    batch: &SealedBatch,
    whole: &gridtally_settlement::SealedSection,
    end: usize,
) -> gridtally_settlement::SealedSection {
    let first = usize::try_from(whole.first).unwrap();
    let mut short = whole.clone();
    short.leaves.truncate(end - first);
    short.path = gridtally_settlement::range_path(&batch.record_tree, first..end).unwrap();
    short
}

/// A record that is in nobody's section: each participant sees its own in order, the auditor sees the gap.
#[tokio::test]
async fn a_record_that_belongs_to_nobody_is_the_auditors() {
    let (stage, honest) = ready(55).await;
    let own = own(&honest);
    let number = usize::try_from(OWN.0).unwrap();
    let mut batch = sealed(&honest);
    let whole = batch.section(OWN).unwrap();
    let mut short = shortened(&batch, &whole, own.end - 1);
    batch.elements[number] = section_element(&short.hashes());
    // What the household is told fits together: the account is what the shorter section makes of it.
    short.account = whole.account;
    stage
        .stage
        .tentatively(async || {
            let header = stage.commit(&batch).await;
            stage.deliver(&batch, &header, all(&header));
            let path = stage.delivered();
            let name = gridtally_ledger::section_file_name(&header.hash(), OWN);
            let bytes = fs::read(path.join(&name)).unwrap();
            let mut file: SectionFile = serde_json::from_slice(&bytes).unwrap();
            file.records.pop();
            file.path = short.path.clone();
            stage.write(&file, &header, OWN);
            let mut watcher = stage.auditor();
            let mut fell = false;
            for _ in 0..8 {
                let reports = watcher.poll().await.unwrap();
                fell |= reports.iter().any(|report| {
                    matches!(
                        report,
                        WatchReport::Fraud {
                            rule: Rule::DataPublished,
                            outcome: Outcome::Cancelled(_),
                            ..
                        }
                    )
                });
                let open = watcher.view().demands(header.seq);
                let open = open.filter(|(_, state)| state.answer.is_none());
                let open: Vec<Demanded> = open.map(|(demanded, _)| demanded).collect();
                for demanded in open {
                    if demanded == Demanded::Section(OWN.0) {
                        let call = answer_section(&stage, &batch, &header, &short);
                        stage.stage.send(call).await.unwrap();
                    } else {
                        show(&stage, &batch, &header, demanded).await;
                    }
                }
            }
            assert!(fell);
        })
        .await;
}

/// Deposits that were left out, and requests to leave that were ignored.
#[tokio::test]
async fn the_inbox_is_enforced_by_its_participant() {
    let (stage, honest) = ready(56).await;
    let ledger = &stage.stage.ledger;
    let section = format!("the section of participant {OWN}");
    let client = stage.stage.node.client.clone();
    let household = Sender::new(client, key(HOUSEHOLD), brisk());
    household.send(ledger.request_exit_call(OWN)).await.unwrap();
    stage.stage.send(ledger.deposit_call(OWN, 5_000_000)).await.unwrap();
    stage.stage.node.steer("anvil_mine", ["0x41"]).await;

    // The request to leave alone: the account shows that it was ignored, and nothing need be demanded.
    let mut batch = honest.clone();
    batch.header.inbox_to += 1;
    for watcher in [stage.own(), stage.auditor()] {
        assert_eq!(tried(&stage, &sealed(&batch), true, watcher).await, ["R11"]);
    }
    // The deposit too: it has no record in the section, which must be shown first.
    batch.header.inbox_to += 1;
    assert_eq!(tried(&stage, &sealed(&batch), true, stage.own()).await, [&section, "R11"]);
    assert_eq!(tried(&stage, &sealed(&batch), true, stage.auditor()).await, ["R11"]);
}

/// Signatures that are not in the file are shown on demand, for who asks for them.
#[tokio::test]
async fn signatures_are_demanded_with_the_section() {
    let (stage, honest) = ready(57).await;
    let batch = sealed(&honest);
    stage
        .stage
        .tentatively(async || {
            let header = stage.commit(&batch).await;
            stage.deliver(&batch, &header, [OWN]);
            let name = gridtally_ledger::section_file_name(&header.hash(), OWN);
            let bytes = fs::read(stage.delivered().join(&name)).unwrap();
            let mut file: SectionFile = serde_json::from_slice(&bytes).unwrap();
            let mut watcher = stage.own().demanding_records_of([OWN]);
            let story = struggle(&stage, &mut watcher, &batch, &header).await;
            assert_eq!(story, ["sealed 1 0"], "all are in the file");

            let place = file.records.iter().position(|record| record.signature.is_some()).unwrap();
            file.records[place].signature = None;
            stage.write(&file, &header, OWN);
            let mut watcher = stage.own().demanding_records_of([OWN]);
            let story = struggle(&stage, &mut watcher, &batch, &header).await;
            let index = file.first + u32::try_from(place).unwrap();
            assert!(story.contains(&format!("record {index}")), "{story:?}");
            assert_eq!(story.last().unwrap(), "sealed 1 0", "{story:?}");
        })
        .await;
}

/// Every way to change a batch: where the rule engine of the auditor finds something, the proof is carried out.
#[tokio::test]
async fn what_the_auditor_finds_falls_on_the_chain() {
    let mut tally: BTreeMap<String, u32> = BTreeMap::new();
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let (stage, honest) = ready(58).await;
    for way in ways() {
        let mut changed = honest.clone();
        if !way.apply(&mut changed, &mut random) || !can_be_sealed(&changed) {
            continue;
        }
        let batch = sealed(&changed);
        let is_taken = stage
            .stage
            .tentatively(async || {
                let blobs = batch.blobs();
                let sidecar = gridtally_ledger::BlobSidecar::new(&blobs).unwrap();
                let sidecar = std::sync::Arc::new(sidecar);
                let call = stage.stage.ledger.commit_sealed_call(&batch.commitment, sidecar);
                stage.stage.send(call).await.is_ok()
            })
            .await;
        if !is_taken {
            *tally.entry("refused".to_owned()).or_default() += 1;
            continue;
        }
        let story = tried(&stage, &batch, true, stage.auditor()).await;
        let [end] = story.as_slice() else { panic!("{}: {story:?}", way.name) };
        *tally.entry(end.clone()).or_default() += 1;
    }
    let fell: u32 = tally.iter().filter(|(end, _)| end.starts_with('R')).map(|(_, n)| n).sum();
    assert!(fell >= 8, "{tally:?}");
    assert!(tally.len() > 4, "{tally:?}");
}

/// Whether a hub could seal it: participants ascend, and each has an account in its place.
fn can_be_sealed(batch: &Committed) -> bool {
    let count = u32::try_from(batch.accounts.len()).unwrap();
    let participants: Vec<u32> =
        batch.leaves.iter().map(|leaf| leaf.record.participant().0).collect();
    let in_place = (0..).zip(&batch.accounts).all(|(number, leaf)| leaf.participant.0 == number);
    participants.is_sorted() && participants.iter().all(|number| *number < count) && in_place
}
