//! What gas costs: chains without a base fee, endpoints without a tip, prices that are too low.

use gridtally_ledger::{BlockId, GasLimit, GasPrice, SettleOptions};
use serde_json::Value;

use crate::node::on_both;
use crate::proxy::{Fate, Proxy};
use crate::town::{OFFICER, Town, assert_settled_once, day, quiet, sender};

#[tokio::test]
async fn chains_without_a_base_fee_are_paid_a_fixed_price() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let proxy = Proxy::start(node, |method, _, _| match method {
            "eth_getBlockByNumber" => Fate::Edited(|block| {
                if let Value::Object(members) = block {
                    members.remove("baseFeePerGas");
                }
            }),
            _ => Fate::Passed,
        })
        .await;
        assert!(matches!(proxy.client.gas_price().await.unwrap(), GasPrice::Fixed { .. }));
        let ledger = town.seen_through(&proxy.client).await.unwrap();
        let officer = sender(&proxy.client, OFFICER);
        ledger.settle(&officer, &day(), SettleOptions::default(), &mut quiet).await.unwrap();
        assert_settled_once(&town, &day()).await;
        let settled = ledger.history(None).await.unwrap().records[0];
        let transaction: Value =
            node.steer("eth_getTransactionByHash", [settled.transaction]).await;
        assert_eq!(transaction["type"], "0x0", "a legacy transaction");
    })
    .await;
}

#[tokio::test]
async fn endpoints_that_suggest_no_tip_are_asked_for_the_whole_price() {
    on_both(async |node| {
        let proxy = Proxy::start(node, |method, _, _| match method {
            "eth_maxPriorityFeePerGas" => Fate::Refused("the method does not exist"),
            "eth_gasPrice" => Fate::Edited(|price| *price = "0x77359400".into()),
            _ => Fate::Passed,
        })
        .await;
        let GasPrice::Dynamic { base_fee_wei, tip_wei } = proxy.client.gas_price().await.unwrap()
        else {
            panic!("both chains have a base fee");
        };
        assert_eq!(base_fee_wei + tip_wei, 2_000_000_000);
    })
    .await;
}

#[tokio::test]
async fn a_price_that_is_too_low_is_raised() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let officer = sender(&node.client, OFFICER);
        let before =
            node.client.transaction_count(officer.address(), BlockId::Latest).await.unwrap();
        // The endpoint's idea of the price is old when the first transaction is sent.
        let proxy = Proxy::start(node, |method, index, _| match (method, index) {
            ("eth_maxPriorityFeePerGas", 0) => Fate::Edited(|tip| *tip = "0x0".into()),
            ("eth_getBlockByNumber", _) if index < 30 => Fate::Edited(|block| {
                if block["number"] != "0x0" {
                    block["baseFeePerGas"] = "0x1".into();
                }
            }),
            _ => Fate::Passed,
        })
        .await;
        let ledger = town.seen_through(&proxy.client).await.unwrap();
        let officer = sender(&proxy.client, OFFICER);
        ledger.settle(&officer, &day(), SettleOptions::default(), &mut quiet).await.unwrap();
        assert_settled_once(&town, &day()).await;
        let after =
            node.client.transaction_count(officer.address(), BlockId::Latest).await.unwrap();
        assert_eq!(after, before + 1);
        assert!(proxy.count("eth_sendRawTransaction") > 1, "the first price was refused");
    })
    .await;
}

#[tokio::test]
async fn known_gas_leaves_one_request_to_send_and_few_others() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let proxy = Proxy::start(node, |_, _, _| Fate::Passed).await;
        let ledger = town.seen_through(&proxy.client).await.unwrap();
        let officer = sender(&proxy.client, OFFICER);
        let options = SettleOptions {
            chunk_records_max: 8,
            gas_limit: GasLimit::Known,
            ..SettleOptions::default()
        };
        ledger.settle(&officer, &day(), options, &mut quiet).await.unwrap();
        assert_eq!(proxy.count("eth_sendRawTransaction"), 24);
        assert_eq!(proxy.count("eth_estimateGas"), 0);
        assert_eq!(proxy.count("eth_maxPriorityFeePerGas"), 4, "once for six transactions");
        assert_eq!(proxy.count("eth_getTransactionCount"), 3, "two to begin, one for the nonce");
        assert_eq!(proxy.count("eth_getLogs"), 1, "what is settled is asked once");
        assert_settled_once(&town, &day()).await;
    })
    .await;
}
