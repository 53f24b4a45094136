//! Where blobs are found: a beacon node while consensus keeps them, an archive for ever after.
//!
//! Nobody is believed. A blob counts when its commitment, computed from its bytes, has the hash that the chain names.

use alloy_primitives::B256;
use gridtally_core::explanations;
use gridtally_settlement::{BlobBytes, versioned_hashes};
use tokio::sync::OnceCell;

use crate::archive::{BatchArchive, BatchArchiveError};
use crate::beacon_answer::{BeaconBlobs, BeaconGenesis, BeaconSlots, BeaconSpec};
use crate::endpoint::{Endpoint, EndpointError, EndpointOptions};

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
    slots: OnceCell<BeaconSlots>,
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
        let answer = self.endpoint.get::<BeaconBlobs>("getBlobs", &route, &named).await;
        let found = match answer {
            Ok(answer) if answer.is_empty() => return Ok(None),
            Ok(answer) => answer.blobs(),
            // The block is not known, or its blobs are no longer kept.
            Err(EndpointError::Status { status: 404 | 410, .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let hash = hashes.first().copied().unwrap_or_default();
        let differs =
            |hash| BlobSourceError::Differs { endpoint: self.endpoint.shown().to_owned(), hash };
        let blobs = found.ok_or_else(|| differs(hash))?;
        let (blobs, computed) = with_hashes(blobs).await;
        let computed = computed.ok_or_else(|| differs(hash))?;
        let mut wanted = Vec::with_capacity(hashes.len());
        for hash in hashes {
            let place = computed.iter().position(|computed| computed == hash);
            wanted.push(blobs[place.ok_or_else(|| differs(*hash))?].clone());
        }
        Ok(Some(wanted))
    }

    async fn ask_slots(&self) -> Result<BeaconSlots, BlobSourceError> {
        let genesis: BeaconGenesis =
            self.endpoint.get("getGenesis", "/eth/v1/beacon/genesis", &[]).await?;
        let spec: BeaconSpec = self.endpoint.get("getSpec", "/eth/v1/config/spec", &[]).await?;
        BeaconSlots::new(&genesis, &spec).map_err(|reason| BlobSourceError::SlotsInvalid {
            endpoint: self.endpoint.shown().to_owned(),
            reason: reason.to_owned(),
        })
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
