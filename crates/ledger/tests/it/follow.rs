//! Events followed through re-organizations, restarts and endpoints that answer little at a time.

use gridtally_ledger::{
    Cursor, FollowError, FollowOptions, Follower, Ledger, LedgerEvent, Notice, SettleOptions,
};
use gridtally_settlement::DirectRecord;

use crate::node::{Node, on_both};
use crate::proxy::{Fate, Proxy};
use crate::town::{ALICE, Town, consumption, quiet};

/// Polls until there is nothing more, and returns records as `+slot` or, if reverted, `-slot`.
async fn heard(follower: &mut Follower) -> Result<String, FollowError> {
    let mut heard = Vec::new();
    loop {
        let polled = follower.poll().await?;
        for notice in polled.notices {
            let (sign, entry) = match notice {
                Notice::Applied(entry) => ('+', entry),
                Notice::Reverted(entry) => ('-', entry),
            };
            match entry.event {
                LedgerEvent::Settled { record, .. } => {
                    heard.push(format!("{sign}{}", record.slot));
                }
                _ => assert_eq!(sign, '+', "only records are reverted here"),
            }
        }
        if polled.is_caught_up {
            return Ok(heard.join(" "));
        }
    }
}

fn records(slots: std::ops::Range<u16>) -> Vec<DirectRecord> {
    slots.map(|slot| consumption(ALICE, slot, 100)).collect()
}

async fn settle(town: &Town, slots: std::ops::Range<u16>) {
    let (records, options) = (records(slots), SettleOptions::default());
    town.ledger.settle(&town.officer, &records, options, &mut quiet).await.unwrap();
}

fn follower(ledger: &Ledger, options: FollowOptions) -> Follower {
    Follower::new(ledger, Cursor::at(ledger.deployment().block), options)
}

#[tokio::test]
async fn a_reorganization_is_reported_newest_first_and_followed() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let mut follower = follower(&town.ledger, FollowOptions::default());
        settle(&town, 0..2).await;
        assert_eq!(heard(&mut follower).await.unwrap(), "+0 +1");
        let snapshot = node.steer("evm_snapshot", ()).await;
        settle(&town, 2..4).await;
        settle(&town, 4..5).await;
        assert_eq!(heard(&mut follower).await.unwrap(), "+2 +3 +4");
        node.steer("evm_revert", [snapshot]).await;
        assert_eq!(heard(&mut follower).await.unwrap(), "-4 -3 -2");
        assert_eq!(heard(&mut follower).await.unwrap(), "");

        // The settler sends again what is gone; this time another chain comes up in between.
        let snapshot = node.steer("evm_snapshot", ()).await;
        settle(&town, 2..5).await;
        assert_eq!(heard(&mut follower).await.unwrap(), "+2 +3 +4");
        node.steer("evm_revert", [snapshot]).await;
        settle(&town, 3..7).await;
        assert_eq!(heard(&mut follower).await.unwrap(), "-4 -3 -2 +3 +4 +5 +6");
        settle(&town, 2..3).await;
        assert_eq!(heard(&mut follower).await.unwrap(), "+2");
    })
    .await;
}

#[tokio::test]
async fn a_stored_cursor_goes_on_after_a_reorganization() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let mut first = follower(&town.ledger, FollowOptions::default());
        settle(&town, 0..1).await;
        let snapshot = node.steer("evm_snapshot", ()).await;
        settle(&town, 1..3).await;
        assert_eq!(heard(&mut first).await.unwrap(), "+0 +1 +2");
        let stored = serde_json::to_string(first.cursor()).unwrap();
        node.steer("evm_revert", [snapshot]).await;
        settle(&town, 5..6).await;
        let cursor = serde_json::from_str(&stored).unwrap();
        let mut second = Follower::new(&town.ledger, cursor, FollowOptions::default());
        assert_eq!(heard(&mut second).await.unwrap(), "-2 -1 +5");
    })
    .await;
}

#[tokio::test]
async fn confirmations_hold_entries_back() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let options = FollowOptions { confirmations: 2, ..FollowOptions::default() };
        let mut follower = follower(&town.ledger, options);
        settle(&town, 0..1).await;
        assert_eq!(heard(&mut follower).await.unwrap(), "");
        node.steer("evm_mine", ()).await;
        assert_eq!(heard(&mut follower).await.unwrap(), "");
        node.steer("evm_mine", ()).await;
        assert_eq!(heard(&mut follower).await.unwrap(), "+0");
    })
    .await;
}

#[tokio::test]
async fn a_reorganization_deeper_than_what_is_kept_stops_the_follower() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let options = FollowOptions { depth_max: 2, ..FollowOptions::default() };
        let mut follower = follower(&town.ledger, options);
        let snapshot = node.steer("evm_snapshot", ()).await;
        settle(&town, 0..1).await;
        for _ in 0..4 {
            node.steer("evm_mine", ()).await;
        }
        assert_eq!(heard(&mut follower).await.unwrap(), "+0");
        let before = follower.cursor().clone();
        node.steer("evm_revert", [snapshot]).await;
        let error = heard(&mut follower).await.unwrap_err();
        assert!(
            matches!(error, FollowError::ReorganizationTooDeep { depth_max: 2, .. }),
            "{error}"
        );
        assert_eq!(*follower.cursor(), before, "the cursor stays where it was");
    })
    .await;
}

#[tokio::test]
async fn old_blocks_are_read_in_ranges_that_the_endpoint_bears() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        settle(&town, 0..2).await;
        for _ in 0..20 {
            node.steer("evm_mine", ()).await;
        }
        settle(&town, 2..3).await;
        let proxy = Proxy::start(node, |method, _, params| {
            let bound = |name: &str| {
                let text = params[0][name].as_str()?.trim_start_matches("0x").to_owned();
                u64::from_str_radix(&text, 16).ok()
            };
            match (method, bound("fromBlock"), bound("toBlock")) {
                ("eth_getLogs", Some(from), Some(to)) if to - from >= 3 => {
                    Fate::Refused("query returned more than 10000 results")
                }
                _ => Fate::Passed,
            }
        })
        .await;
        let ledger = town.seen_through(&proxy.client).await.unwrap();
        let options = FollowOptions { depth_max: 1, ..FollowOptions::default() };
        let mut little = follower(&ledger, options.clone());
        let mut whole = follower(&town.ledger, options);
        assert_eq!(heard(&mut little).await.unwrap(), "+0 +1 +2");
        assert_eq!(heard(&mut whole).await.unwrap(), "+0 +1 +2");
        assert_eq!(little.cursor(), whole.cursor());
        let histories = (ledger.history(None).await, town.ledger.history(None).await);
        assert_eq!(histories.0.unwrap(), histories.1.unwrap());
    })
    .await;
}

#[tokio::test]
async fn answers_that_cannot_be_true_are_refused() {
    on_both(async |node: &Node| {
        let town = Town::ready(node).await;
        settle(&town, 0..1).await;
        // Another contract's log, where ours was asked for.
        let proxy = Proxy::start(node, |method, index, _| match (method, index) {
            ("eth_getLogs", 0) => Fate::Result(
                r#"[{"address":"0x0000000000000000000000000000000000000009","topics":[],"data":"0x","blockNumber":"0x1","blockHash":"0x0000000000000000000000000000000000000000000000000000000000000001","transactionHash":"0x0000000000000000000000000000000000000000000000000000000000000001","logIndex":"0x0"}]"#,
            ),
            // Nothing at all, where registrations stand: the records contradict it.
            ("eth_getLogs", 1) => Fate::Result("[]"),
            _ => Fate::Passed,
        })
        .await;
        let ledger = town.seen_through(&proxy.client).await.unwrap();
        let error = ledger.history(None).await.unwrap_err().to_string();
        assert!(error.starts_with("asked for logs of blocks"), "{error}");
        let empty = ledger.history(None).await.unwrap();
        assert!(empty.participants.is_empty(), "an endpoint can leave out everything");
        let true_one = ledger.history(None).await.unwrap();
        assert_eq!(true_one.records.len(), 1);
    })
    .await;
}
