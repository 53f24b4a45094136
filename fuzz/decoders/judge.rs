//! The rule engine over any batch: leaves, accounts, header and published data as a hostile hub may choose them.
//!
//! ```text
//! flags 1 | period 1 | run 1 | account count 1 | inbox to 1 | hub balance 8 | leaves of 34 | rest: calldata
//! ```

use std::collections::BTreeMap;

use alloy_primitives::{B256, keccak256};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_core::quantity::{Amount, Price};
use gridtally_settlement::{
    Account, AccountLeaf, Accounts, Activities, Activity, Answers, BatchHeader, Code,
    CommittedBatch, Evidence, ForcedReadings, InboxEntry, InboxKind, InboxRange, LedgerState,
    Published, Record, RecordLeaf, Reference, Revealed, TariffTable, Tree, Verdict, judge,
    pack_calldata,
};

const LEAF_LENGTH: usize = 34;
const LEAVES_MAX: usize = 40;
const DEPOSIT: Amount = Amount::from_micro(3_000_000);

pub(crate) fn decode(bytes: &[u8]) {
    let Some((head, rest)) = bytes.split_first_chunk::<13>() else { return };
    let &[flags, period, run, account_count, inbox_to, ref hub @ ..] = head;
    let is = |bit: u8| flags >> bit & 1 == 1;
    let leaves_length = rest.len() / LEAF_LENGTH * LEAF_LENGTH;
    let (packed, rest) = rest.split_at(leaves_length.min(LEAVES_MAX * LEAF_LENGTH));
    let leaves: Vec<RecordLeaf> = packed.chunks_exact(LEAF_LENGTH).map(leaf).collect();
    let Some(record_tree) = Tree::new(leaves.iter().map(RecordLeaf::hash).collect()) else {
        return;
    };

    let table = table();
    let activities = Activities::new(vec![Activity::from(SettlementPeriod(1)); 3]);
    let entry =
        |participant, kind| InboxEntry { participant: ParticipantNumber(participant), kind };
    let inbox = [
        entry(1, InboxKind::Deposit(DEPOSIT)),
        entry(2, InboxKind::Exit),
        entry(0, InboxKind::Deposit(DEPOSIT)),
    ];
    let inbox = InboxRange { first: 0, entries: &inbox };
    let mut forced = ForcedReadings::default();
    forced.request(SettlementPeriod(1), 1 << 16 | 1 << 10, 0);
    let reference = Reference { table: &table, activities: &activities, inbox, forced: &forced };
    let account = Account { balance: Amount::from_micro(1_000_000), payable_micro: 0 };
    let before = Accounts::new(vec![account; 3]);
    let genesis = BatchHeader {
        account_root: before.tree().map_or(B256::ZERO, |tree| tree.root()),
        account_count: before.count(),
        hub_balance: account.balance,
        ..BatchHeader::GENESIS
    };
    let parent = LedgerState::new(genesis, before);

    let hub_balance = Amount::from_micro(i64::from_be_bytes(*hub));
    let accounts = accounts(&parent, &leaves, account_count.into(), hub_balance, is(0));
    let account_leaves: Vec<AccountLeaf> = accounts.leaves().collect();
    let account_root = accounts.tree().map_or(B256::ZERO, |tree| tree.root());
    let records = leaves.iter().map(|leaf| leaf.record);
    let data = if is(1) { rest.to_vec() } else { pack_calldata(records) };
    let ends = (leaves[0].record.key(), leaves[leaves.len() - 1].record.key());
    let header = BatchHeader {
        seq: 1,
        parent: parent.header().hash(),
        period: SettlementPeriod(u32::from(period)),
        run: u32::from(run),
        count: u32::try_from(leaves.len()).unwrap_or(u32::MAX) + u32::from(is(2)),
        first_key: ends.0 ^ u64::from(is(3)),
        last_key: ends.1,
        record_root: if is(4) { keccak256(rest) } else { record_tree.root() },
        account_root,
        account_count: u32::from(account_count),
        hub_balance,
        inbox_to: u64::from(inbox_to),
        committed_at: u64::from(is(6)),
        ..BatchHeader::GENESIS
    };
    let answers =
        if is(5) { Answers::default() } else { answers(&record_tree, leaves, account_leaves) };
    let published = Published::Calldata(&data);
    let batch = CommittedBatch { header: &header, published };
    match judge(batch, &parent, &reference, &answers) {
        Verdict::Fraud(violation) => {
            let evidence = Evidence {
                header: &header,
                parent: parent.header(),
                reference: &reference,
                published,
            };
            assert_eq!(violation.proof.rule(&evidence), Some(violation.rule), "{violation:?}");
        }
        Verdict::Valid(state) => {
            let deposits = inbox.entries.iter().take(usize::from(inbox_to));
            let deposits = deposits.filter(|entry| entry.kind != InboxKind::Exit).count();
            let deposited = i128::try_from(deposits).unwrap_or(0) * i128::from(DEPOSIT.micro());
            assert_eq!(held(state.accounts()), held(parent.accounts()) + deposited);
        }
        Verdict::Demand(_) => {}
    }
}

fn leaf(bytes: &[u8]) -> RecordLeaf {
    let amount = |at: usize| {
        let bytes = bytes[at..at + 8].try_into().expect("eight bytes");
        Amount::from_micro(i64::from_be_bytes(bytes))
    };
    let record = Record::unpack(&bytes[..10]).expect("ten bytes");
    RecordLeaf { record, amount: amount(10), balance_after: amount(18), hub_after: amount(26) }
}

/// What the leaves make of the accounts, or the accounts before.
fn accounts(
    parent: &LedgerState,
    leaves: &[RecordLeaf],
    count: u32,
    hub_balance: Amount,
    follow: bool,
) -> Accounts {
    let mut accounts = parent.accounts().clone();
    accounts.grow(count);
    for leaf in leaves.iter().filter(|_| follow) {
        let participant = leaf.record.participant();
        let mut account = accounts.get(participant);
        account.balance = leaf.balance_after;
        if leaf.record.code().number() == 63 {
            account.payable_micro =
                account.payable_micro.wrapping_sub(leaf.amount.micro().cast_unsigned());
        }
        accounts.set(participant, account);
    }
    let hub = accounts.get(ParticipantNumber::HUB);
    accounts.set(ParticipantNumber::HUB, Account { balance: hub_balance, ..hub });
    accounts
}

fn answers(tree: &Tree, leaves: Vec<RecordLeaf>, accounts: Vec<AccountLeaf>) -> Answers {
    Answers {
        records: Revealed { row: Some(tree.row().to_vec()), groups: BTreeMap::from([(0, leaves)]) },
        accounts: Revealed { row: None, groups: BTreeMap::from([(0, accounts)]) },
    }
}

fn table() -> TariffTable {
    let row = |price| vec![Price::from_micro_per_kwh(price); 4];
    let code = |number| Code::new(number).expect("a code");
    let rows = BTreeMap::from([(code(1), row(-90_000)), (code(32), row(500_000))]);
    TariffTable::new(4, rows).expect("it is valid")
}

fn held(accounts: &Accounts) -> i128 {
    let of = |leaf: AccountLeaf| i128::from(leaf.balance.micro()) + i128::from(leaf.payable_micro);
    accounts.leaves().map(of).sum()
}
