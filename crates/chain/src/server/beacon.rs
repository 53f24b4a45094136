//! The blobs of the chain as a beacon node serves them, so that whoever reads blobs needs no other code for this chain.
//!
//! The chain has no beacon chain. A slot is a second here, so that the slot of a block is its age at the start, and a block's
//! root is its hash. What would speak of validators is zero.
//!
//! # Source
//!
//! Ethereum Beacon APIs, `getBlobs`, `getGenesis`, `getSpec`.

use std::{str::FromStr, sync::Arc};

use alloy_consensus::Transaction;
use alloy_primitives::{B256, hex};
use axum::{
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::{Value, json};

use super::json as body;
use crate::{blob_store::BLOB_RETENTION_S, block::SealedBlock, chain::Chain};

/// What these routes begin with.
pub(super) const ROUTES: &str = "/eth/v1/{*route}";

const BLOBS: &str = "/eth/v1/beacon/blobs/";
const SECONDS_PER_SLOT: u64 = 1;
const SLOTS_PER_EPOCH: u64 = 32;
/// Hashes that a request may name, and more than a block may have.
const HASHES_MAX: usize = 64;

/// Why a request is not answered.
struct Failure(StatusCode, String);

impl Failure {
    fn bad(reason: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, reason.to_owned())
    }

    fn missing(reason: &str) -> Self {
        Self(StatusCode::NOT_FOUND, reason.to_owned())
    }

    fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "blobs are not served");
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

pub(super) fn answer(chain: &Chain, uri: &Uri) -> Response {
    let answered = match uri.path() {
        "/eth/v1/beacon/genesis" => Ok(genesis(chain)),
        "/eth/v1/config/spec" => Ok(spec(chain)),
        path => match path.strip_prefix(BLOBS) {
            Some(id) => blobs(chain, id, uri.query().unwrap_or_default()),
            None => Err(Failure::missing("no such route")),
        },
    };
    match answered {
        Ok(answer) => body(StatusCode::OK, answer.to_string().into_bytes()),
        Err(Failure(status, reason)) => failed(status, &reason),
    }
}

pub(super) fn failed(status: StatusCode, reason: &str) -> Response {
    let answer = json!({ "code": status.as_u16(), "message": reason });
    body(status, answer.to_string().into_bytes())
}

fn genesis(chain: &Chain) -> Value {
    json!({ "data": {
        "genesis_time": chain.core.genesis.timestamp.to_string(),
        "genesis_validators_root": B256::ZERO,
        "genesis_fork_version": "0x00000000",
    } })
}

fn spec(chain: &Chain) -> Value {
    let epochs = (BLOB_RETENTION_S / (SLOTS_PER_EPOCH * SECONDS_PER_SLOT)).to_string();
    json!({ "data": {
        "CONFIG_NAME": "gridtally",
        "DEPOSIT_CHAIN_ID": chain.chain_id().to_string(),
        "SECONDS_PER_SLOT": SECONDS_PER_SLOT.to_string(),
        "SLOT_DURATION_MS": (1_000 * SECONDS_PER_SLOT).to_string(),
        "SLOTS_PER_EPOCH": SLOTS_PER_EPOCH.to_string(),
        "MIN_EPOCHS_FOR_BLOB_SIDECARS_REQUESTS": epochs,
        "MIN_EPOCHS_FOR_DATA_COLUMN_SIDECARS_REQUESTS": epochs,
    } })
}

fn blobs(chain: &Chain, id: &str, query: &str) -> Result<Value, Failure> {
    let block = find(chain, id)?.ok_or_else(|| Failure::missing("block not found"))?;
    let wanted = hashes(query)?;
    let transactions = block.transactions.iter();
    let in_block: Vec<B256> = transactions
        .flat_map(|transaction| transaction.blob_versioned_hashes().unwrap_or_default())
        .copied()
        .collect();
    let is_wanted = |hash: &B256| wanted.is_empty() || wanted.contains(hash);
    if !in_block.iter().any(is_wanted) {
        return Ok(found(&[]));
    }
    let kept = chain.blobs(&block).map_err(|error| Failure::internal(&error))?;
    let kept =
        kept.ok_or_else(|| Failure::missing("the blobs of this block are no longer kept"))?;
    let pairs = in_block.iter().zip(&kept);
    let data: Vec<_> = pairs.filter(|(hash, _)| is_wanted(hash)).collect();
    let data: Vec<String> = data.iter().map(|(_, blob)| hex::encode_prefixed(blob)).collect();
    Ok(found(&data))
}

fn found(data: &[String]) -> Value {
    // The chain has no forks.
    json!({ "execution_optimistic": false, "finalized": true, "data": data })
}

fn find(chain: &Chain, id: &str) -> Result<Option<Arc<SealedBlock>>, Failure> {
    let internal = |error: crate::archive::ArchiveError| Failure::internal(&error);
    match id {
        "head" | "finalized" | "justified" => Ok(Some(chain.head())),
        "genesis" => chain.block(0).map_err(internal),
        root if root.starts_with("0x") => {
            let bad = |_| Failure::bad("a block root has 64 hexadecimal digits after 0x");
            let hash = B256::from_str(root).map_err(bad)?;
            let Some(number) = chain.core.archive.number(hash) else { return Ok(None) };
            chain.block(number).map_err(internal)
        }
        slot => {
            let is_decimal = !slot.is_empty() && slot.bytes().all(|byte| byte.is_ascii_digit());
            let slot = slot.parse::<u64>().ok().filter(|_| is_decimal);
            let slot = slot.ok_or_else(|| {
                Failure::bad(
                    "a block is head, finalized, justified, genesis, a slot, or a root after 0x",
                )
            })?;
            let time = slot.checked_add(chain.core.genesis.timestamp);
            time.map_or(Ok(None), |time| chain.block_at_time(time).map_err(internal))
        }
    }
}

/// Returns the hashes that a query names, each on its own or several with commas.
fn hashes(query: &str) -> Result<Vec<B256>, Failure> {
    let mut hashes = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let named = part.strip_prefix("versioned_hashes=");
        let named = named.ok_or_else(|| Failure::bad("the only parameter is versioned_hashes"))?;
        for hash in named.split([',']).flat_map(|part| part.split("%2C")) {
            let bad = |_| Failure::bad("a versioned hash has 64 hexadecimal digits after 0x");
            hashes.push(B256::from_str(hash).map_err(bad)?);
            if hashes.len() > HASHES_MAX {
                return Err(Failure::bad("too many versioned hashes"));
            }
        }
    }
    Ok(hashes)
}
