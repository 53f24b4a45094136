//! The settlement vectors: codec, amounts, trees and tariffs.

use std::collections::BTreeMap;

use alloy_primitives::{B256, hex};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::Slot;
use gridtally_core::quantity::Price;
use gridtally_settlement::{Code, Record, TariffTable, Tree, is_included, participant_amount};
use serde_json::{Value, json};

use super::input::Input;
use super::{Answer, Refused};

pub(super) const KIND: &str = "settlement-vectors";

/// The keys whose content is recomputed, or is an input of what is.
pub(super) const COVERED: [&str; 5] = ["params", "codec", "amounts", "trees", "tariffs"];

/// Whether a document has the parts of settlement vectors.
pub(super) fn is_document(document: &Value) -> bool {
    let lists = ["codec", "amounts", "trees", "tariffs"];
    lists.iter().all(|key| document.get(key).is_some_and(Value::is_array))
}

/// Returns every answer that the inputs of a document give.
pub(super) fn answers(document: &Value) -> Result<Vec<Answer>, Refused> {
    let root = Input::root(document);
    let slots = root.get("params").get("slotsPerPeriod").integer("from 1 to 1024")?;
    let mut answers = Vec::new();
    for case in root.get("codec").items()? {
        codec(&case, &mut answers)?;
    }
    for case in root.get("amounts").items()? {
        let code = code(&case.get("code"))?;
        let price = Price::from_micro_per_kwh(case.get("price").integer("of 32 bits")?);
        let amount = participant_amount(code, case.get("value").integer("of 32 bits")?, price);
        let amount = amount.ok_or_else(|| case.get("code").refused("a code with a price"))?;
        answer(&mut answers, &case.get("amount"), json!(amount.micro().to_string()));
    }
    for case in root.get("trees").items()? {
        tree(&case, &mut answers)?;
    }
    for case in root.get("tariffs").items()? {
        tariff(&case, slots, &mut answers)?;
    }
    Ok(answers)
}

fn answer(answers: &mut Vec<Answer>, place: &Input<'_>, computed: Value) {
    answers.push(Answer { at: place.at.clone(), computed });
}

fn text(bytes: impl AsRef<[u8]>) -> Value {
    json!(hex::encode_prefixed(bytes))
}

fn code(place: &Input<'_>) -> Result<Code, Refused> {
    Code::new(place.integer("from 0 to 63")?).map_err(|_| place.refused("an integer from 0 to 63"))
}

/// Fields to bytes and key, and the bytes back to fields.
fn codec(case: &Input<'_>, answers: &mut Vec<Answer>) -> Result<(), Refused> {
    let participant = ParticipantNumber(case.get("participant").integer("of 32 bits")?);
    let slot = Slot(case.get("slot").integer("from 0 to 1023")?);
    let value = case.get("value").integer("of 32 bits")?;
    let record = Record::new(participant, code(&case.get("code"))?, slot, value)
        .map_err(|_| case.get("slot").refused("an integer from 0 to 1023"))?;
    answer(answers, &case.get("key"), json!(record.key()));
    answer(answers, &case.get("record"), text(record.pack()));
    let place = case.get("record");
    let unpacked = Record::unpack(&place.bytes()?).map_err(|_| place.refused("ten bytes"))?;
    answer(answers, &case.get("participant"), json!(unpacked.participant().0));
    answer(answers, &case.get("code"), json!(unpacked.code().number()));
    answer(answers, &case.get("slot"), json!(unpacked.slot().0));
    answer(answers, &case.get("value"), json!(unpacked.value()));
    Ok(())
}

/// Leaves to root and paths. A path that does not prove its leaf would be a bug of ours: it is answered as such.
fn tree(case: &Input<'_>, answers: &mut Vec<Answer>) -> Result<(), Refused> {
    let leaves = case.get("leaves").items()?;
    let leaves: Vec<B256> = leaves.iter().map(Input::hash).collect::<Result<_, _>>()?;
    let count = u32::try_from(leaves.len()).map_err(|_| case.refused("fewer leaves"))?;
    let tree = Tree::new(leaves.clone()).ok_or_else(|| case.get("leaves").refused("a leaf"))?;
    answer(answers, &case.get("count"), json!(count));
    answer(answers, &case.get("root"), text(tree.root()));
    for entry in case.get("paths").items()? {
        let index: u32 = entry.get("index").integer("of 32 bits")?;
        let refused = || entry.get("index").refused("the index of a leaf");
        let place = usize::try_from(index).map_err(|_| refused())?;
        let path = tree.path(place).ok_or_else(refused)?;
        let proves = is_included(&tree.root(), &leaves[place], index, count, &path);
        let path = path.iter().map(text).collect::<Vec<_>>();
        let computed = if proves { json!(path) } else { json!("a path that proves nothing") };
        answer(answers, &entry.get("path"), computed);
    }
    Ok(())
}

/// Prices to table and hash, and the table back to prices.
fn tariff(case: &Input<'_>, slots: u16, answers: &mut Vec<Answer>) -> Result<(), Refused> {
    let mut rows = BTreeMap::new();
    for (name, place) in case.get("codes").members()? {
        let number = name.parse().ok().and_then(|number| Code::new(number).ok());
        let number = number.ok_or_else(|| place.refused("a code from 1 to 62 as its key"))?;
        let prices = place.items()?.into_iter();
        let prices = prices.map(|price| price.integer("of 32 bits").map(Price::from_micro_per_kwh));
        rows.insert(number, prices.collect::<Result<Vec<_>, _>>()?);
    }
    let table = TariffTable::new(slots, rows);
    let table =
        table.map_err(|error| case.get("codes").refused(&format!("a tariff table: {error}")))?;
    answer(answers, &case.get("table"), text(table.pack()));
    answer(answers, &case.get("hash"), text(table.hash()));
    let place = case.get("table");
    let unpacked = TariffTable::unpack(slots, &place.bytes()?);
    let unpacked = unpacked.map_err(|error| place.refused(&format!("a tariff table: {error}")))?;
    for code in unpacked.codes() {
        let prices =
            unpacked.row(code).unwrap_or_default().iter().map(|price| price.micro_per_kwh());
        let prices: Vec<i32> = prices.collect();
        answer(answers, &case.get("codes").get(&code.number().to_string()), json!(prices));
    }
    Ok(())
}
