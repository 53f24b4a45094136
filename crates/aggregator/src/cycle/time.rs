//! The time of a chain: it runs by itself, or we move it.

use gridtally_ledger::{Client, EndpointError};
use jiff::Timestamp;

/// Who moves the time of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainTime {
    /// It runs by itself: a period must be over.
    Runs,
    /// We move it past each period: the embedded chain and other development chains, where history settles.
    Moved,
}

/// Sees to it that an instant has come on a chain. Returns the time of the newest block where it has not, and is not ours
/// to move.
///
/// # Errors
///
/// Returns an [`EndpointError`].
pub(super) async fn reach_time(
    client: &Client,
    instant: Timestamp,
    time: ChainTime,
) -> Result<Option<Timestamp>, EndpointError> {
    let now_s = client.block_latest().await?.timestamp;
    let instant_s = u64::try_from(instant.as_second()).unwrap_or(0);
    if now_s >= instant_s {
        return Ok(None);
    }
    match time {
        ChainTime::Runs => {
            let now =
                i64::try_from(now_s).ok().and_then(|now_s| Timestamp::from_second(now_s).ok());
            Ok(Some(now.unwrap_or(Timestamp::UNIX_EPOCH)))
        }
        ChainTime::Moved => {
            move_time_to(client, instant_s).await?;
            Ok(None)
        }
    }
}

/// Makes a block with a time, Unix time, s: on chains whose time is ours to move.
///
/// # Errors
///
/// Returns an [`EndpointError`].
pub(crate) async fn move_time_to(client: &Client, time_s: u64) -> Result<(), EndpointError> {
    let endpoint = client.endpoint();
    let _time: serde_json::Value = endpoint.request("evm_setNextBlockTimestamp", [time_s]).await?;
    let _nothing: serde_json::Value = endpoint.request("evm_mine", ()).await?;
    Ok(())
}

/// Makes empty blocks, on chains that are ours.
///
/// # Errors
///
/// Returns an [`EndpointError`].
pub(crate) async fn mine(client: &Client, count: u64) -> Result<(), EndpointError> {
    let _blocks: serde_json::Value =
        client.endpoint().request("anvil_mine", [format!("{count:#x}")]).await?;
    Ok(())
}
