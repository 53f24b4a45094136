//! What meters sign: the constants of EIP-712, and a signature on P-256.

use alloy_primitives::{B256, keccak256};
use gridtally_core::period::SettlementPeriod;
use gridtally_settlement::{BatchHeader, Domain, MeterKey, SignedReading};

use super::world::World;
use super::{Answer, Input, Refused, answer, broken, read_record, text};

/// The hashes that follow from the protocol and the contract's place.
pub(super) fn constants(root: &Input<'_>, world: &World, answers: &mut Vec<Answer>) {
    let genesis = BatchHeader::GENESIS.hash();
    answer(answers, &root.get("genesisHeaderHash"), text(genesis));
    answer(answers, &root.get("domainSeparator"), text(world.domain.separator()));
    answer(answers, &root.get("domainTypeHash"), text(keccak256(Domain::TYPE)));
    answer(answers, &root.get("readingTypeHash"), text(keccak256(SignedReading::TYPE)));
}

/// A reading to its digest, which the given signature signs.
pub(super) fn p256(
    root: &Input<'_>,
    world: &World,
    answers: &mut Vec<Answer>,
) -> Result<(), Refused> {
    let case = root.get("p256");
    if !case.is_given() {
        return Ok(());
    }
    let record = read_record(&case)?;
    let period = SettlementPeriod(case.get("period").integer("of 32 bits")?);
    let run = case.get("run").integer("of 32 bits")?;
    let reading = SignedReading::of_record(period, run, &record);
    let reading = reading.ok_or_else(|| case.get("code").refused("a code from 1 to 62"))?;
    let digest = reading.digest(&world.domain);
    let key = MeterKey::P256 { x: case.get("x").hash()?, y: case.get("y").hash()? };
    let signature: [B256; 2] = [case.get("r").hash()?, case.get("s").hash()?];
    let is_signed = key.check(&digest, &signature.concat()).is_ok();
    let digest = if is_signed { text(digest) } else { broken("the signature is refused") };
    answer(answers, &case.get("digest"), digest);
    Ok(())
}
