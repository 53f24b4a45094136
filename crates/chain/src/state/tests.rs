//! The state against a naive one that copies everything for each block.

use std::{collections::BTreeMap, sync::Arc};

use alloy_trie::{
    Nibbles, TrieAccount,
    proof::verify_proof,
    root::{state_root_unhashed, storage_root_unhashed},
};
use proptest::prelude::*;

use super::*;

const ACCOUNTS: u8 = 5;
const SLOTS: u8 = 4;

/// What a block shows of one account: the account, its slots, and whether any is set.
type Shown = (Option<Account>, Vec<U256>, bool);

/// Changes of few accounts and slots, so that they are changed, destroyed and created again often.
pub(super) fn diff() -> impl Strategy<Value = StateDiff> {
    let slots = prop::collection::btree_map(0..SLOTS, 0..3_u64, 0..4);
    let account = (any::<bool>(), 0..3_u64, 0..4_u64, any::<bool>(), slots);
    prop::collection::btree_map(0..ACCOUNTS, account, 0..4).prop_map(|accounts| {
        let accounts =
            accounts.into_iter().map(|(seed, (exists, nonce, balance, clears, slots))| {
                let slots = slots.into_iter().filter(|_| exists).map(|(slot, value)| SlotDiff {
                    slot: B256::with_last_byte(slot),
                    value: U256::from(value) << 200,
                });
                AccountDiff {
                    address: Address::with_last_byte(seed),
                    exists,
                    nonce: if exists { nonce } else { 0 },
                    balance: if exists { U256::from(balance) } else { U256::ZERO },
                    code_hash: KECCAK256_EMPTY,
                    clears_storage: clears && exists,
                    storage: slots.collect(),
                }
            });
        StateDiff { accounts: accounts.collect(), codes: Vec::new() }
    })
}

/// Reads everything that the blocks from `first` to `last` show.
pub(super) fn everything(state: &Arc<State>, first: u64, last: u64) -> Vec<Shown> {
    let places = (first..=last).flat_map(|number| (0..ACCOUNTS).map(move |seed| (number, seed)));
    let read = |(number, seed)| {
        let (view, address) = (state.at(number).unwrap(), Address::with_last_byte(seed));
        let slots =
            (0..SLOTS).map(|slot| view.storage(address, B256::with_last_byte(slot)).unwrap());
        (view.account(address).unwrap(), slots.collect(), view.has_storage(address).unwrap())
    };
    places.map(read).collect()
}

/// A whole state, copied for each block.
#[derive(Debug, Clone, Default)]
struct Naive(BTreeMap<Address, (Account, BTreeMap<B256, U256>)>);

impl Naive {
    fn after(&self, diff: &StateDiff) -> Self {
        let mut next = self.clone();
        for account in &diff.accounts {
            if !account.exists {
                next.0.remove(&account.address);
                continue;
            }
            let entry = next.0.entry(account.address).or_default();
            let AccountDiff { nonce, balance, code_hash, .. } = *account;
            entry.0 = Account { nonce, balance, code_hash };
            if account.clears_storage {
                entry.1.clear();
            }
            for slot in &account.storage {
                entry.1.insert(slot.slot, slot.value);
            }
            entry.1.retain(|_, value| !value.is_zero());
        }
        next
    }

    fn shown(&self) -> Vec<Shown> {
        let show = |seed| match self.0.get(&Address::with_last_byte(seed)) {
            None => (None, vec![U256::ZERO; usize::from(SLOTS)], false),
            Some((account, slots)) => {
                let value = |slot| slots.get(&B256::with_last_byte(slot)).copied();
                let values = (0..SLOTS).map(|slot| value(slot).unwrap_or_default());
                (Some(*account), values.collect(), !slots.is_empty())
            }
        };
        (0..ACCOUNTS).map(show).collect()
    }

    fn trie_account(&self, address: &Address) -> Option<TrieAccount> {
        let (account, slots) = self.0.get(address)?;
        Some(TrieAccount {
            nonce: account.nonce,
            balance: account.balance,
            storage_root: storage_root_unhashed(slots.iter().map(|(slot, value)| (*slot, *value))),
            code_hash: account.code_hash,
        })
    }

    fn root(&self) -> B256 {
        let accounts = self.0.keys().map(|address| (*address, self.trie_account(address)));
        state_root_unhashed(accounts.filter_map(|(address, account)| Some((address, account?))))
    }
}

fn check_proofs(state: &Arc<State>, number: u64, naive: &Naive) {
    let root = naive.root();
    let slots: Vec<_> = (0..SLOTS).map(B256::with_last_byte).collect();
    for address in (0..ACCOUNTS).map(Address::with_last_byte) {
        let proof = state.at(number).unwrap().proof(address, &slots, root).unwrap();
        let account = naive.trie_account(&address);
        let expected = account.map(alloy_rlp::encode);
        let key = Nibbles::unpack(keccak256(address));
        if !naive.0.is_empty() {
            verify_proof(root, key, expected, &proof.proof).unwrap();
        }
        let held = naive.0.get(&address).map(|(_, slots)| slots.clone()).unwrap_or_default();
        for (slot, value, nodes) in &proof.storage {
            assert_eq!(*value, held.get(slot).copied().unwrap_or_default());
            if !held.is_empty() {
                let expected = held.get(slot).map(alloy_rlp::encode);
                let key = Nibbles::unpack(keccak256(slot));
                verify_proof(account.unwrap().storage_root, key, expected, nodes).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn old_blocks_are_right_or_refused(
        diffs in prop::collection::vec(diff(), 2..14), kept in 0_usize..40, back in any::<prop::sample::Index>()
    ) {
        let state = Arc::new(State::starting_at(0));
        state.load(0, &diffs[0]);
        let mut naive = vec![Naive::default().after(&diffs[0])];
        prop_assert_eq!(state.complete(), naive[0].root());
        for (number, diff) in (1..).zip(&diffs[1..]) {
            naive.push(naive.last().unwrap().after(diff));
            prop_assert_eq!(state.apply(number, diff), naive.last().unwrap().root());
            state.write().prune_above(kept);
        }
        let last = diffs.len() as u64 - 1;
        let oldest = state.oldest();
        for number in 0..=last {
            let expected = &naive[usize::try_from(number).unwrap()];
            if number < oldest {
                let refused = StateError::Pruned { number, oldest };
                prop_assert_eq!(state.at(number).unwrap_err(), refused);
            } else {
                prop_assert_eq!(everything(&state, number, number), expected.shown());
                check_proofs(&state, number, expected);
            }
        }
        // Going back brings the older state back whole, or is refused.
        let target = back.index(diffs.len()) as u64;
        let view = state.at(last).unwrap();
        if target < oldest {
            prop_assert!(state.revert_to(target).is_err());
            prop_assert_eq!(state.root(), naive.last().unwrap().root());
        } else {
            state.revert_to(target).unwrap();
            let expected = &naive[usize::try_from(target).unwrap()];
            prop_assert_eq!(state.root(), expected.root());
            prop_assert_eq!(everything(&state, target, target), expected.shown());
            let refused = StateError::Reverted { number: last };
            prop_assert_eq!(view.account(Address::ZERO).unwrap_err(), refused);
        }
    }
}
