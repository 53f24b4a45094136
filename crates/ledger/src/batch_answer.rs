//! What a hub revealed on demand, read from the input of the transaction that answered.

use alloy_primitives::B256;
use alloy_sol_types::SolCall;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Amount;
use gridtally_settlement::{
    AccountLeaf, Answers, Opened, Record, RecordLeaf, Revealed, SectionAnswers, ShownSection,
};

use crate::abi::demand::DemandProver::{
    answerAccountCall, answerGroupCall, answerRecordCall, answerRowCall, answerSealedGroupCall,
    answerSectionCall,
};
use crate::batch_call::Demanded;

/// Bytes of a record leaf in the answer for a group: the preimage without its tag.
const RECORD_LENGTH: usize = RecordLeaf::LENGTH - 1;
/// Bytes of an account in the answer for a group: the preimage without tag and participant.
const ACCOUNT_LENGTH: usize = 16;
/// Accounts of a group.
const GROUP_ACCOUNTS: u32 = 256;

/// Adds to `answers` what a transaction's input reveals; nothing where it is no answer of this kind.
///
/// Whether it is what the batch holds is not checked here: the rule engine believes only what hashes to the batch's roots.
pub fn reveal(answers: &mut Answers, demanded: Demanded, input: &[u8]) {
    match demanded {
        Demanded::RecordRow | Demanded::AccountRow => {
            let Ok(call) = answerRowCall::abi_decode(input) else { return };
            let is_records = demanded == Demanded::RecordRow;
            let row = if is_records { &mut answers.records.row } else { &mut answers.accounts.row };
            *row = Some(call.row);
        }
        Demanded::RecordGroup(group) => {
            let Ok(call) = answerGroupCall::abi_decode(input) else { return };
            let leaves = call.leaves.chunks_exact(RECORD_LENGTH).map(record_leaf);
            answers.records.groups.insert(group, leaves.collect());
        }
        Demanded::AccountGroup(group) => {
            let Ok(call) = answerGroupCall::abi_decode(input) else { return };
            // A number beyond all participants fits no batch.
            let number = |place: u32| group.saturating_mul(GROUP_ACCOUNTS).saturating_add(place);
            let leaves = (0..u32::MAX).zip(call.leaves.chunks_exact(ACCOUNT_LENGTH));
            let leaves = leaves.map(|(place, bytes)| account_leaf(number(place), bytes));
            answers.accounts.groups.insert(group, leaves.collect());
        }
        // They show a signature, and nothing that the rule engine lacks.
        Demanded::Record(_) | Demanded::Account(_) | Demanded::Section(_) => {}
    }
}

/// Adds what a transaction's input reveals of a sealed batch: the hashes of accounts, and of sections where they lie and what is in
/// them; nothing where it is no answer of this kind.
///
/// Whether it is what the batch holds is for the reader to check.
pub fn reveal_sealed(
    accounts: &mut Revealed<B256>,
    sections: &mut SectionAnswers,
    demanded: Demanded,
    input: &[u8],
) {
    match demanded {
        Demanded::AccountRow => {
            if let Ok(call) = answerRowCall::abi_decode(input) {
                accounts.row = Some(call.row);
            }
        }
        Demanded::AccountGroup(group) => {
            if let Ok(call) = answerSealedGroupCall::abi_decode(input) {
                accounts.groups.insert(group, call.hashes);
            }
        }
        Demanded::Section(participant) => {
            let Ok(call) = answerSectionCall::abi_decode(input) else { return };
            let (first, hashes, path) = (call.first, call.hashes, call.path);
            let shown = ShownSection { first, hashes, path };
            sections.sections.insert(ParticipantNumber(participant), shown);
        }
        Demanded::Account(participant) => {
            let Ok(call) = answerAccountCall::abi_decode(input) else { return };
            let participant = ParticipantNumber(participant);
            let leaf = AccountLeaf {
                participant,
                balance: Amount::from_micro(call.a.balance),
                payable_micro: call.a.payableMicro,
            };
            let (index, salt) = (participant.0, Some(call.a.salt.0));
            sections.accounts.insert(participant, Opened { index, leaf, salt, path: call.a.path });
        }
        Demanded::Record(index) => {
            let Ok(call) = answerRecordCall::abi_decode(input) else { return };
            let Ok(record) = Record::unpack(call.l.record.as_slice()) else { return };
            let [amount, balance_after, hub_after] =
                [call.l.amount, call.l.balanceAfter, call.l.hubAfter].map(Amount::from_micro);
            let leaf = RecordLeaf { record, amount, balance_after, hub_after };
            let salt = Some(call.l.salt.0);
            sections.records.insert(index, Opened { index, leaf, salt, path: call.l.path });
        }
        // The records of a sealed batch are told section by section.
        Demanded::RecordRow | Demanded::RecordGroup(_) => {}
    }
}

/// Reads a leaf from its preimage without the tag.
pub(crate) fn record_leaf(bytes: &[u8]) -> RecordLeaf {
    let (record, amounts) = bytes.split_at(Record::LENGTH);
    RecordLeaf {
        record: Record::unpack(record).expect("ten bytes"),
        amount: amount(&amounts[..8]),
        balance_after: amount(&amounts[8..16]),
        hub_after: amount(&amounts[16..]),
    }
}

/// Whose account it is follows from its place.
fn account_leaf(number: u32, bytes: &[u8]) -> AccountLeaf {
    let (balance, payable) = bytes.split_at(8);
    AccountLeaf {
        participant: ParticipantNumber(number),
        balance: amount(balance),
        payable_micro: amount(payable).micro().cast_unsigned(),
    }
}

fn amount(bytes: &[u8]) -> Amount {
    Amount::from_micro(i64::from_be_bytes(bytes.try_into().expect("eight bytes")))
}
