//! Account snapshots as a hostile hub may publish them: what is read packs again to the same bytes, and restores a ledger.

use gridtally_settlement::{
    Account, BatchHeader, LedgerState, SnapshotData, pack_snapshot, unpack_snapshot,
};

pub(crate) fn decode(bytes: &[u8]) {
    let data = SnapshotData::Calldata(bytes);
    assert!(data.accounts(usize::MAX).count() <= bytes.len() / 15);
    let Ok(accounts) = unpack_snapshot(bytes) else { return };
    let all = accounts.leaves();
    let all = all.map(|leaf| Account { balance: leaf.balance, payable_micro: leaf.payable_micro });
    assert_eq!(pack_snapshot(all), bytes);
    let Some(tree) = accounts.tree() else { return };
    let count = accounts.count();
    let header =
        BatchHeader { account_count: count, account_root: tree.root(), ..BatchHeader::GENESIS };
    let state = LedgerState::restored(header, accounts).expect("they are its own accounts");
    assert_eq!(data.false_account(&state, 0, count), None);
}
