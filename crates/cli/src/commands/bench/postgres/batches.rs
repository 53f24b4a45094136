//! Our side: readings to batches with both trees, each in a file that is on the disk before the next one counts.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use alloy_primitives::B256;
use anyhow::{Context as _, anyhow};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_core::quantity::Amount;
use gridtally_core::reading::Quality;
use gridtally_settlement::{
    Acceptance, Account, AccountLeaf, Accounts, Activities, Activity, BatchHeader, BatchPlan,
    BlobBytes, DataKind, EstimatedPolicy, ForcedReadings, InboxRange, LedgerState, MissingPolicy,
    PeriodReadings, Record, RecordLeaf, Reference, SlotEnergy, blobs_hash, build_batch,
    calldata_hash, cell_proofs, commitment, pack_blobs, pack_calldata, settle_period,
    versioned_hash,
};
use rayon::prelude::*;

use crate::commands::bench::settlement::{CODES, Row, SLOTS, rows, table};
use crate::stopwatch::Stopwatch;

/// Households that settle in each period, each with both codes: they fill six blobs.
pub(super) const HOUSEHOLDS: u32 = 384;
/// Records of a period, which are a batch.
pub(super) const PERIOD_RECORDS: u32 = HOUSEHOLDS * 2 * SLOTS as u32;
/// What every account has at the beginning, in micro-units; nobody runs out of it.
pub(super) const OPENING_MICRO: i64 = 1_000_000_000_000;
/// Batches that wait for the disk while the next is built.
const WAITING_MAX: usize = 1;

/// How the records are made ready for the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Publication {
    /// Ten bytes each, and the hash of all of them.
    Packed,
    /// In blobs, with their KZG commitments.
    Commitments,
    /// In blobs, with their commitments and the proofs of all cells.
    CellProofs,
}

impl Publication {
    /// Returns what is said of it in the table.
    pub(super) const fn said(self) -> &'static str {
        match self {
            Self::Packed => "with both trees",
            Self::Commitments => "with trees and KZG commitments",
            Self::CellProofs => "with trees, commitments and cell proofs",
        }
    }
}

/// What is left when all batches are on the disk.
pub(super) struct Stored {
    pub(super) elapsed: Duration,
    /// By participant number, the hub's first; micro-units.
    pub(super) balances_micro: Vec<i64>,
}

/// A batch on its way to the disk.
struct Page {
    header: BatchHeader,
    accounts: Vec<AccountLeaf>,
    leaves: Vec<RecordLeaf>,
    data: Data,
}

/// What is published of a batch.
enum Data {
    Packed(Vec<u8>),
    Blobs(Vec<Committed>),
}

struct Committed {
    blob: BlobBytes,
    commitment: [u8; 48],
    cell_proofs: Vec<[u8; 48]>,
}

/// Settles so many periods into files of `folder`, one for each batch.
///
/// # Errors
///
/// When a file cannot be written.
pub(super) fn store(
    periods: u32,
    publication: Publication,
    folder: &Path,
) -> anyhow::Result<Stored> {
    let watch = Stopwatch::start();
    let state = thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel::<Page>(WAITING_MAX);
        let writer = scope
            .spawn(move || receiver.into_iter().try_for_each(|page| write_page(folder, &page)));
        let state = settle_all(periods, publication, &sender);
        // The writer ends when nobody can send any more.
        drop(sender);
        writer.join().map_err(|_| anyhow!("the writer ended early"))??;
        state
    })?;
    let elapsed = watch.elapsed();
    let balances_micro = state.accounts().leaves().map(|leaf| leaf.balance.micro()).collect();
    Ok(Stored { elapsed, balances_micro })
}

fn settle_all(
    periods: u32,
    publication: Publication,
    pages: &mpsc::SyncSender<Page>,
) -> anyhow::Result<LedgerState> {
    let first = SettlementPeriod(1);
    let table = table();
    let activities = Activities::new(vec![Activity::from(first); HOUSEHOLDS as usize]);
    let inbox = InboxRange { first: 0, entries: &[] };
    let forced = ForcedReadings::default();
    let reference = Reference { table: &table, activities: &activities, inbox, forced: &forced };
    let mut state = opening();
    for period in (first.0..=periods).map(SettlementPeriod) {
        let readings = readings(period)?;
        let settled = settle_period(period, &table, readings.sections(), MissingPolicy::Refuse)?;
        let records: Vec<Record> = settled.records.iter().map(|priced| priced.record).collect();
        let account_count = HOUSEHOLDS + 1;
        let plan = BatchPlan { period, run: 0, part: 0, account_count, inbox_to: 0, records };
        let mut batch = build_batch(&plan, &state, &reference)?;
        let (data, data_kind, data_hash) = publish(&plan.records, publication)?;
        let tariff_hash = table.hash();
        let committed_at = period.0.into();
        let accepted = Acceptance { tariff_hash, data_hash, data_kind, committed_at };
        let header = batch.commitment.header(state.header(), &accepted);
        let leaves = std::mem::take(&mut batch.leaves);
        let accounts = batch.accounts.leaves().collect();
        state = batch.into_state(header.clone());
        if pages.send(Page { header, accounts, leaves, data }).is_err() {
            // It says itself why it ended.
            break;
        }
    }
    Ok(state)
}

/// Returns the ledger before the first batch, where everybody has the same.
fn opening() -> LedgerState {
    let account = Account { balance: Amount::from_micro(OPENING_MICRO), payable_micro: 0 };
    let accounts = Accounts::new(vec![account; HOUSEHOLDS as usize + 1]);
    LedgerState::new(BatchHeader { hub_balance: account.balance, ..BatchHeader::GENESIS }, accounts)
}

fn readings(period: SettlementPeriod) -> anyhow::Result<PeriodReadings> {
    let mut readings = PeriodReadings::new();
    for number in 1..=HOUSEHOLDS {
        for code in CODES {
            readings.expect(ParticipantNumber(number), code, 0..SLOTS)?;
        }
    }
    for Row { participant, code, slot, energy, quality } in rows(period.0, HOUSEHOLDS) {
        let energy = SlotEnergy::of_reading(energy, quality, EstimatedPolicy::Refuse)?;
        readings.add(participant, code, slot, energy)?;
    }
    Ok(readings)
}

fn publish(records: &[Record], publication: Publication) -> anyhow::Result<(Data, DataKind, B256)> {
    if publication == Publication::Packed {
        let packed = pack_calldata(records.iter().copied());
        let hash = calldata_hash(&packed);
        return Ok((Data::Packed(packed), DataKind::Calldata, hash));
    }
    let commit = |blob: BlobBytes| {
        let commitment = commitment(&blob)?;
        let proofs = match publication {
            Publication::CellProofs => cell_proofs(&blob)?,
            Publication::Packed | Publication::Commitments => Vec::new(),
        };
        let cell_proofs = proofs.into_iter().map(|proof| proof.0).collect();
        anyhow::Ok(Committed { blob, commitment: commitment.0, cell_proofs })
    };
    let blobs: Vec<Committed> =
        pack_blobs(records).into_par_iter().map(commit).collect::<Result<_, _>>()?;
    let hashes: Vec<B256> =
        blobs.iter().map(|blob| versioned_hash(&blob.commitment.into())).collect();
    let hash = blobs_hash(&hashes);
    Ok((Data::Blobs(blobs), DataKind::Blob, hash))
}

/// Writes a batch so that it survives a failure of power: the file, then its name in the folder.
fn write_page(folder: &Path, page: &Page) -> anyhow::Result<()> {
    let name = folder.join(format!("batch-{:06}", page.header.seq));
    let file = File::create_new(&name).with_context(|| name.display().to_string())?;
    let mut out = BufWriter::with_capacity(1 << 18, file);
    out.write_all(&page.header.encode())?;
    page.accounts.iter().try_for_each(|leaf| out.write_all(&leaf.preimage()))?;
    page.leaves.iter().try_for_each(|leaf| out.write_all(&leaf.preimage()))?;
    match &page.data {
        Data::Packed(bytes) => out.write_all(bytes)?,
        Data::Blobs(blobs) => {
            for Committed { blob, commitment, cell_proofs } in blobs {
                out.write_all(&blob[..])?;
                out.write_all(commitment)?;
                cell_proofs.iter().try_for_each(|proof| out.write_all(proof))?;
            }
        }
    }
    out.into_inner().map_err(|error| error.into_error())?.sync_all()?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Returns a reading as PostgreSQL reads it: participant, code, slot, quality, watt-hours.
pub(super) fn line(row: &Row) -> String {
    let Row { participant, code, slot, energy, quality } = row;
    let quality = u8::from(*quality == Quality::Corrected);
    let energy_wh = energy.map_or_else(|| "\\N".to_owned(), |energy| energy.wh().to_string());
    format!("{}\t{}\t{}\t{quality}\t{energy_wh}\n", participant.0, code.number(), slot.0)
}

#[cfg(test)]
mod tests {
    use gridtally_settlement::{Answers, CommittedBatch, Published, Verdict, judge};

    use super::*;

    fn stored(publication: Publication) -> (Stored, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let stored = store(1, publication, folder.path()).unwrap();
        (stored, std::fs::read(folder.path().join("batch-000001")).unwrap())
    }

    #[test]
    fn what_is_stored_obeys_the_rules() {
        let (stored, file) = stored(Publication::Commitments);
        let header = BatchHeader::decode(&file[..BatchHeader::LENGTH]).unwrap();
        let data = BatchHeader::LENGTH
            + (HOUSEHOLDS as usize + 1) * AccountLeaf::LENGTH
            + PERIOD_RECORDS as usize * RecordLeaf::LENGTH;
        let blobs: Vec<BlobBytes> = file[data..]
            .chunks(gridtally_settlement::BLOB_LENGTH + 48)
            .map(|chunk| {
                let blob = chunk[..gridtally_settlement::BLOB_LENGTH].to_vec();
                blob.into_boxed_slice().try_into().unwrap()
            })
            .collect();
        assert_eq!(blobs.len(), 6);
        let (table, activities) =
            (table(), Activities::new(vec![Activity::from(header.period); HOUSEHOLDS as usize]));
        let inbox = InboxRange { first: 0, entries: &[] };
        let forced = ForcedReadings::default();
        let reference =
            Reference { table: &table, activities: &activities, inbox, forced: &forced };
        let committed = CommittedBatch { header: &header, published: Published::Blobs(&blobs) };
        let verdict = judge(committed, &opening(), &reference, &Answers::default());
        assert!(matches!(verdict, Verdict::Valid(_)));
        // What the households lost or won is the hub's.
        let total: i64 = stored.balances_micro.iter().sum();
        assert_eq!(total, OPENING_MICRO * i64::from(HOUSEHOLDS + 1));
        assert!(stored.balances_micro.iter().all(|&balance| balance != OPENING_MICRO));
    }

    #[test]
    fn packed_records_take_ten_bytes() {
        let (_, file) = stored(Publication::Packed);
        let (_, blobs) = stored(Publication::Commitments);
        let data = blobs.len() - 6 * (gridtally_settlement::BLOB_LENGTH + 48);
        assert_eq!(file.len(), data + PERIOD_RECORDS as usize * Record::LENGTH);
    }
}
