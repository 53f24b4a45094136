//! Accounts: participant, balance and payable sum, and accounts too many, too few or in another order.

use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Amount;
use gridtally_settlement::AccountLeaf;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::super::town::{Committed, hostile};
use super::{Way, change};

pub(super) const WAYS: &[Way] = &[
    Way::new("a balance of an account", |batch, random| {
        let account = any(batch, random);
        change(&mut batch.accounts[account].balance, random);
        true
    }),
    Way::new("a payable sum", |batch, random| {
        let account = any(batch, random);
        let payable = &mut batch.accounts[account].payable_micro;
        *payable = hostile(random, payable.cast_signed()).cast_unsigned();
        true
    }),
    Way::new("a balance made payable", |batch, random| {
        let index = any(batch, random);
        let account = &mut batch.accounts[index];
        let moved = account.balance.micro().min(10_000);
        account.balance = Amount::from_micro(account.balance.micro() - moved);
        account.payable_micro += moved.unsigned_abs();
        moved > 0
    }),
    Way::new("the participant of an account", |batch, random| {
        let account = any(batch, random);
        batch.accounts[account].participant.0 ^= 1 << random.random_range(0..32);
        true
    }),
    Way::new("two accounts changed places", |batch, random| {
        let account = any(batch, random);
        if account > 0 {
            batch.accounts.swap(account - 1, account);
        }
        account > 0
    }),
    Way::new("two accounts changed owners", |batch, random| {
        let account = any(batch, random);
        if account == 0 || same(&batch.accounts[account - 1], &batch.accounts[account]) {
            return false;
        }
        batch.accounts.swap(account - 1, account);
        let (left, right) = (batch.accounts[account].participant, account - 1);
        batch.accounts[account].participant = batch.accounts[right].participant;
        batch.accounts[right].participant = left;
        true
    }),
    Way::new("an account too many", |batch, random| {
        let participant = ParticipantNumber(batch.header.account_count);
        let balance = Amount::from_micro(random.random_range(0..2));
        batch.accounts.push(AccountLeaf { participant, balance, payable_micro: 0 });
        batch.header.account_count += 1;
        true
    }),
    Way::new("an account twice", |batch, random| {
        let account = any(batch, random);
        batch.accounts.insert(account, batch.accounts[account]);
        batch.header.account_count += 1;
        true
    }),
    Way::new("the last account left out, beside the header", |batch, _| {
        batch.accounts.pop();
        !batch.accounts.is_empty()
    }),
];

fn any(batch: &Committed, random: &mut ChaCha8Rng) -> usize {
    random.random_range(0..batch.accounts.len())
}

fn same(left: &AccountLeaf, right: &AccountLeaf) -> bool {
    left.balance == right.balance && left.payable_micro == right.payable_micro
}
