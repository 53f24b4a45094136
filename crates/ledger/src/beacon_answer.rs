//! What a beacon node answers.
//!
//! # Source
//!
//! Ethereum Beacon APIs, `getBlobs`, `getGenesis`, `getSpec`.

use std::time::Duration;

use alloy_primitives::Bytes;
use gridtally_settlement::BlobBytes;
use serde::Deserialize;

/// Blobs that an answer may have at most: more than a block may.
const BLOBS_MAX: usize = 128;

/// The blobs of a slot.
#[derive(Debug, Deserialize)]
pub struct BeaconBlobs {
    data: Vec<Bytes>,
}

impl BeaconBlobs {
    /// Returns whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Returns the blobs; nothing where there are more than a block may have, or one has another length.
    #[must_use]
    pub fn blobs(self) -> Option<Vec<BlobBytes>> {
        if self.data.len() > BLOBS_MAX {
            return None;
        }
        let blob = |bytes: Bytes| bytes.to_vec().into_boxed_slice().try_into().ok();
        self.data.into_iter().map(blob).collect()
    }
}

/// When a beacon chain began.
#[derive(Debug, Deserialize)]
pub struct BeaconGenesis {
    data: Genesis,
}

#[derive(Debug, Deserialize)]
struct Genesis {
    genesis_time: String,
}

/// The settings of a beacon chain.
#[derive(Debug, Deserialize)]
pub struct BeaconSpec {
    data: Spec,
}

#[derive(Debug, Deserialize)]
struct Spec {
    #[serde(rename = "SECONDS_PER_SLOT")]
    seconds_per_slot: Option<String>,
    #[serde(rename = "SLOT_DURATION_MS")]
    slot_duration_ms: Option<String>,
}

/// How a beacon chain counts time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeaconSlots {
    genesis_s: u64,
    length: Duration,
}

impl BeaconSlots {
    /// Returns how a beacon chain counts time, in milliseconds where it says so.
    ///
    /// # Errors
    ///
    /// Returns what makes no sense.
    pub fn new(genesis: &BeaconGenesis, spec: &BeaconSpec) -> Result<Self, &'static str> {
        let number = |text: &str| text.parse::<u64>().ok();
        let genesis_s =
            number(&genesis.data.genesis_time).ok_or("its genesis time is no number")?;
        let seconds = spec.data.seconds_per_slot.as_deref().and_then(number);
        let length = spec.data.slot_duration_ms.as_deref().and_then(number);
        let length = length.map(Duration::from_millis).or(seconds.map(Duration::from_secs));
        let length = length.filter(|length| *length >= Duration::from_millis(1));
        Ok(Self { genesis_s, length: length.ok_or("its slots have no length")? })
    }

    /// Returns the slot of a block of this time, s since 1970; `None` for one from before the beacon chain.
    #[must_use]
    pub fn of(&self, time_s: u64) -> Option<u64> {
        let age_ms = u128::from(time_s.checked_sub(self.genesis_s)?) * 1_000;
        u64::try_from(age_ms / self.length.as_millis()).ok()
    }
}
