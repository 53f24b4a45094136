//! Where blobs are found: a beacon node while consensus keeps them, an archive for ever after.
//!
//! Nobody is believed. A blob counts when its commitment, computed from its bytes, has the hash that the chain names.

use std::time::Duration;

use alloy_primitives::{B256, Bytes};
use gridtally_core::explanations;
use gridtally_settlement::{BlobBytes, versioned_hashes};
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::archive::{BatchArchive, BatchArchiveError};
use crate::endpoint::{Endpoint, EndpointError, EndpointOptions};

/// Blobs that an answer may have at most: more than a block may.
const BLOBS_MAX: usize = 128;

/// Why blobs are not at hand, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum BlobSourceError {
    /// The beacon node cannot be asked, or answers something else.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// The archive cannot be read.
    #[error("{0}")]
    Archive(#[from] BatchArchiveError),
    /// What a beacon node says of its slots makes no sense.
    #[error("{endpoint} counts slots in a way that makes no sense: {reason}")]
    SlotsInvalid {
        /// Where the request went.
        endpoint: String,
        /// What is wrong.
        reason: String,
    },
    /// The answer has blobs, but other ones than the chain names.
    #[error("{endpoint} gives another blob than {hash}")]
    Differs {
        /// Where the request went.
        endpoint: String,
        /// The versioned hash of a blob that is not in the answer.
        hash: B256,
    },
}

explanations! {
    BlobSourceError {
        Endpoint: "blob-source-unreachable" "the beacon node cannot be asked, or answers something else"
            "name another beacon node with --beacon, or an archive with --archive";
        Archive(error);
        SlotsInvalid: "blob-source-slots-invalid" "the beacon node's genesis or slot length makes no sense"
            "make sure that a beacon node of the same chain listens there";
        Differs: "blob-source-differs" "the blobs of an answer are not those that the chain names"
            "ask another beacon node, or an archive";
    }
}

/// Where blobs are found.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a program has a few of them")]
pub enum BlobSource {
    /// A beacon node.
    Beacon(BeaconNode),
    /// An archive of batches.
    Archive(BatchArchive),
}

impl BlobSource {
    /// Returns the archive, if it is one.
    pub(crate) const fn archive(&self) -> Option<&BatchArchive> {
        match self {
            Self::Beacon(_) => None,
            Self::Archive(archive) => Some(archive),
        }
    }

    /// Returns the blobs with these versioned hashes in their order, or `None` where they are not there.
    ///
    /// `time_s` is the time of their block in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Returns a [`BlobSourceError`].
    pub async fn blobs(
        &self,
        hashes: &[B256],
        time_s: u64,
    ) -> Result<Option<Vec<BlobBytes>>, BlobSourceError> {
        match self {
            Self::Beacon(node) => node.blobs(hashes, time_s).await,
            Self::Archive(archive) => Ok(archive.blobs(hashes).await?),
        }
    }
}

/// A beacon node, or whoever serves the same routes.
///
/// # Source
///
/// Ethereum Beacon APIs, `getBlobs`, `getGenesis`, `getSpec`.
#[derive(Debug)]
pub struct BeaconNode {
    endpoint: Endpoint,
    slots: OnceCell<Slots>,
}

/// How a beacon chain counts time.
#[derive(Debug, Clone, Copy)]
struct Slots {
    genesis_s: u64,
    length: Duration,
}

impl Slots {
    /// Returns the slot of a block, or `None` for one from before the beacon chain.
    fn of(&self, time_s: u64) -> Option<u64> {
        let age_ms = u128::from(time_s.checked_sub(self.genesis_s)?) * 1_000;
        u64::try_from(age_ms / self.length.as_millis()).ok()
    }
}

#[derive(Deserialize)]
struct Document<T> {
    data: T,
}

#[derive(Deserialize)]
struct Genesis {
    genesis_time: String,
}

#[derive(Deserialize)]
struct Spec {
    #[serde(rename = "SECONDS_PER_SLOT")]
    seconds_per_slot: Option<String>,
    #[serde(rename = "SLOT_DURATION_MS")]
    slot_duration_ms: Option<String>,
}

impl BeaconNode {
    /// Returns a beacon node at an `http` or `https` address. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// Returns [`EndpointError::AddressInvalid`] for anything else.
    pub fn new(address: &str, options: EndpointOptions) -> Result<Self, EndpointError> {
        Ok(Self { endpoint: Endpoint::new(address, options)?, slots: OnceCell::new() })
    }

    async fn blobs(
        &self,
        hashes: &[B256],
        time_s: u64,
    ) -> Result<Option<Vec<BlobBytes>>, BlobSourceError> {
        let slots = self.slots.get_or_try_init(|| self.ask_slots()).await?;
        let Some(slot) = slots.of(time_s) else { return Ok(None) };
        let route = format!("/eth/v1/beacon/blobs/{slot}");
        let named: Vec<_> =
            hashes.iter().map(|hash| ("versioned_hashes", hash.to_string())).collect();
        let answer = self.endpoint.get::<Document<Vec<Bytes>>>("getBlobs", &route, &named).await;
        let found = match answer {
            Ok(answer) => answer.data,
            // The block is not known, or its blobs are no longer kept.
            Err(EndpointError::Status { status: 404 | 410, .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if found.is_empty() {
            return Ok(None);
        }
        let hash = hashes.first().copied().unwrap_or_default();
        let differs =
            |hash| BlobSourceError::Differs { endpoint: self.endpoint.shown().to_owned(), hash };
        if found.len() > BLOBS_MAX {
            return Err(differs(hash));
        }
        let blobs = found.iter().map(|bytes| bytes.to_vec().into_boxed_slice().try_into().ok());
        let blobs: Vec<BlobBytes> = blobs.collect::<Option<_>>().ok_or_else(|| differs(hash))?;
        let (blobs, computed) = with_hashes(blobs).await;
        let computed = computed.ok_or_else(|| differs(hash))?;
        let mut wanted = Vec::with_capacity(hashes.len());
        for hash in hashes {
            let place = computed.iter().position(|computed| computed == hash);
            wanted.push(blobs[place.ok_or_else(|| differs(*hash))?].clone());
        }
        Ok(Some(wanted))
    }

    async fn ask_slots(&self) -> Result<Slots, BlobSourceError> {
        let genesis: Document<Genesis> =
            self.endpoint.get("getGenesis", "/eth/v1/beacon/genesis", &[]).await?;
        let spec: Document<Spec> = self.endpoint.get("getSpec", "/eth/v1/config/spec", &[]).await?;
        let invalid = |reason: &str| BlobSourceError::SlotsInvalid {
            endpoint: self.endpoint.shown().to_owned(),
            reason: reason.to_owned(),
        };
        let number = |text: &str| text.parse::<u64>().ok();
        let genesis_s = number(&genesis.data.genesis_time);
        let genesis_s = genesis_s.ok_or_else(|| invalid("its genesis time is no number"))?;
        let seconds = spec.data.seconds_per_slot.as_deref().and_then(number);
        let length = spec.data.slot_duration_ms.as_deref().and_then(number);
        let length = length.map(Duration::from_millis).or(seconds.map(Duration::from_secs));
        let length = length.filter(|length| *length >= Duration::from_millis(1));
        let length = length.ok_or_else(|| invalid("its slots have no length"))?;
        Ok(Slots { genesis_s, length })
    }
}

/// Computes the hashes of blobs where it does not hold up others: some 0.05 s a blob.
async fn with_hashes(blobs: Vec<BlobBytes>) -> (Vec<BlobBytes>, Option<Vec<B256>>) {
    let work = move || {
        let computed = versioned_hashes(&blobs).ok();
        (blobs, computed)
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
}
