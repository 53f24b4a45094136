//! No record is ever settled twice: lost answers, crashes, strangers with the same key, replaced
//! transactions, re-organizations.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alloy_consensus::transaction::RlpEcdsaEncodableTx;
use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_primitives::{Bytes, TxKind, U256};
use gridtally_ledger::{
    BlockId, CallKind, Client, GasLimit, SendError, SendOptions, Sender, SettleError, SettleForm,
    SettleOptions, SettleSummary,
};
use gridtally_settlement::DirectRecord;

use crate::node::{Node, on_both};
use crate::proxy::{Fate, Proxy};
use crate::town::{OFFICER, Town, assert_settled_once, brisk, day, key, quiet, sender};

/// Records in a transaction: a day of two households takes six.
const CHUNK: usize = 32;
/// Requests that connecting to a deployment takes.
const CONNECT_REQUESTS: usize = 9;

fn options(gas_limit: GasLimit) -> SettleOptions {
    SettleOptions { chunk_records_max: CHUNK, in_flight_max: 3, gas_limit, ..Default::default() }
}

/// Settles a day as a process that sees the chain through `client`.
async fn settle(
    town: &Town,
    client: &Client,
    send_options: SendOptions,
    gas_limit: GasLimit,
) -> Result<SettleSummary, SettleError> {
    let ledger = town.seen_through(client).await.unwrap();
    let sender = Sender::new(client.clone(), key(OFFICER), send_options);
    ledger.settle(&sender, &day(), options(gas_limit), &mut quiet).await
}

/// Returns how many transactions the officer has on the chain.
async fn transactions(node: &Node) -> u64 {
    let officer = key(OFFICER).address();
    node.client.transaction_count(officer, BlockId::Latest).await.unwrap()
}

#[tokio::test]
async fn lost_requests_and_answers_cost_no_second_transaction() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let before = transactions(node).await;
        // Of the requests to send, every other is lost on its way there or back.
        let proxy = Proxy::start(node, |method, index, _| match (method, index % 4) {
            ("eth_sendRawTransaction", 0) => Fate::AnswerLost,
            ("eth_sendRawTransaction", 2) => Fate::RequestLost,
            _ => Fate::Passed,
        })
        .await;
        let summary = settle(&town, &proxy.client, brisk(), GasLimit::Known).await.unwrap();
        assert_eq!((summary.settled, summary.already_settled), (192, 0));
        assert_eq!(proxy.count("eth_sendRawTransaction"), 12);
        assert_eq!(transactions(node).await, before + 6);
        assert_settled_once(&town, &day()).await;
    })
    .await;
}

#[tokio::test]
async fn receipts_that_come_late_are_waited_for() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let before = transactions(node).await;
        let proxy = Proxy::start(node, |method, index, _| match method {
            "eth_getTransactionReceipt" if index < 30 => Fate::Result("null"),
            _ => Fate::Passed,
        })
        .await;
        let summary = settle(&town, &proxy.client, brisk(), GasLimit::Known).await.unwrap();
        assert_eq!(summary.settled, 192);
        assert_eq!(transactions(node).await, before + 6);
        assert_settled_once(&town, &day()).await;
    })
    .await;
}

/// A process dies at each of its requests in turn, before or after the chain hears of it; another
/// one finishes the work.
#[tokio::test]
async fn a_crash_at_any_request_is_survived() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let records = &day()[..3 * CHUNK];
        for fate in [Fate::RequestLost, Fate::AnswerLost] {
            let mut death = 0;
            while dies_and_is_survived(node, &town, records, death, &fate).await {
                death += 1;
            }
            assert!(death > 10, "{death} requests");
        }
    })
    .await;
}

/// Returns whether the process died before its work was done.
async fn dies_and_is_survived(
    node: &Node,
    town: &Town,
    records: &[DirectRecord],
    death: usize,
    fate: &Fate,
) -> bool {
    let snapshot = node.steer("evm_snapshot", ()).await;
    let (mut requests, fate) = (0, fate.clone());
    let proxy = Proxy::start(node, move |_, _, _| {
        requests += 1;
        match (requests - 1).cmp(&(CONNECT_REQUESTS + death)) {
            std::cmp::Ordering::Less => Fate::Passed,
            std::cmp::Ordering::Equal => fate.clone(),
            std::cmp::Ordering::Greater => Fate::RequestLost,
        }
    })
    .await;
    let options = options(GasLimit::Known);
    let ledger = town.seen_through(&proxy.client).await.expect("it dies later");
    let sender = Sender::new(proxy.client.clone(), key(OFFICER), brisk());
    let died = ledger.settle(&sender, records, options, &mut quiet).await.is_err();

    let next = Sender::new(node.client.clone(), key(OFFICER), brisk());
    let summary = town.ledger.settle(&next, records, options, &mut quiet).await.unwrap();
    assert_eq!(summary.settled + summary.already_settled, records.len() as u64);
    assert_settled_once(town, records).await;
    node.steer("evm_revert", [snapshot]).await;
    died
}

#[tokio::test]
async fn two_processes_with_one_key_do_not_settle_twice() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let (first, second) = tokio::join!(
            settle(&town, &node.client, brisk(), GasLimit::Estimated),
            settle(&town, &node.client, brisk(), GasLimit::Estimated),
        );
        for outcome in [first, second] {
            // One may give up, with a reason; then the records are the other one's work.
            if let Err(error) = outcome {
                assert!(matches!(error, SettleError::Send(_)), "{error}");
            }
        }
        let summary = settle(&town, &node.client, brisk(), GasLimit::Known).await.unwrap();
        assert_eq!(summary.settled + summary.already_settled, 192);
        assert_settled_once(&town, &day()).await;
    })
    .await;
}

/// Hands in a transfer of nothing with a nonce of the officer's, at a price that wins.
async fn take_nonce(client: &Client, nonce: u64) {
    let key = key(OFFICER);
    let transaction = TxEip1559 {
        chain_id: client.chain_id(),
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 1_000_000_000_000,
        max_priority_fee_per_gas: 900_000_000_000,
        to: TxKind::Call(key.address()),
        value: U256::ZERO,
        ..Default::default()
    };
    let mut raw = Vec::new();
    transaction.eip2718_encode(&key.sign(transaction.signature_hash()), &mut raw);
    client.send_raw(&Bytes::from(raw)).await.unwrap();
}

/// Waits until the officer has this many transactions, those that wait included.
async fn until_waiting(client: &Client, count: u64) {
    let officer = key(OFFICER).address();
    while client.transaction_count(officer, BlockId::Pending).await.unwrap() < count {}
}

#[tokio::test]
async fn a_transaction_that_was_replaced_is_sent_again() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let before = transactions(node).await;
        node.steer("evm_setAutomine", [false]).await;
        let hurried = SendOptions { polls_max: 30, ..brisk() };
        let stranger = async {
            until_waiting(&node.client, before + 3).await;
            take_nonce(&node.client, before + 1).await;
            node.steer("evm_setAutomine", [true]).await;
            node.steer("evm_mine", ()).await;
        };
        let settling = settle(&town, &node.client, hurried, GasLimit::Known);
        let (summary, ()) = tokio::join!(settling, stranger);
        assert_eq!(summary.unwrap().settled, 192);
        assert_eq!(transactions(node).await, before + 7, "six chunks and the stranger's");
        assert_settled_once(&town, &day()).await;
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_waits_is_sent_again_at_a_higher_price() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let before = transactions(node).await;
        node.steer("evm_setAutomine", [false]).await;
        let hurried = SendOptions { polls_max: 3, replacements_max: 2, ..brisk() };
        let error = settle(&town, &node.client, hurried.clone(), GasLimit::Known).await;
        let error = error.unwrap_err();
        let SettleError::Send(SendError::NotIncluded { kind, nonce, replacements, .. }) = error
        else {
            panic!("{error}");
        };
        assert_eq!((kind, nonce, replacements), (CallKind::SettlePacked, before, 2));
        // Another process finds them waiting, and says so.
        let error = settle(&town, &node.client, hurried, GasLimit::Known).await.unwrap_err();
        assert!(matches!(error, SettleError::Send(SendError::Waiting { .. })), "{error}");

        node.steer("evm_setAutomine", [true]).await;
        node.steer("evm_mine", ()).await;
        let summary = settle(&town, &node.client, brisk(), GasLimit::Known).await.unwrap();
        assert_eq!((summary.settled, summary.already_settled), (96, 96));
        assert_eq!(transactions(node).await, before + 6, "each version replaced the one before");
        assert_settled_once(&town, &day()).await;
    })
    .await;
}

#[tokio::test]
async fn nonces_that_an_endpoint_counts_wrong_are_found() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        // It answers from an old state at first: too low a nonce.
        let proxy = Proxy::start(node, |method, index, _| match (method, index) {
            ("eth_getTransactionCount", 2) => Fate::Result("\"0x1\""),
            _ => Fate::Passed,
        })
        .await;
        let summary = settle(&town, &proxy.client, brisk(), GasLimit::Known).await.unwrap();
        assert_eq!(summary.settled, 192);
        assert_settled_once(&town, &day()).await;
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_is_late_does_not_hide_an_own_transaction() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let before = transactions(node).await;
        // The answer is lost; asked again, one client says that the nonce is used, and another one
        // does not know why yet.
        let proxy = Proxy::start(node, |method, index, _| match (method, index) {
            ("eth_sendRawTransaction", 0) => Fate::AnswerLost,
            ("eth_sendRawTransaction", 1) => Fate::Refused("nonce too low"),
            ("eth_getTransactionReceipt" | "eth_getTransactionByHash", 0..5) => {
                Fate::Result("null")
            }
            _ => Fate::Passed,
        })
        .await;
        let summary = settle(&town, &proxy.client, brisk(), GasLimit::Known).await.unwrap();
        assert_eq!(summary.settled, 192);
        assert_eq!(transactions(node).await, before + 6);
        assert_settled_once(&town, &day()).await;
    })
    .await;
}

#[tokio::test]
async fn a_chunk_that_needs_too_much_gas_is_halved() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let before = transactions(node).await;
        let proxy = Proxy::start(node, |method, index, _| match (method, index) {
            ("eth_estimateGas", 2) => Fate::Result("\"0x1ffffff\""),
            _ => Fate::Passed,
        })
        .await;
        let summary = settle(&town, &proxy.client, brisk(), GasLimit::Estimated).await.unwrap();
        assert_eq!(summary.settled, 192);
        assert_eq!(transactions(node).await, before + 2 + 8, "two of 32, then eight of 16");
        assert_settled_once(&town, &day()).await;
    })
    .await;
}

#[tokio::test]
async fn records_that_a_reorganization_took_away_are_settled_again() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let ledger = &town.ledger;
        let officer = sender(&node.client, OFFICER);
        let options = options(GasLimit::Known);
        let records = day();
        ledger.settle(&officer, &records[..40], options, &mut quiet).await.unwrap();
        let snapshot = node.steer("evm_snapshot", ()).await;
        ledger.settle(&officer, &records, options, &mut quiet).await.unwrap();
        node.steer("evm_revert", [snapshot]).await;
        assert_settled_once(&town, &records[..40]).await;
        // The same process goes on: its nonces are those of the chain that was.
        let summary = ledger.settle(&officer, &records, options, &mut quiet).await.unwrap();
        assert_eq!((summary.settled, summary.already_settled), (152, 40));
        assert_settled_once(&town, &records).await;
    })
    .await;
}

#[tokio::test]
async fn a_reorganization_in_the_middle_is_survived() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let snapshot = node.steer("evm_snapshot", ()).await;
        // After the first three receipts the chain goes back to where it was before them all.
        let proxy = Proxy::start(node, move |method, index, _| match (method, index) {
            ("eth_getTransactionReceipt", 3) => Fate::PassedAfterRevert(snapshot.clone()),
            _ => Fate::Passed,
        })
        .await;
        let hurried = SendOptions { polls_max: 20, ..brisk() };
        // What was confirmed before is not looked at again: that is what confirmations are for.
        let first = settle(&town, &proxy.client, hurried, GasLimit::Known).await;
        let summary = settle(&town, &node.client, brisk(), GasLimit::Known).await.unwrap();
        assert_eq!(summary.settled + summary.already_settled, 192, "{first:?}");
        assert_settled_once(&town, &day()).await;
    })
    .await;
}

#[tokio::test]
async fn confirmations_are_waited_for_and_see_a_reorganization() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let snapshot = node.steer("evm_snapshot", ()).await;
        let options = SendOptions { polls_max: 30, confirmations: 10, ..brisk() };
        // Nobody makes blocks: the first transaction does not get deep.
        let error = settle(&town, &node.client, options.clone(), GasLimit::Known).await;
        let text = error.unwrap_err().to_string();
        assert!(text.ends_with(") did not get 10 blocks deep in time"), "{text}");
        node.steer("evm_revert", [snapshot]).await;

        // The chain goes back before anything is deep; from then on blocks come.
        let snapshot = node.steer("evm_snapshot", ()).await;
        let turned = Arc::new(AtomicBool::new(false));
        let is_turned = Arc::clone(&turned);
        let proxy = Proxy::start(node, move |method, index, _| match (method, index) {
            ("eth_getTransactionReceipt", 3) => Fate::PassedAfterRevert(snapshot.clone()),
            ("eth_getTransactionReceipt", 4) => {
                turned.store(true, Ordering::SeqCst);
                Fate::Passed
            }
            _ => Fate::Passed,
        })
        .await;
        let miner = async {
            loop {
                let method = "evm_mine";
                if is_turned.load(Ordering::SeqCst) {
                    node.steer(method, ()).await;
                }
                tokio::task::yield_now().await;
            }
        };
        let settled = tokio::select! {
            settled = settle(&town, &proxy.client, options, GasLimit::Known) => settled,
            () = miner => unreachable!("it never ends"),
        };
        assert_eq!(settled.unwrap().settled, 192);
        assert_settled_once(&town, &day()).await;
    })
    .await;
}

#[tokio::test]
async fn input_that_contradicts_itself_or_the_chain_is_refused_before_anything_is_sent() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let officer = sender(&node.client, OFFICER);
        let records = day();
        let options = SettleOptions { form: SettleForm::Many, ..options(GasLimit::Estimated) };
        let settle = async |records: &[DirectRecord]| {
            town.ledger.settle(&officer, records, options, &mut quiet).await
        };
        settle(&records[..10]).await.unwrap();
        let before = transactions(node).await;
        let mut changed = records.clone();
        changed[9].energy_wh += 1;
        let error = settle(&changed).await.unwrap_err();
        let text = "settled already with 109 Wh, not 110: \
                    period 1 slot 9 code 32 from 1 to 0 run 0";
        assert_eq!(error.to_string(), text);
        changed[9] = changed[20];
        let error = settle(&changed).await.unwrap_err();
        let text = "the input has period 1 slot 20 code 32 from 1 to 0 run 0 twice";
        assert_eq!(error.to_string(), text);
        assert_eq!(transactions(node).await, before);
        assert_settled_once(&town, &records[..10]).await;
    })
    .await;
}
