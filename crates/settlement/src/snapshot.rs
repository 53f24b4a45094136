//! Account snapshots: all accounts after a final batch, 15 bytes each, from which a ledger goes on without what came before.

use alloy_primitives::{B256, keccak256};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Amount;
use thiserror::Error;

use crate::account::{Account, Accounts};
use crate::amount::MICRO_PER_HUNDREDTH;
use crate::header::BatchHeader;
use crate::leaf::AccountLeaf;
use crate::ledger_state::LedgerState;
use crate::opening::Opened;
use crate::published::{BLOB_LENGTH, BlobBytes, ELEMENT_LENGTH, HEAD_LENGTH, zero_blob};
use crate::tree::LEAVES_MAX;

/// Bytes of a packed account.
pub const SNAPSHOT_ACCOUNT_LENGTH: usize = 15;
/// Accounts that a blob holds.
pub const SNAPSHOT_ACCOUNTS_PER_BLOB: usize =
    BLOB_LENGTH / ELEMENT_LENGTH * SNAPSHOT_ACCOUNTS_PER_ELEMENT;

/// Accounts that a field element holds.
pub const SNAPSHOT_ACCOUNTS_PER_ELEMENT: usize = 2;
const BALANCE_LENGTH: usize = 8;

/// Why bytes are no accounts, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// Every account has 15 bytes.
    #[error("{0} bytes are no whole number of accounts of {SNAPSHOT_ACCOUNT_LENGTH}")]
    Length(usize),
    /// A ledger has at most 2^18 accounts.
    #[error("{0} accounts, at most {LEAVES_MAX} are possible")]
    Count(usize),
    /// A balance is negative, or more was withdrawn than 64 bits hold.
    #[error("account {0} is none that a valid batch leaves")]
    Account(u32),
    /// The accounts are not those under the header's account root.
    #[error("the accounts are not those of batch {0}")]
    Root(u64),
}

/// Returns the bytes of an account, for one that a valid batch left.
///
/// ```text
/// balance u64, micro-units | payable u56, hundredths        big-endian, 15 bytes
/// ```
///
/// # Source
///
/// Settlement protocol §2.11; decision 0008.
#[must_use]
pub fn pack_snapshot_account(account: Account) -> [u8; SNAPSHOT_ACCOUNT_LENGTH] {
    let mut bytes = [0; SNAPSHOT_ACCOUNT_LENGTH];
    let hundredths = account.payable_micro / MICRO_PER_HUNDREDTH.unsigned_abs();
    bytes[..BALANCE_LENGTH].copy_from_slice(&account.balance.micro().to_be_bytes());
    bytes[BALANCE_LENGTH..].copy_from_slice(&hundredths.to_be_bytes()[1..]);
    bytes
}

/// Returns the accounts one after the other, as calldata holds them.
#[must_use]
pub fn pack_snapshot(accounts: impl IntoIterator<Item = Account>) -> Vec<u8> {
    accounts.into_iter().flat_map(pack_snapshot_account).collect()
}

/// Returns the accounts in as few blobs as hold them: two behind two zero bytes in each field element, the rest zero.
#[must_use]
pub fn pack_snapshot_blobs(accounts: &[Account]) -> Vec<BlobBytes> {
    let packed = accounts.chunks(SNAPSHOT_ACCOUNTS_PER_BLOB).map(|accounts| {
        let mut blob = zero_blob();
        let elements = blob.chunks_exact_mut(ELEMENT_LENGTH);
        for (element, accounts) in elements.zip(accounts.chunks(SNAPSHOT_ACCOUNTS_PER_ELEMENT)) {
            let places = element[HEAD_LENGTH..].chunks_exact_mut(SNAPSHOT_ACCOUNT_LENGTH);
            for (place, &account) in places.zip(accounts) {
                place.copy_from_slice(&pack_snapshot_account(account));
            }
        }
        blob
    });
    packed.collect()
}

/// A part of a snapshot, as anybody finds it.
#[derive(Clone, Copy, Debug)]
pub enum SnapshotData<'a> {
    /// The bytes of the calldata.
    Calldata(&'a [u8]),
    /// The blobs.
    Blobs(&'a [BlobBytes]),
}

impl<'a> SnapshotData<'a> {
    /// Returns the bytes of up to `count` accounts and whether each stands behind zeros, as it must.
    pub fn accounts(
        self,
        count: usize,
    ) -> impl Iterator<Item = ([u8; SNAPSHOT_ACCOUNT_LENGTH], bool)> + 'a {
        let (calldata, blobs): (&[u8], &[BlobBytes]) = match self {
            Self::Calldata(data) => (data, &[]),
            Self::Blobs(blobs) => (&[], blobs),
        };
        let (packed, _) = calldata.as_chunks::<SNAPSHOT_ACCOUNT_LENGTH>();
        let elements = blobs.iter().flat_map(|blob| blob.as_chunks::<ELEMENT_LENGTH>().0);
        let in_blobs = elements.flat_map(|element| {
            let (head, body) = element.split_at(HEAD_LENGTH);
            let is_well_formed = head.iter().all(|&byte| byte == 0);
            let (packed, _) = body.as_chunks::<SNAPSHOT_ACCOUNT_LENGTH>();
            packed.iter().map(move |&bytes| (bytes, is_well_formed))
        });
        packed.iter().map(|&bytes| (bytes, true)).chain(in_blobs).take(count)
    }

    /// Returns the first account of a part that says something else than the state, or nothing, or `None` for a part that is
    /// true. The part covers the accounts from `first` on, up to `end`.
    #[must_use]
    pub fn false_account(
        self,
        state: &LedgerState,
        first: u32,
        end: u32,
    ) -> Option<Opened<AccountLeaf>> {
        let count = usize::try_from(end.saturating_sub(first)).unwrap_or(usize::MAX);
        let mut published = self.accounts(count);
        let is_false = |&participant: &u32| {
            let account = state.accounts().get(ParticipantNumber(participant));
            published.next() != Some((pack_snapshot_account(account), true))
        };
        let participant = (first..end).find(is_false)?;
        state.open_account(ParticipantNumber(participant))
    }
}

/// Returns the hash that the contract keeps of a part in calldata.
#[must_use]
pub fn snapshot_hash(data: &[u8]) -> B256 {
    keccak256(data)
}

/// Reads the accounts of all parts together, one after the other.
///
/// # Errors
///
/// Returns the first [`SnapshotError`] in the order of its variants.
pub fn unpack_snapshot(bytes: &[u8]) -> Result<Accounts, SnapshotError> {
    let (packed, rest) = bytes.as_chunks::<SNAPSHOT_ACCOUNT_LENGTH>();
    if !rest.is_empty() {
        return Err(SnapshotError::Length(bytes.len()));
    }
    if u32::try_from(packed.len()).map_or(true, |count| count > LEAVES_MAX) {
        return Err(SnapshotError::Count(packed.len()));
    }
    let accounts = (0..)
        .zip(packed)
        .map(|(number, bytes)| unpack_account(bytes).ok_or(SnapshotError::Account(number)));
    Ok(Accounts::new(accounts.collect::<Result<_, _>>()?))
}

fn unpack_account(bytes: &[u8; SNAPSHOT_ACCOUNT_LENGTH]) -> Option<Account> {
    let [b0, b1, b2, b3, b4, b5, b6, b7, p0, p1, p2, p3, p4, p5, p6] = *bytes;
    let balance = i64::from_be_bytes([b0, b1, b2, b3, b4, b5, b6, b7]);
    let hundredths = u64::from_be_bytes([0, p0, p1, p2, p3, p4, p5, p6]);
    let payable_micro = hundredths.checked_mul(MICRO_PER_HUNDREDTH.unsigned_abs())?;
    (balance >= 0).then_some(Account { balance: Amount::from_micro(balance), payable_micro })
}

impl LedgerState {
    /// Returns the state after the batch of `header` from a snapshot, without anything that came before.
    ///
    /// # Errors
    ///
    /// Returns [`SnapshotError::Root`] for accounts that are not those under the header's account root.
    pub fn restored(header: BatchHeader, accounts: Accounts) -> Result<Self, SnapshotError> {
        let root = accounts.tree().map(|tree| tree.root());
        if accounts.count() != header.account_count || root != Some(header.account_root) {
            return Err(SnapshotError::Root(header.seq));
        }
        Ok(Self::new(header, accounts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_account() -> impl Strategy<Value = Account> {
        (0..=i64::MAX, 0..=u64::MAX / 10_000).prop_map(|(balance, hundredths)| Account {
            balance: Amount::from_micro(balance),
            payable_micro: hundredths * 10_000,
        })
    }

    fn state(accounts: Vec<Account>) -> LedgerState {
        let accounts = Accounts::new(accounts);
        let header = BatchHeader {
            account_count: accounts.count(),
            account_root: accounts.tree().unwrap().root(),
            ..BatchHeader::GENESIS
        };
        LedgerState::new(header, accounts)
    }

    #[test]
    fn what_no_valid_batch_leaves_is_refused() {
        assert_eq!(unpack_snapshot(&[0; 31]), Err(SnapshotError::Length(31)));
        let many = vec![0; 15 * ((1 << 18) + 1)];
        assert_eq!(unpack_snapshot(&many), Err(SnapshotError::Count((1 << 18) + 1)));
        let mut negative = [0; 30];
        negative[15] = 0x80;
        assert_eq!(unpack_snapshot(&negative), Err(SnapshotError::Account(1)));
        let mut huge = [0; 15];
        huge[8] = 0xff;
        assert_eq!(unpack_snapshot(&huge), Err(SnapshotError::Account(0)));
    }

    #[test]
    fn accounts_stand_in_blobs_two_by_two() {
        let account = |micro| Account { balance: Amount::from_micro(micro), payable_micro: 0 };
        let accounts: Vec<_> = (0..8_195).map(account).collect();
        let mut blobs = pack_snapshot_blobs(&accounts);
        assert_eq!(blobs.len(), 2);
        assert_eq!(blobs[0][2 + 15 + 7], 1);
        assert_eq!(blobs[1][ELEMENT_LENGTH + 2 + 6..][..2], [0x20, 0x02]);
        let state = state(accounts);
        assert_eq!(SnapshotData::Blobs(&blobs).false_account(&state, 0, 8_195), None);
        // A head that is not zero makes both of its accounts false.
        blobs[1][1] = 1;
        let found = SnapshotData::Blobs(&blobs).false_account(&state, 0, 8_195).unwrap();
        assert_eq!(found.index, 8_192);
        assert!(found.is_under(&state.header().account_root, 8_195));
    }

    proptest! {
        #[test]
        fn accounts_come_back_and_restore_the_state(
            accounts in prop::collection::vec(any_account(), 1..40)
        ) {
            let state = state(accounts.clone());
            let packed = pack_snapshot(accounts);
            let read = unpack_snapshot(&packed).unwrap();
            let restored = LedgerState::restored(state.header().clone(), read);
            prop_assert_eq!(restored, Ok(state));
        }

        #[test]
        fn every_changed_bit_is_found_at_its_account(
            accounts in prop::collection::vec(any_account(), 1..20),
            place in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let state = state(accounts.clone());
            let count = state.header().account_count;
            let mut packed = pack_snapshot(accounts);
            prop_assert_eq!(SnapshotData::Calldata(&packed).false_account(&state, 0, count), None);
            let place = place.index(packed.len());
            packed[place] ^= 1 << bit;
            let found = SnapshotData::Calldata(&packed).false_account(&state, 0, count).unwrap();
            prop_assert_eq!(usize::try_from(found.index).unwrap(), place / SNAPSHOT_ACCOUNT_LENGTH);
            if let Ok(read) = unpack_snapshot(&packed) {
                prop_assert!(LedgerState::restored(state.header().clone(), read).is_err());
            }
        }
    }
}
