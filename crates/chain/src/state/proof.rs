//! Proofs of accounts and slots, at the head from the kept trie, at older blocks from a rebuilt one.
//!
//! A rebuilt trie is only used when its root is the one in the header of that block, so a proof is right or refused.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

use super::{
    Account, StateError, StateView,
    trie::Trie,
    values::{Values, encode_account, set_slot},
};

/// Accounts and slots that are put into a trie again for a proof at an older block; about 2 s in release.
pub const REBUILT_ENTRIES_MAX: usize = 1_000_000;

/// An account with the proof of it and of some of its slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountProof {
    /// The account; the empty one when it does not exist.
    pub account: Account,
    /// Root of the account's storage trie.
    pub storage_root: B256,
    /// Nodes from the state root to the account.
    pub proof: Vec<Bytes>,
    /// Per slot asked for: the slot, its value, and the nodes from the storage root.
    pub storage: Vec<(B256, U256, Vec<Bytes>)>,
}

impl StateView {
    /// Returns an account and slots with their proofs against `state_root`, the root in the header of this block.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Reverted`] or [`StateError::Pruned`] when the block is no longer readable,
    /// [`StateError::ProofTooLarge`] when its trie would have to be rebuilt and is too large, and
    /// [`StateError::RootMismatch`] when the trie does not have the expected root.
    pub fn proof(
        &self,
        address: Address,
        slots: &[B256],
        state_root: B256,
    ) -> Result<AccountProof, StateError> {
        let account = self.account(address)?.unwrap_or_default();
        drop(self.readable()?);
        let mut inner = self.state.write();
        if inner.epoch != self.epoch {
            return Err(StateError::Reverted { number: self.number });
        }
        if inner.head == self.number {
            let proof = prove_at_head(&mut inner, account, address, slots);
            return checked(inner.trie.root(), state_root, self.number).map(|()| proof);
        }
        drop(inner);
        self.prove_rebuilt(account, address, slots, state_root)
    }

    fn prove_rebuilt(
        &self,
        account: Account,
        address: Address,
        slots: &[B256],
        state_root: B256,
    ) -> Result<AccountProof, StateError> {
        let inner = self.readable()?;
        let entries = inner.accounts.len() + inner.slot_count;
        if entries > REBUILT_ENTRIES_MAX {
            let (number, max) = (self.number, REBUILT_ENTRIES_MAX);
            return Err(StateError::ProofTooLarge { number, entries, max });
        }
        let mut trie = Trie::default();
        let mut own_storage = Trie::default();
        #[expect(clippy::iter_over_hash_type, reason = "a trie does not depend on insertion order")]
        for (each, entry) in &inner.accounts {
            let Some(stored) = entry.account.at(self.number).copied().flatten() else { continue };
            let mut storage = Trie::default();
            for (slot, versions) in entry.storage.iter().flat_map(|storage| &storage.slots) {
                set_slot(&mut storage, slot, versions.at(self.number).copied().unwrap_or_default());
            }
            trie.insert(keccak256(each), encode_account(&inner.account(stored), storage.root()));
            if *each == address {
                own_storage = storage;
            }
        }
        drop(inner);
        checked(trie.root(), state_root, self.number)?;
        Ok(prove(account, address, slots, &mut trie, &mut own_storage))
    }
}

fn prove_at_head(
    inner: &mut Values,
    account: Account,
    address: Address,
    slots: &[B256],
) -> AccountProof {
    let mut empty = Trie::default();
    let storage = inner.accounts.get_mut(&address).and_then(|entry| entry.storage.as_mut());
    let storage = storage.map_or(&mut empty, |storage| &mut storage.trie);
    prove(account, address, slots, &mut inner.trie, storage)
}

fn prove(
    account: Account,
    address: Address,
    slots: &[B256],
    trie: &mut Trie,
    storage: &mut Trie,
) -> AccountProof {
    let storage_root = storage.root();
    let storage_proofs = slots.iter().map(|slot| {
        let key = keccak256(slot);
        let value =
            storage.get(&key).and_then(|mut rlp| alloy_rlp::Decodable::decode(&mut rlp).ok());
        (*slot, value.unwrap_or_default(), storage.proof(&key))
    });
    let storage = storage_proofs.collect();
    AccountProof { account, storage_root, proof: trie.proof(&keccak256(address)), storage }
}

fn checked(rebuilt: B256, expected: B256, number: u64) -> Result<(), StateError> {
    if rebuilt == expected {
        Ok(())
    } else {
        Err(StateError::RootMismatch { number, rebuilt, expected })
    }
}
