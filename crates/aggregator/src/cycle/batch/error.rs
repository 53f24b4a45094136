//! Why a run does not come onto a chain in batches.

use std::path::PathBuf;

use alloy_primitives::Address;
use gridtally_core::party::{ParticipantNumber, PartyId};
use gridtally_core::period::SettlementPeriod;
use gridtally_ledger::{
    DeployError, EndpointError, ExportError, HubError, PublishError, ReadError, RegisterError,
    SectionStoreError, SendError,
};
use jiff::Timestamp;

use crate::cycle::error::RunError;
use crate::cycle::mode::ModeDiffers;
use crate::store::StoreError;

/// Why a run is not on a chain as a whole. Doing it again goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run cannot be computed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The store settles record by record.
    #[error(transparent)]
    Mode(#[from] ModeDiffers),
    /// An older run would undo what a later one corrected.
    #[error(
        "journal line {line} settles a part of this span as of line {newer}, later than line {as_of}"
    )]
    Superseded {
        /// The line that acknowledges the later run.
        line: u64,
        /// Up to which line the later run counts.
        newer: u64,
        /// Up to which line this one counts.
        as_of: u64,
    },
    /// There is no deployment to work with.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// Another key than the hub's.
    #[error("the hub of contract {contract} is {hub}, the key is that of {sender}")]
    NotHub {
        /// The contract.
        contract: Address,
        /// Its hub.
        hub: Address,
        /// Whose key it is.
        sender: Address,
    },
    /// The ledger has ended: its hub had stopped.
    #[error("contract {contract} is frozen: it takes no batch any more")]
    Frozen {
        /// The contract.
        contract: Address,
    },
    /// The contract has another auditor than the one that is asked for.
    #[error("the auditor of contract {contract} is {}, not {wanted}", named(*.found))]
    AuditorDiffers {
        /// The contract.
        contract: Address,
        /// Its auditor.
        found: Option<Address>,
        /// The one that was asked for.
        wanted: Address,
    },
    /// Batches are to be sealed, and nobody is, or would be, the auditor.
    #[error("batches cannot be sealed without an auditor")]
    NoAuditor,
    /// Batches are to be sealed, on a chain without blobs.
    #[error("batches cannot be sealed on chain {chain_id}, which takes no blobs")]
    NoBlobs {
        /// The chain.
        chain_id: u64,
    },
    /// Batches are to be published in the open after sealed ones.
    #[error("batch {seq} is sealed, and none after it can be published in the open")]
    SealedBefore {
        /// Number of the first sealed batch.
        seq: u64,
    },
    /// What a sealed batch hides is lost.
    #[error("the sections of batch {seq} are not in {}", folder.display())]
    SectionsMissing {
        /// Number of the batch.
        seq: u64,
        /// The store of sections.
        folder: PathBuf,
    },
    /// The store of sections cannot be used.
    #[error(transparent)]
    Sections(#[from] SectionStoreError),
    /// Participants are not registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// Tariffs are not published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A party has a meter that signs for itself, and its signatures are not in the store.
    #[error(
        "the meter of {party} signs with a key of its own ({meter}), and the store has no signature of it"
    )]
    MeterSigns {
        /// The party.
        party: PartyId,
        /// The address of its meter's key.
        meter: Address,
    },
    /// A party takes part from a later period on.
    #[error(
        "{party} takes part on the chain from settlement period {first} on, and has readings in period {period}"
    )]
    NotActive {
        /// The party.
        party: PartyId,
        /// The period of the readings.
        period: SettlementPeriod,
        /// The first period in which the chain knows it.
        first: SettlementPeriod,
    },
    /// What a batch published cannot be found.
    #[error(transparent)]
    Published(#[from] ExportError),
    /// Somebody has to pay in first.
    #[error(
        "{count} participants have to pay in first, participant {first} {missing_micro} micro-units"
    )]
    FundsMissing {
        /// The first of them.
        first: ParticipantNumber,
        /// How much it lacks, micro-units.
        missing_micro: u64,
        /// How many there are.
        count: usize,
    },
    /// Somebody needs more money than one deposit can bring.
    #[error("participant {participant} lacks {missing_micro} micro-units, more than it can pay in")]
    FundsOutOfRange {
        /// Who.
        participant: ParticipantNumber,
        /// How much.
        missing_micro: i128,
    },
    /// Deposits are too young for a batch.
    #[error("what was paid in can be taken into a batch in {blocks} blocks")]
    InboxYoung {
        /// How many blocks must come first.
        blocks: u64,
    },
    /// A period is not over yet.
    #[error("settlement period {period} ends {end}, the chain's time is {now}")]
    PeriodNotOver {
        /// The period.
        period: SettlementPeriod,
        /// Its end.
        end: Timestamp,
        /// Time of the newest block.
        now: Timestamp,
    },
    /// As many batches as can be wait for their window to be over.
    #[error("{pending} batches are pending, and no more can be: the first can be final at {until}")]
    WindowsOpen {
        /// How many.
        pending: u64,
        /// When the first window is over.
        until: Timestamp,
    },
    /// The endpoint failed.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// A contract cannot be asked.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A transaction was not carried out.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The hub fails, or the chain holds a batch that is not valid.
    #[error(transparent)]
    Hub(#[from] HubError),
}

impl From<gridtally_core::period::SettlementCalendarError> for BatchError {
    fn from(error: gridtally_core::period::SettlementCalendarError) -> Self {
        Self::Run(error.into())
    }
}

fn named(auditor: Option<Address>) -> String {
    auditor.map_or_else(|| "nobody".to_owned(), |auditor| auditor.to_string())
}
