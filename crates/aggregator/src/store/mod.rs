//! The store: one folder that holds everything the business knows.
//!
//! ```text
//! store.toml               currency, zone, settlement calendar; never changes
//! journal                  one line for everything that was acknowledged, each with the digest of all before it
//! readings/  prices/       tables by month, ascending by start
//! participants/  tariffs/  deployments/
//! runs/ID/                 manifest, records.csv, gaps.csv of a settlement run
//! incoming/  set_aside/    what is being written; what a write that was interrupted left behind
//! lock
//! ```
//!
//! Files are named by their content and never change; the journal names each with its digest, so every byte is covered.
//! Nothing is edited: a value that replaces another is a row in a later file. What holds is the row of the latest
//! journal line, or of the latest up to a given line.
//!
//! The commit order of every write: the files into `incoming/`, each synced; renamed to their places; the folders
//! synced; the journal line written and synced. Only then is the write acknowledged. A process that dies before the
//! line is complete leaves files that nobody names, which the next writer sets aside.

mod digest;
mod disk;
mod error;
mod utc;

mod settings;

mod journal;
mod names;
mod row;

mod documents;
mod participants;

mod merge;
mod table;
mod view;

mod imported;
mod recovery;
mod run;
mod series;
mod writer;

mod check;

pub use check::{BATCH_FOLDER, CHAIN_FOLDER, Check, CheckProgress, SECTION_FOLDER};
pub use digest::{Digest, DigestError, Fingerprint};
pub use disk::{Disk, DiskFile, SystemDisk};
pub use documents::{Document, read_participants, read_tariff};
pub use error::{Fault, FaultKind, StoreError};
pub use imported::ImportTerms;
pub use journal::{
    Content, Entry, ErasedBatch, ErasedSections, Line, RunEntry, StoredFile, TableFile,
};
pub use participants::{Metering, ParticipantBook, ParticipantError, PartyEntry, PointEntry};
pub use row::{PriceRow, ReadingRow};
pub use run::RunWriter;
pub(crate) use run::{GAPS_HEADER, RECORDS_HEADER, gap_lines, record_lines, settled_records};
pub use series::{Added, PriceSeries, ReadingSeries};
pub use settings::{FORMAT, Settings};
pub(crate) use view::PRICE_LENGTH_MAX_S;
pub use view::{Newest, StoreView};
pub use writer::{Recorded, Store};
