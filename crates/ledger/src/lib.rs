//! The settlement contracts seen from Rust, over any Ethereum JSON-RPC endpoint.
//!
//! ```text
//! Endpoint --> Client --> Sender --> register, publish_tariff, fund, settle   (changes the chain)
//!                    \--> read, Follower                                      (asks the chain)
//!
//! batches:  Watcher (rebuilds, judges, strikes down) --> Hub (commits, answers, makes final)
//! ```
//!
//! What this crate does not do: it computes no amount and decides no price (`settlement` does), it
//! keeps no store, and it does not know who runs the chain. The chain is the only memory: after a
//! crash it is asked what is done, and only the rest is sent.

mod concurrent;
mod wire;

mod client;
mod endpoint;

mod gas;
mod key;
mod objection;
mod pipeline;
mod send_error;
mod sender;

mod abi;
mod archive;
mod archive_batch;
mod archive_bucket;
mod archive_folder;
mod archive_signatures;
mod batch_answer;
mod batch_call;
mod batch_data;
mod batch_deploy;
mod batch_event;
mod batch_money;
mod batch_view;
mod beacon_answer;
mod blob_sidecar;
mod blob_source;
mod event;
mod refusal;

mod duty_call;
mod sealed_call;
mod section_export;
mod section_source;
mod section_store;
mod snapshot_sealed;

mod deploy;
mod fund;
mod register;
mod settle;
mod tariff;

mod follow;
mod payout;
mod read;
mod record_export;
mod watch;
mod watch_duty;
mod watch_records;
mod watch_resume;
mod watch_sealed;

mod hub;
mod hub_answer;
mod hub_archive;
mod hub_sealed;
mod hub_snapshot;
mod publication;

pub use archive::{BatchArchive, BatchArchiveError};
pub use archive_bucket::{
    ArchiveBucket, BucketAddress, BucketCredentials, BucketError, BucketOptions,
};
pub use batch_answer::{reveal, reveal_sealed};
pub use batch_call::{DataEvidence, Demanded};
pub use batch_data::{BatchData, DataError};
pub use batch_deploy::{BatchDeployment, BatchLedger, BatchOffices, BatchTerms};
pub use batch_event::{BatchEntry, BatchEvent};
pub use batch_view::{
    BatchView, DemandState, ForceKey, ForceRequest, INBOX_DEPTH, SnapshotPart, TrackedBatch,
    TrackedSnapshot, ViewError,
};
pub use beacon_answer::{BeaconBlobs, BeaconGenesis, BeaconSlots, BeaconSpec};
pub use blob_sidecar::BlobSidecar;
pub use blob_source::{BeaconNode, BlobSource, BlobSourceError};
pub use client::{BlockId, CallRequest, Client, ConnectError, GasPrice, LogFilter};
pub use deploy::{DeployError, Deployment, Ledger, Offices, ReadError, TokenChoice};
pub use endpoint::{Endpoint, EndpointError, EndpointOptions, RpcFailure};
pub use event::{EventError, LedgerEntry, LedgerEvent, ParticipantRole, ParticipantState};
pub use follow::{Cursor, FollowError, FollowOptions, Follower, LogEntry, Notice, Notices};
pub use fund::{FundError, Funding};
pub use gas::{CallKind, GasMeasurements, GasTotal, TRANSACTION_GAS_MAX};
pub use hub::{Hub, HubError, HubReport, PENDING_MAX, Signatures, WINDOW_S};
pub use hub_sealed::SealError;
pub use key::{Key, KeyError, KeySource, PasswordSource, TEST_MNEMONIC};
pub use payout::{FinalAccount, PayoutState};
pub use pipeline::{Progress, ProgressListener};
pub use publication::{Publication, PublicationError};
pub use read::{History, HistoryError, PublishedTariff, SettledRecord};
pub use record_export::{ExportError, KnownRecords, WantedRecord};
pub use refusal::{Refusal, SolidityError};
pub use register::{Participant, RegisterError, Registration};
pub use section_export::SectionExportError;
pub use section_source::{
    SectionReader, SectionSource, SectionSourceError, read_section_file, section_file_name,
};
pub use section_store::{KeptBatch, SectionStore, SectionStoreError};
pub use send_error::SendError;
pub use sender::{Call, SendOptions, Sender, Sent};
pub use settle::{GasLimit, SettleError, SettleForm, SettleOptions, SettleSummary};
pub use tariff::PublishError;
pub use watch::{Interrupted, Outcome, WatchError, WatchReport, Watcher};
pub use watch_duty::SnapshotVerdict;
pub use wire::{Block, BlockRef, Log, Receipt, Transaction};
