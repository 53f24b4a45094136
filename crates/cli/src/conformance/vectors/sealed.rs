//! One participant's section of the second batch, as it would be sealed.

use alloy_primitives::B256;
use gridtally_settlement::{SectionKey, section_digest};

use super::batch::Built;
use super::{Answer, Input, Refused, answer, text};

pub(super) fn answers(
    root: &Input<'_>,
    built: &[Built],
    answers: &mut Vec<Answer>,
) -> Result<(), Refused> {
    let case = root.get("sealed");
    if !case.is_given() {
        return Ok(());
    }
    let [_, batch, ..] = built else { return Err(root.get("batches").refused("two batches")) };
    let key = SectionKey::new(case.get("sectionKey").array()?);
    let mut hashes: Vec<B256> = Vec::new();
    for leaf in case.get("leaves").some_items()? {
        let index: u32 = leaf.get("index").integer("of 32 bits")?;
        let record = usize::try_from(index).ok().and_then(|place| batch.batch.leaves.get(place));
        let record = record.ok_or_else(|| leaf.get("index").refused("the index of a record"))?;
        let hash = key.sealed_hash(index, record);
        answer(answers, &leaf.get("salt"), text(key.salt(index)));
        answer(answers, &leaf.get("hash"), text(hash));
        hashes.push(hash);
    }
    answer(answers, &case.get("sectionDigest31"), text(section_digest(&hashes)));
    Ok(())
}
