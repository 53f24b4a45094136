//! Participants and tariffs of a run on the chain: registered and published before a period begins.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use gridtally_core::period::{SettlementCalendar, SettlementPeriod};
use gridtally_ledger::{BatchLedger, BatchView, Call, PublishError, RegisterError};
use gridtally_settlement::{MeterKey, TariffTable};

use super::error::BatchError;
use super::sign::signing_key;
use crate::store::{ParticipantBook, PartyEntry};

/// Participants of one transaction.
const REGISTRATIONS_MAX: usize = 100;

/// Returns the calls that register who is missing, from a period on, and compares who is there.
pub(super) async fn registration_calls(
    ledger: &BatchLedger,
    view: &BatchView,
    book: &ParticipantBook,
) -> Result<Vec<Call>, BatchError> {
    let operator = ledger.deployment().terms.offices.metering_operator;
    let there = usize::try_from(view.participant_count()).unwrap_or(usize::MAX) - 1;
    let (known, new) = book.parties().split_at(book.parties().len().min(there));
    for party in known {
        let found = ledger.meter_of(party.participant).await?;
        if found != Some(MeterKey::Secp256k1(signing_key(party, operator))) {
            let (number, field) = (party.participant, "meter");
            return Err(RegisterError::Differs { number, field }.into());
        }
    }
    let now_s = ledger.client().block_latest().await?.timestamp;
    let from = next_period(&ledger.deployment().terms.calendar, now_s);
    let is_same_way =
        |left: &PartyEntry, right: &PartyEntry| left.owner.is_none() && right.owner.is_none();
    let groups = new.chunk_by(is_same_way).flat_map(|group| group.chunks(REGISTRATIONS_MAX));
    let calls = groups.map(|group| match group {
        [one] => match one.owner {
            Some(owner) => ledger.register_one_call(signing_key(one, operator), owner, from),
            None => ledger.register_call(&[signing_key(one, operator)], from),
        },
        many => {
            let meters: Vec<Address> =
                many.iter().map(|party| signing_key(party, operator)).collect();
            ledger.register_call(&meters, from)
        }
    });
    Ok(calls.collect())
}

/// Returns the calls that say where the money goes of those who had no address and have one now.
pub(super) async fn payout_calls(
    ledger: &BatchLedger,
    book: &ParticipantBook,
) -> Result<Vec<Call>, BatchError> {
    let mut calls = Vec::new();
    for party in book.parties() {
        let Some(owner) = party.owner else { continue };
        if ledger.payout_of(party.participant).await?.payout.is_none() {
            calls.push(ledger.set_payout_call(party.participant, owner));
        }
    }
    Ok(calls)
}

/// Returns the first period that has not begun at a time, Unix time, s.
pub(super) fn next_period(calendar: &SettlementCalendar, now_s: u64) -> SettlementPeriod {
    let genesis_s = u64::try_from(calendar.genesis_time().as_second()).unwrap_or(0);
    let begun = now_s.saturating_sub(genesis_s) / u64::from(calendar.period_length_s()).max(1);
    SettlementPeriod(u32::try_from(begun).unwrap_or(u32::MAX).saturating_add(1))
}

/// Returns the tables that the chain lacks.
///
/// # Errors
///
/// [`PublishError::Differs`] or [`PublishError::PeriodStarted`] for the first period that can never have its table.
pub(super) fn missing_tables<'a, 'b>(
    calendar: &SettlementCalendar,
    now_s: u64,
    published: impl Fn(SettlementPeriod) -> Option<&'b TariffTable>,
    tables: &'a BTreeMap<SettlementPeriod, TariffTable>,
) -> Result<Vec<(SettlementPeriod, &'a TariffTable)>, BatchError> {
    let mut missing = Vec::new();
    for (&period, table) in tables {
        let wanted = table.hash();
        match published(period).map(TariffTable::hash) {
            Some(published) if published == wanted => {}
            Some(published) => {
                return Err(PublishError::Differs { period, published, wanted }.into());
            }
            None => {
                let start_s = calendar.period_start(period)?.as_second();
                let starts_at_s = u64::try_from(start_s).unwrap_or(0);
                if now_s >= starts_at_s {
                    return Err(PublishError::PeriodStarted { period, starts_at_s, now_s }.into());
                }
                missing.push((period, table));
            }
        }
    }
    Ok(missing)
}

/// Makes sure that somebody signs the readings of everybody who is metered: a meter with a key of its own signs for itself,
/// and the store has no signature of it.
pub(super) fn check_signers(book: &ParticipantBook, operator: Address) -> Result<(), BatchError> {
    let signs = |party: &PartyEntry| party.meter.filter(|meter| *meter != operator);
    let metered =
        |party: &PartyEntry| book.metering_points().iter().any(|point| point.party == party.id);
    let first = book.parties().iter().find_map(|party| {
        signs(party).filter(|_| metered(party)).map(|meter| (party.id.clone(), meter))
    });
    match first {
        Some((party, meter)) => Err(BatchError::MeterSigns { party, meter }),
        None => Ok(()),
    }
}
