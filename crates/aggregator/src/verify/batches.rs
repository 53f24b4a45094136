//! What the batches on the chain say, against what the runs say.
//!
//! The watcher judges every batch by itself; here the sums of all batches, corrections among them, are compared with the
//! newest runs, record by record. Amounts follow: the rules bind each to its price, and the prices are compared too.

use std::collections::{BTreeMap, BTreeSet};

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_ledger::{
    BatchArchive, BatchArchiveError, BatchDeployment, BatchLedger, BlobSource, Client, DeployError,
    FollowOptions, SectionReader, SectionSource, SectionStore, SnapshotVerdict, WatchReport,
    Watcher,
};
use gridtally_settlement::{
    Code, DataKind, DirectRecord, MeterKey, Place, Record, RecordKey, Settled, first_difference,
    priced_truncated,
};

use super::finding::{Finding, RecordFinding, TransactionPlace};
use super::on_chain::{key_of, place_of, tariffs};
use super::runs::Books;
use super::sections::{self, Sections};
use super::{BatchCounts, ChainVerification, Verification, VerifyError, VerifyProgress};
use crate::cycle::{SettledKeys, beacon_of, settled_keys, signing_key};
use crate::store::{BATCH_FOLDER, ParticipantBook, SECTION_FOLDER, StoreView};

/// Which chain is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) client: &'a Client,
    pub(super) deployment: BatchDeployment,
    /// Where blobs are found that the archive does not have.
    pub(super) beacon: Option<&'a str>,
}

pub(super) async fn compare(
    view: &StoreView,
    books: &Books,
    asked: Asked<'_>,
    verification: &mut Verification,
    progress: &mut (dyn FnMut(VerifyProgress) + Send),
) -> Result<(), VerifyError> {
    let Asked { client, deployment, beacon } = asked;
    let ledger = match BatchLedger::connect(client.clone(), deployment).await {
        Ok(ledger) => ledger,
        Err(
            error @ (DeployError::WrongChain { .. }
            | DeployError::NoCode { .. }
            | DeployError::Differs { .. }),
        ) => {
            verification.add(Finding::Deployment { reason: error.to_string() });
            return Ok(());
        }
        Err(error) => return Err(VerifyError::Deploy(error)),
    };
    let calendar = view.settings().calendar;
    if deployment.terms.calendar != calendar {
        let reason = "its settlement calendar is another one".to_owned();
        verification.add(Finding::Deployment { reason });
        return Ok(());
    }
    let archive = BatchArchive::new(view.folder().join(BATCH_FOLDER));
    let mut sources = vec![BlobSource::Archive(archive.clone())];
    sources.extend(beacon_of(&ledger, beacon)?);
    let mut watcher = Watcher::new(ledger, FollowOptions::default(), None).with_blobs_from(sources);
    let store = SectionStore::new(view.folder().join(SECTION_FOLDER));
    let damaged = sections::damaged(&store)?;
    let has_sections = damaged.is_empty();
    damaged.into_iter().for_each(|finding| verification.add(finding));
    if has_sections {
        watcher =
            watcher.with_sections(SectionSource::Store(store.clone()), SectionReader::Auditor);
    }
    let (is_readable, withheld) = judge(&mut watcher, verification, progress).await?;
    let mut sealed = Sections::default();
    if has_sections {
        sealed = sections::compare(view, watcher.view(), &store)?;
        if sealed.findings.is_empty() {
            let others = withheld.into_iter().map(|seq| {
                let reason = format!("some of batch {seq} are not those that were committed");
                Finding::Sections { reason }
            });
            sealed.findings.extend(others);
        }
    }
    sealed.findings.drain(..).for_each(|finding| verification.add(finding));
    for finding in archive_faults(&watcher, &archive).await? {
        verification.add(finding);
    }
    let book = view.participants(view.last())?;
    for finding in participants(&watcher, &book).await? {
        verification.add(finding);
    }
    let chain_view = watcher.view();
    for finding in tariffs(&calendar, books, |period| chain_view.table(period)) {
        verification.add(finding);
    }
    let published = books.tables.keys().filter(|period| chain_view.table(**period).is_some());
    let batches = chain_view.batches();
    let state = watcher.state(batches.len() as u64);
    let balances = state.into_iter().flat_map(|state| state.accounts().leaves());
    let mut chain = ChainVerification {
        block: client.block_number().await?,
        participant_count: chain_view.participant_count().into(),
        tariff_count: published.count() as u64,
        record_count: 0,
        balance_micro: balances.map(|leaf| i128::from(leaf.balance.micro())).sum(),
        batches: Some(BatchCounts {
            batch_count: batches.len() as u64,
            final_count: chain_view.final_batches().len() as u64,
            correction_count: batches.iter().filter(|batch| batch.header.run > 0).count() as u64,
        }),
        sealed: None,
        is_frozen: chain_view.is_frozen(),
    };
    if is_readable && has_sections {
        let settled = settled_keys(&watcher, |_| true).await?;
        let now_s = client.block_latest().await?.timestamp;
        let (mut books_say, chain_says) = both_sides(&watcher, books, &settled, now_s);
        let before = books_say.len();
        books_say.retain(|name, _| !is_erased(&settled, name));
        sealed.counts.erased_record_count = (before - books_say.len()) as u64;
        let agreeing = books_say.iter().filter(|(key, one)| chain_says.get(key) == Some(one));
        chain.record_count = agreeing.count() as u64;
        let difference = first_difference(books_say.into_values(), chain_says.into_values());
        if let Some(difference) = difference {
            let key = key_of(&difference);
            let place = place_of(&calendar, &book, books, key);
            let transaction = transaction_of(&watcher, key).await?;
            let finding = RecordFinding { difference, place, transaction };
            verification.add(Finding::Record(Box::new(finding)));
        }
    }
    chain.sealed = Some(sealed.counts).filter(|counts| counts.batch_count > 0);
    verification.chain = Some(chain);
    Ok(())
}

/// Whether nobody can read any more what the chain has under a key, because a section was erased.
fn is_erased(settled: &BTreeMap<SettlementPeriod, SettledKeys>, name: &RecordKey) -> bool {
    let keys = settled.get(&name.period);
    keys.is_some_and(|keys| keys.erased.contains(&participant_of(name)))
}

/// Returns who is the hub's counterparty in a record.
fn participant_of(name: &RecordKey) -> ParticipantNumber {
    if name.from == ParticipantNumber::HUB { name.to } else { name.from }
}

/// Judges every batch. Returns whether the published data of all of them are at hand, and in which sealed ones sections are
/// missing or are not right.
async fn judge(
    watcher: &mut Watcher,
    verification: &mut Verification,
    progress: &mut (dyn FnMut(VerifyProgress) + Send),
) -> Result<(bool, Vec<u64>), VerifyError> {
    let (mut is_readable, mut withheld) = (true, Vec::new());
    loop {
        let reports = watcher.poll().await?;
        if reports.is_empty() {
            return Ok((is_readable, withheld));
        }
        let total = watcher.view().batches().len() as u64;
        for report in reports {
            if let WatchReport::Valid { seq, .. } | WatchReport::Sealed { seq, .. } = report {
                progress(VerifyProgress { step: "judging batches", done: seq, total });
            }
            if let WatchReport::Sealed { seq, withheld: 1.., .. } = report {
                withheld.push(seq);
            }
            is_readable &= !matches!(report, WatchReport::DataMissing { .. });
            if let Some((seq, reason)) = fault(&report) {
                verification.add(Finding::Batch { seq, reason });
            }
        }
    }
}

/// Returns what a report says against a batch.
fn fault(report: &WatchReport) -> Option<(u64, String)> {
    Some(match report {
        WatchReport::Fraud { seq, rule, place, .. } => {
            let place = match place {
                Place::Record(index) => format!("record {index}"),
                Place::Account(participant) => format!("account {participant}"),
                Place::Inbox(entry) => format!("inbox entry {entry}"),
                Place::Section(participant) => format!("the section of {participant}"),
            };
            (*seq, format!("{place} breaks rule {rule}"))
        }
        WatchReport::Demanded { seq, demanded } => {
            let what = "what it commits is not what it published";
            (*seq, format!("{what}; {demanded} must be demanded to tell where"))
        }
        WatchReport::Expired { seq, demanded } => (*seq, format!("{demanded} was never shown")),
        WatchReport::DataMissing { seq } => (*seq, "nobody has what it published".to_owned()),
        WatchReport::NotJudged { seq } => (
            *seq,
            "it is final although it breaks a rule, and no later batch can be judged".to_owned(),
        ),
        WatchReport::Snapshot { seq, verdict: SnapshotVerdict::False { participant, .. } } => {
            (*seq, format!("its snapshot is false for account {participant}"))
        }
        WatchReport::Valid { .. }
        | WatchReport::Sealed { .. }
        | WatchReport::Partly { .. }
        | WatchReport::NotDemanded { .. }
        | WatchReport::Resumed { .. }
        | WatchReport::Snapshot { .. }
        | WatchReport::Forced { .. }
        | WatchReport::ForcePaid { .. }
        | WatchReport::ForceDue { .. } => return None,
    })
}

/// Finds files of the archive that are not what their names say, and what a batch published that is not there at all.
async fn archive_faults(
    watcher: &Watcher,
    archive: &BatchArchive,
) -> Result<Vec<Finding>, VerifyError> {
    let mut findings = Vec::new();
    for batch in watcher.view().batches() {
        let header = &batch.header;
        let is_there = match header.data_kind {
            DataKind::Calldata => {
                archive.calldata(header.data_hash).await.map(|data| data.is_some())
            }
            DataKind::Blob | DataKind::SealedBlob => {
                let sent = watcher.ledger().client().transaction(batch.transaction).await?;
                let hashes = sent.map(|sent| sent.blob_versioned_hashes).unwrap_or_default();
                archive.blobs(&hashes).await.map(|blobs| blobs.is_some())
            }
        };
        if matches!(is_there, Ok(false)) {
            let reason = format!("what batch {} published is not there", header.seq);
            findings.push(Finding::Archive { reason });
        }
        if matches!(is_there, Ok(true)) && header.data_kind != DataKind::SealedBlob {
            // Those of a sealed batch are in its sections.
            let records = watcher.records_of(batch).await?;
            let first = records.iter().position(|record| record.code().is_priced());
            let first = first.and_then(|first| u32::try_from(first).ok());
            if let Some(first) = first
                && let Ok(signatures) =
                    archive.signatures(header.record_root, header.count, first).await
                && signatures.is_empty()
            {
                let reason = format!("the signatures of batch {} are not there", header.seq);
                findings.push(Finding::Archive { reason });
            }
        }
        let read = [
            is_there.map(drop),
            archive.blob_hashes(header.data_hash).await.map(drop),
            archive.header(batch.header_hash).await.map(drop),
            archive.leaves(header.record_root).await.map(drop),
            archive.signatures(header.record_root, header.count, 0).await.map(drop),
        ];
        let differs = read.into_iter().filter_map(Result::err);
        let differs = differs.filter(|error| matches!(error, BatchArchiveError::Differs { .. }));
        findings.extend(differs.map(|error| Finding::Archive { reason: error.to_string() }));
    }
    Ok(findings)
}

async fn participants(
    watcher: &Watcher,
    book: &ParticipantBook,
) -> Result<Vec<Finding>, VerifyError> {
    let mut findings = Vec::new();
    let (ledger, count) = (watcher.ledger(), watcher.view().participant_count());
    let operator = ledger.deployment().terms.offices.metering_operator;
    for party in book.parties() {
        let participant = party.participant;
        let expected = signing_key(party, operator);
        let reason = if participant.0 >= count {
            "is not registered on the chain".to_owned()
        } else {
            match ledger.meter_of(participant).await? {
                Some(MeterKey::Secp256k1(found)) if found == expected => continue,
                Some(MeterKey::Secp256k1(found)) => {
                    format!("has meter {expected} in the store, {found} on the chain")
                }
                _ => format!("has meter {expected} in the store, another kind on the chain"),
            }
        };
        findings.push(Finding::Participant { participant, party: Some(party.id.clone()), reason });
    }
    let unknown = (1..count).map(ParticipantNumber).filter(|one| book.party(*one).is_none());
    findings.extend(unknown.map(|participant| Finding::Participant {
        participant,
        party: None,
        reason: "is registered on the chain, but not in the store".to_owned(),
    }));
    Ok(findings)
}

/// Returns what the books and what the chain have under each key: there the sum of the regular record and its corrections.
/// What was taken back as a whole is as if it had never been; what was forced and not corrected in time was paid out of the
/// bond, and is no record.
fn both_sides(
    watcher: &Watcher,
    books: &Books,
    settled: &BTreeMap<SettlementPeriod, SettledKeys>,
    now_s: u64,
) -> (BTreeMap<RecordKey, Settled>, BTreeMap<RecordKey, Settled>) {
    let view = watcher.view();
    let mut chain = BTreeMap::new();
    for (&period, keys) in settled {
        for (&key, &sum_wh) in &keys.sums_wh {
            let value = sum_wh.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
            let record = i32::try_from(value).ok().and_then(|value| record_of(key, value));
            let record = record.and_then(|record| DirectRecord::of_record(period, 0, &record));
            let Some(record) = record else { continue };
            let name = RecordKey::from(&record);
            let is_nothing = sum_wh == 0 && !books.records.contains_key(&name);
            if is_nothing || keys.erased.contains(&participant_of(&name)) {
                continue;
            }
            let price = view.table(period).and_then(|table| table.price(record.code, record.slot));
            let amount = price
                .map_or_else(Default::default, |price| priced_truncated(record.energy_wh, price));
            chain.insert(name, Settled { record, amount });
        }
    }
    let mut said = books.records.clone();
    let forced: BTreeSet<RecordKey> = said
        .keys()
        .filter(|name| chain.get(name) != said.get(name) && is_forced(watcher, name, now_s))
        .copied()
        .collect();
    said.retain(|name, _| !forced.contains(name));
    chain.retain(|name, _| !forced.contains(name));
    (said, chain)
}

fn is_forced(watcher: &Watcher, name: &RecordKey, now_s: u64) -> bool {
    let participant = participant_of(name);
    let record = Record::new(participant, name.code, name.slot, 0);
    let reference = watcher.view().reference(name.period);
    let (Ok(record), Some(reference)) = (record, reference) else { return false };
    reference.forced.is_late(name.period, record.key(), now_s)
}

/// Returns the record with a key.
fn record_of(key: u64, value: i32) -> Option<Record> {
    let participant = ParticipantNumber(u32::try_from(key >> 16).ok()?);
    let code = Code::new(u8::try_from(key >> 10 & 0x3f).ok()?).ok()?;
    let slot = Slot(u16::try_from(key & 0x3ff).ok()?);
    Record::new(participant, code, slot, value).ok()
}

/// Returns the newest batch with a record of this key.
async fn transaction_of(
    watcher: &Watcher,
    name: RecordKey,
) -> Result<Option<TransactionPlace>, VerifyError> {
    let participant = participant_of(&name);
    let batches = watcher.view().batches().iter().rev();
    for batch in batches.filter(|batch| batch.header.period == name.period) {
        let records = watcher.known_records_of(batch).await?.records;
        let is_it = |record: &Record| {
            (record.participant(), record.code(), record.slot())
                == (participant, name.code, name.slot)
        };
        if records.iter().any(is_it) {
            let (block, transaction) = (batch.block, batch.transaction);
            return Ok(Some(TransactionPlace { block, transaction, log_index: None }));
        }
    }
    Ok(None)
}
