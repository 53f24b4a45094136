//! What the chain says, against what the runs say.

use std::collections::BTreeMap;

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementCalendar, SettlementPeriod, Slot};
use gridtally_ledger::{Client, DeployError, Deployment, History, Ledger, SettledRecord};
use gridtally_settlement::{Code, Difference, RecordKey, Settled, TariffTable, first_difference};

use super::finding::{Finding, RecordFinding, SlotPlace, TransactionPlace};
use super::runs::Books;
use super::{ChainVerification, Verification, VerifyError, VerifyProgress};
use crate::cycle::registrations;
use crate::store::{ParticipantBook, StoreView};

/// How often the chain is read again because it grew in between.
const READ_AGAIN_MAX: u32 = 5;

pub(super) async fn compare(
    view: &StoreView,
    books: &Books,
    client: &Client,
    deployment: Deployment,
    verification: &mut Verification,
    progress: &mut (dyn FnMut(VerifyProgress) + Send),
) -> Result<(), VerifyError> {
    let ledger = match Ledger::connect(client.clone(), deployment).await {
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
    if deployment.calendar != calendar {
        let reason = "its settlement calendar is another one".to_owned();
        verification.add(Finding::Deployment { reason });
        return Ok(());
    }
    let (history, findings) = history_and_balances(&ledger, progress).await?;
    let book = view.participants(view.last())?;
    let mut chain = ChainVerification { block: history.block, ..ChainVerification::default() };
    for finding in participants(&book, &history, deployment) {
        verification.add(finding);
    }
    chain.participant_count = history.participants.len() as u64;
    let published = |period| history.tariffs.get(&period).map(|published| &published.table);
    for finding in tariffs(&calendar, books, published) {
        verification.add(finding);
    }
    chain.tariff_count = history.tariffs.len() as u64;
    let (agreeing, finding) = records(&calendar, &book, books, &history);
    chain.record_count = agreeing;
    finding.into_iter().for_each(|finding| verification.add(finding));
    chain.balance_micro =
        history.participants.values().map(|known| i128::from(known.balance_micro)).sum();
    findings.into_iter().for_each(|finding| verification.add(finding));
    verification.chain = Some(chain);
    Ok(())
}

fn participants(book: &ParticipantBook, history: &History, deployment: Deployment) -> Vec<Finding> {
    let mut findings = Vec::new();
    let expected = registrations(book, deployment.offices);
    for (party, expected) in book.parties().iter().zip(expected) {
        let participant = party.participant;
        let reason = match history.participants.get(&participant) {
            None => "is not registered on the chain".to_owned(),
            Some(found) if found.meter != expected.meter => {
                format!("has meter {} in the store, {} on the chain", expected.meter, found.meter)
            }
            Some(found) if found.role != expected.role => {
                format!("is {:?} in the store, {:?} on the chain", expected.role, found.role)
            }
            // The owner may have handed its money on; that is between the chain and the owner.
            Some(_) => continue,
        };
        findings.push(Finding::Participant { participant, party: Some(party.id.clone()), reason });
    }
    let unknown = history.participants.keys().filter(|&&participant| {
        participant != ParticipantNumber::HUB && book.party(participant).is_none()
    });
    findings.extend(unknown.map(|&participant| Finding::Participant {
        participant,
        party: None,
        reason: "is registered on the chain, but not in the store".to_owned(),
    }));
    findings
}

/// Compares the prices of the runs with those that the chain has.
pub(super) fn tariffs<'a>(
    calendar: &SettlementCalendar,
    books: &Books,
    published: impl Fn(SettlementPeriod) -> Option<&'a TariffTable>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (&period, table) in &books.tables {
        let start = calendar.period_start(period).unwrap_or(calendar.genesis_time());
        match published(period) {
            None => findings.push(Finding::TariffMissing { period, start }),
            Some(published) => {
                findings.extend(tariff_difference(calendar, period, table, published));
            }
        }
    }
    findings
}

fn tariff_difference(
    calendar: &SettlementCalendar,
    period: SettlementPeriod,
    store: &TariffTable,
    chain: &TariffTable,
) -> Option<Finding> {
    let slots = store.slots().max(chain.slots());
    let places = (0..=u8::MAX)
        .map_while(|number| Code::new(number).ok())
        .flat_map(|code| (0..slots).map(move |slot| (code, Slot(slot))));
    let price = |table: &TariffTable, code, slot| {
        table.price(code, slot).map(|price| price.micro_per_kwh())
    };
    let (code, slot) = places
        .into_iter()
        .find(|&(code, slot)| price(store, code, slot) != price(chain, code, slot))?;
    Some(Finding::TariffDiffers {
        period,
        code,
        slot,
        start: calendar.slot_start(period, slot).unwrap_or(calendar.genesis_time()),
        store_micro_per_kwh: price(store, code, slot),
        chain_micro_per_kwh: price(chain, code, slot),
    })
}

/// Compares all records. Returns how many agree, and the first that does not.
fn records(
    calendar: &SettlementCalendar,
    book: &ParticipantBook,
    books: &Books,
    history: &History,
) -> (u64, Option<Finding>) {
    let chain: BTreeMap<RecordKey, &SettledRecord> =
        history.records.iter().map(|settled| (RecordKey::from(&settled.record), settled)).collect();
    let agreeing = books.records.iter().filter(|(key, settled)| {
        chain.get(key).is_some_and(|found| Settled::from(*found) == **settled)
    });
    let agreeing = agreeing.count() as u64;
    let difference = first_difference(
        books.records.values().copied(),
        history.records.iter().map(Settled::from),
    );
    let finding = difference.map(|difference| {
        let key = key_of(&difference);
        let transaction = chain.get(&key).map(|settled| TransactionPlace::from(*settled));
        let place = place_of(calendar, book, books, key);
        Finding::Record(Box::new(RecordFinding { difference, place, transaction }))
    });
    (agreeing, finding)
}

pub(super) const fn key_of(difference: &Difference) -> RecordKey {
    match *difference {
        Difference::NotOnChain { key, .. }
        | Difference::NotInBooks { key, .. }
        | Difference::Twice { key }
        | Difference::Energy { key, .. }
        | Difference::Amount { key, .. } => key,
    }
}

pub(super) fn place_of(
    calendar: &SettlementCalendar,
    book: &ParticipantBook,
    books: &Books,
    key: RecordKey,
) -> SlotPlace {
    let participant = if key.from == ParticipantNumber::HUB { key.to } else { key.from };
    let party = book.party(participant).map(|party| party.id.clone());
    let points = book.metering_points().iter();
    let points = points.filter(|point| Some(&point.party) == party.as_ref());
    SlotPlace {
        participant,
        metering_points: points.map(|point| point.id.to_string()).collect(),
        party,
        start: calendar.slot_start(key.period, key.slot).ok(),
        price_micro_per_kwh: books
            .tables
            .get(&key.period)
            .and_then(|table| table.price(key.code, key.slot))
            .map(|price| price.micro_per_kwh()),
    }
}

/// Reads all events, and asks the contract for the balances that they sum to. Balances are those of the newest block: when
/// the chain grew meanwhile and they do not agree, both are read again.
async fn history_and_balances(
    ledger: &Ledger,
    progress: &mut (dyn FnMut(VerifyProgress) + Send),
) -> Result<(History, Vec<Finding>), VerifyError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let history = ledger.history(None).await?;
        let findings = balances(ledger, &history, progress).await?;
        let has_grown = ledger.client().block_number().await? != history.block;
        if findings.is_empty() || !has_grown || attempt > READ_AGAIN_MAX {
            return Ok((history, findings));
        }
    }
}

async fn balances(
    ledger: &Ledger,
    history: &History,
    progress: &mut (dyn FnMut(VerifyProgress) + Send),
) -> Result<Vec<Finding>, VerifyError> {
    let mut findings = Vec::new();
    let total = history.participants.len() as u64;
    let mut sum_micro: u64 = 0;
    for (done, (&participant, known)) in (1..).zip(&history.participants) {
        let (expected_micro, actual_micro) =
            (known.balance_micro, ledger.balance(participant).await?);
        sum_micro = sum_micro.saturating_add(expected_micro);
        if expected_micro != actual_micro {
            findings.push(Finding::Balance { participant, expected_micro, actual_micro });
        }
        progress(VerifyProgress { step: "comparing balances", done, total });
    }
    let actual_micro = ledger.escrow().await?;
    if sum_micro != actual_micro {
        findings.push(Finding::Escrow { expected_micro: sum_micro, actual_micro });
    }
    Ok(findings)
}
