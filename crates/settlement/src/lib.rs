//! Settlement, pure: readings and tariffs in, records out, and everything that a record becomes on the chain.
//!
//! [`PeriodReadings`] collects the readings of one settlement period, [`settle_period`] prices them; a [`RunManifest`] names
//! what a run of several used.
//! [`DirectRecord`] is the form in which a record is settled one by one; [`Tree`] and the leaves are the form in which many
//! are committed at once. [`first_difference`] is the comparison behind every verification.
//!
//! [`build_batch`] makes a batch of records, and [`judge()`] says of any batch and its parent whether it obeys the [`Rule`]s,
//! which [`FraudProof`] shows that it does not, or what must be demanded to tell.
//!
//! The crate does no I/O, knows no clock and no chain client, uses no floats, and gives the same bytes for the same input.
//! It follows the settlement protocol, sections 2.1 to 2.9 and 2.13, and of 2.12 what is pure.
#![deny(clippy::float_arithmetic)]

mod code;
mod record;
mod record_proof;

mod amount;
mod tariff_table;

mod period_readings;
mod section;
mod slot_energy;

mod period;
mod total;

mod run;

mod signature;

mod direct;
mod signed_reading;

mod leaf;
mod tree;

mod account;
mod forced;
mod header;
mod inbox;
mod ledger_state;
mod registry;

mod kzg;
mod published;

mod derive;
mod rule;
mod rules;

mod batch;
mod withdrawal;

mod fraud_proof;
mod judge;
mod opening;

mod sealed;
mod snapshot;

mod comparison;

pub use account::{Account, Accounts};
pub use amount::{participant_amount, priced_truncated};
pub use batch::{Batch, BatchPlan, BatchRefused, build_batch};
pub use code::{Code, CodeClass, CodeError};
pub use comparison::{Difference, RecordKey, Settled, first_difference};
pub use derive::Reference;
pub use direct::{DirectRecord, DirectRecordError};
pub use forced::{ForcedReadings, KeyGap};
pub use fraud_proof::{Evidence, FraudProof};
pub use header::{Acceptance, BatchCommitment, BatchHeader, DataKind, HeaderError};
pub use inbox::{INBOX_ENTRIES_MAX, InboxEntry, InboxKind, InboxRange};
pub use judge::{Answers, CommittedBatch, Demand, Place, Verdict, Violation, judge};
pub use kzg::{
    BlobMalformed, BlobProofs, ElementOpening, blob_proofs, cell_proofs, commitment, is_opening,
    open_element, versioned_hash, versioned_hashes,
};
pub use leaf::{AccountLeaf, RecordLeaf};
pub use ledger_state::LedgerState;
pub use opening::{Leaf, Need, Opened, Revealed};
pub use period::{PeriodRecords, PeriodRefused, PricedRecord, correct_period, settle_period};
pub use period_readings::{PeriodReadings, ReadingRefused};
pub use published::{
    BLOB_LENGTH, BLOBS_MAX, BlobBytes, BlobPlace, CALLDATA_RECORDS_MAX, Published,
    RECORDS_PER_BLOB, blobs_hash, calldata_hash, opening_point, pack_blobs, pack_calldata,
};
pub use record::{Record, RecordError};
pub use record_proof::{ProvedRecord, RecordProof, RecordProofError, RecordProofFormat};
pub use registry::{Activities, Activity};
pub use rule::Rule;
pub use run::{RunId, RunManifest, RunSummary};
pub use sealed::{
    SEALED_ACCOUNTS_MAX, SECTION_RECORDS_MAX, SealRefused, SealedBatch, SealedSection,
    SectionFault, SectionKey, is_range_included, range_path, section_digest, section_element,
};
pub use section::{GapRange, Section};
pub use signature::{Domain, MeterKey, SignatureError, address_of, recover, sign};
pub use signed_reading::SignedReading;
pub use slot_energy::{EstimatedPolicy, Gap, MissingPolicy, SlotEnergy, SlotEnergyError};
pub use snapshot::{
    SNAPSHOT_ACCOUNT_LENGTH, SNAPSHOT_ACCOUNTS_PER_BLOB, SNAPSHOT_ACCOUNTS_PER_ELEMENT,
    SnapshotData, SnapshotError, pack_snapshot, pack_snapshot_account, pack_snapshot_blobs,
    snapshot_hash, unpack_snapshot,
};
pub use tariff_table::{TABLE_LENGTH_MAX, TariffTable, TariffTableError};
pub use total::{CodeTotal, Position, Totals};
pub use tree::{GROUP_LEAVES, LEAVES_MAX, Tree, is_included, node};
pub use withdrawal::{WithdrawalPolicy, with_withdrawals};
