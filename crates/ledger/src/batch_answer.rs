//! What a hub revealed on demand, read from the input of the transaction that answered.

use alloy_sol_types::SolCall;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Amount;
use gridtally_settlement::{AccountLeaf, Answers, Record, RecordLeaf};

use crate::abi::demand::DemandProver::{answerGroupCall, answerRowCall};
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
