//! The settlement vectors, value by value: records, amounts, trees and tariff tables.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::Slot;
use gridtally_core::quantity::Price;
use gridtally_settlement::{Code, Record, TariffTable, Tree, is_included, participant_amount};
use serde_json::Value;

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors/settlement-a.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn number<T: TryFrom<i64, Error: std::fmt::Debug>>(value: &Value) -> T {
    T::try_from(value.as_i64().unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap().trim_start_matches("0x")).unwrap()
}

fn hash(value: &Value) -> B256 {
    B256::from_slice(&bytes(value))
}

#[test]
fn records_pack_to_the_vectors_bytes() {
    for case in vectors()["codec"].as_array().unwrap() {
        let participant = ParticipantNumber(number(&case["participant"]));
        let code = Code::new(number(&case["code"])).unwrap();
        let slot = Slot(number(&case["slot"]));
        let record = Record::new(participant, code, slot, number(&case["value"])).unwrap();
        assert_eq!(record.pack().to_vec(), bytes(&case["record"]));
        assert_eq!(record.key(), number::<u64>(&case["key"]));
        assert_eq!(Record::unpack(&bytes(&case["record"])), Ok(record));
    }
}

#[test]
fn amounts_truncate_to_the_vectors_values() {
    for case in vectors()["amounts"].as_array().unwrap() {
        let code = Code::new(number(&case["code"])).unwrap();
        let price = Price::from_micro_per_kwh(number(&case["price"]));
        let amount = participant_amount(code, number(&case["value"]), price).unwrap();
        assert_eq!(amount.micro().to_string(), case["amount"].as_str().unwrap(), "{case}");
    }
}

#[test]
fn trees_have_the_vectors_roots_and_paths() {
    for case in vectors()["trees"].as_array().unwrap() {
        let leaves: Vec<B256> = case["leaves"].as_array().unwrap().iter().map(hash).collect();
        let tree = Tree::new(leaves.clone()).unwrap();
        assert_eq!(tree.root(), hash(&case["root"]));
        for entry in case["paths"].as_array().unwrap() {
            let index: usize = number(&entry["index"]);
            let path: Vec<B256> = entry["path"].as_array().unwrap().iter().map(hash).collect();
            assert_eq!(tree.path(index).unwrap(), path);
            let count = number(&case["count"]);
            assert!(is_included(
                &tree.root(),
                &leaves[index],
                number(&entry["index"]),
                count,
                &path
            ));
        }
    }
}

#[test]
fn tariff_tables_pack_and_hash_to_the_vectors_bytes() {
    let vectors = vectors();
    let slots = number(&vectors["params"]["slotsPerPeriod"]);
    for case in vectors["tariffs"].as_array().unwrap() {
        let rows = case["codes"].as_object().unwrap().iter().map(|(code, row)| {
            let row = row.as_array().unwrap().iter().map(|p| Price::from_micro_per_kwh(number(p)));
            (Code::new(code.parse().unwrap()).unwrap(), row.collect())
        });
        let table = TariffTable::new(slots, rows.collect::<BTreeMap<_, _>>()).unwrap();
        assert_eq!(table.pack(), bytes(&case["table"]));
        assert_eq!(table.hash(), hash(&case["hash"]));
        assert_eq!(TariffTable::unpack(slots, &bytes(&case["table"])), Ok(table));
    }
}
