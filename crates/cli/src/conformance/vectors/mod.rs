//! The settlement vectors: codec, amounts, trees, tariffs, and whole batches with everything that hangs on them.

mod batch;
mod invalid;
mod sealed;
mod signature;
mod world;

use std::collections::BTreeMap;

use alloy_primitives::{B256, hex};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::Slot;
use gridtally_core::quantity::Price;
use gridtally_settlement::{Code, Record, TariffTable, Tree, is_included, participant_amount};
use serde_json::{Value, json};

use self::world::World;
use super::input::Input;
use super::{Answer, Refused};

pub(super) const KIND: &str = "settlement-vectors";
/// What such a document may call itself.
pub(super) const SCHEMA: &str = "gridtally-settlement-vectors-1";

/// The keys whose content is recomputed, or is an input of what is.
pub(super) const COVERED: [&str; 16] = [
    "schema",
    "params",
    "codec",
    "amounts",
    "trees",
    "tariffs",
    "meters",
    "inbox",
    "genesisHeaderHash",
    "domainSeparator",
    "domainTypeHash",
    "readingTypeHash",
    "batches",
    "invalidVariantsOfBatch2",
    "sealed",
    "p256",
];

/// Whether a document has parts of settlement vectors.
pub(super) fn is_document(document: &Value) -> bool {
    PARTS.iter().any(|&(key, _)| document.get(key).is_some()) || document.get("batches").is_some()
}

type Part = fn(&Input<'_>, &Input<'_>, &mut Vec<Answer>) -> Result<(), Refused>;

/// The parts, in the order in which they are checked: each a list of cases that do not depend on each other.
const PARTS: [(&str, Part); 4] =
    [("codec", codec), ("amounts", amount), ("trees", tree), ("tariffs", tariff)];

/// Returns every answer that the inputs of a document give, at least one.
pub(super) fn answers(document: &Value) -> Result<Vec<Answer>, Refused> {
    let root = Input::root(document);
    let params = root.get("params");
    let mut answers = Vec::new();
    for (key, part) in PARTS {
        let cases = root.get(key);
        if cases.is_given() {
            for case in cases.some_items()? {
                part(&case, &params, &mut answers)?;
            }
        }
    }
    if root.get("batches").is_given() {
        let world = World::read(&root, &mut answers)?;
        signature::constants(&root, &world, &mut answers);
        let built = batch::answers(&root, &world, &mut answers)?;
        invalid::answers(&root, &world, &built, &mut answers)?;
        sealed::answers(&root, &built, &mut answers)?;
        signature::p256(&root, &world, &mut answers)?;
    }
    if answers.is_empty() {
        return Err(root.refused("codec, amounts, trees, tariffs or batches"));
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

/// What a part of ours makes of its own result when it cannot be read back, which would be a bug.
fn broken(what: &str) -> Value {
    json!(format!("a bug: {what}"))
}

/// Fields to key and bytes, and the bytes back to fields.
fn codec(case: &Input<'_>, _: &Input<'_>, answers: &mut Vec<Answer>) -> Result<(), Refused> {
    let record = read_record(case)?;
    answer(answers, &case.get("key"), json!(record.key()));
    let bytes = record.pack();
    let comes_back = Record::unpack(&bytes) == Ok(record);
    let packed = if comes_back { text(bytes) } else { broken("the record does not come back") };
    answer(answers, &case.get("record"), packed);
    Ok(())
}

/// Energy and price to what the participant's balance grows by.
fn amount(case: &Input<'_>, _: &Input<'_>, answers: &mut Vec<Answer>) -> Result<(), Refused> {
    let code = code(&case.get("code"))?;
    let value = case.get("value").integer("of 32 bits")?;
    let price = Price::from_micro_per_kwh(case.get("price").integer("of 32 bits")?);
    let amount = participant_amount(code, value, price);
    let amount = amount.ok_or_else(|| case.get("code").refused("a code from 1 to 63"))?;
    answer(answers, &case.get("amount"), json!(amount.micro().to_string()));
    Ok(())
}

/// Leaves to count, root and paths.
fn tree(case: &Input<'_>, _: &Input<'_>, answers: &mut Vec<Answer>) -> Result<(), Refused> {
    let leaves = case.get("leaves").some_items()?;
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
        let path = if proves { json!(path) } else { broken("the path proves nothing") };
        answer(answers, &entry.get("path"), path);
    }
    Ok(())
}

/// Prices to table and hash, and the table back to prices.
fn tariff(case: &Input<'_>, params: &Input<'_>, answers: &mut Vec<Answer>) -> Result<(), Refused> {
    let slots = params.get("slotsPerPeriod").integer("from 1 to 1024")?;
    let table = read_table(case, slots)?;
    let bytes = table.pack();
    answer(answers, &case.get("hash"), text(table.hash()));
    let comes_back = TariffTable::unpack(slots, &bytes) == Ok(table);
    let packed = if comes_back { text(bytes) } else { broken("the table does not come back") };
    answer(answers, &case.get("table"), packed);
    Ok(())
}

fn read_table(case: &Input<'_>, slots: u16) -> Result<TariffTable, Refused> {
    let mut rows = BTreeMap::new();
    for (name, place) in case.get("codes").members()? {
        let number = name.parse().ok().and_then(|number| Code::new(number).ok());
        let number = number.filter(|number| number.to_string() == name); // 1, not 01 or +1
        let number = number.ok_or_else(|| place.refused("a code from 1 to 62 as its key"))?;
        let prices = place.items()?.into_iter();
        let prices = prices.map(|price| price.integer("of 32 bits").map(Price::from_micro_per_kwh));
        rows.insert(number, prices.collect::<Result<Vec<_>, _>>()?);
    }
    TariffTable::new(slots, rows)
        .map_err(|error| case.get("codes").refused(&format!("a tariff table: {error}")))
}

/// Fields to a record.
fn read_record(case: &Input<'_>) -> Result<Record, Refused> {
    let participant = ParticipantNumber(case.get("participant").integer("of 32 bits")?);
    let slot = Slot(case.get("slot").integer("from 0 to 1023")?);
    let value = case.get("value").integer("of 32 bits")?;
    Record::new(participant, code(&case.get("code"))?, slot, value)
        .map_err(|_| case.get("slot").refused("an integer from 0 to 1023"))
}
