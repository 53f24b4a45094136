//! Fraudulent versions of the second batch: rebuilt from what each of them names, judged, and compared with the rule and the
//! proof that the document expects.

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Amount;
use gridtally_settlement::{
    Account, AccountLeaf, Accounts, Answers, BatchHeader, CommittedBatch, Published, Record,
    RecordLeaf, Revealed, Tree, Verdict, judge, pack_calldata,
};
use serde_json::{Value, json};

use super::batch::Built;
use super::world::World;
use super::{Answer, Input, Refused, answer, text};

pub(super) fn answers(
    root: &Input<'_>,
    world: &World,
    built: &[Built],
    answers: &mut Vec<Answer>,
) -> Result<(), Refused> {
    let cases = root.get("invalidVariantsOfBatch2");
    if !cases.is_given() {
        return Ok(());
    }
    let [_, honest, ..] = built else { return Err(root.get("batches").refused("two batches")) };
    for case in cases.some_items()? {
        Variant::read(&case, honest)?.answer(&case, world, honest, answers)?;
    }
    Ok(())
}

/// What the hub would commit.
struct Variant {
    leaves: Vec<RecordLeaf>,
    accounts: Accounts,
    hub_balance: Amount,
    published: Vec<Record>,
}

impl Variant {
    fn read(case: &Input<'_>, honest: &Built) -> Result<Self, Refused> {
        let mut leaves = honest.batch.leaves.clone();
        let mut accounts = honest.batch.accounts.clone();
        let hub_balance = Amount::from_micro(case.get("hubBalance").decimal()?);
        let given = case.get("leaf");
        if given.is_given() {
            let (index, leaf) = read_leaf(&given, leaves.len())?;
            let participant = leaf.record.participant();
            let extra = wide(leaf.amount) - wide(honest.batch.leaves[index].amount);
            let is_same = leaf.record == honest.batch.leaves[index].record;
            leaves[index] = leaf;
            if is_same && extra != 0 {
                shift(&mut leaves[index + 1..], participant, extra);
                let account = accounts.get(participant);
                let balance = narrow(wide(account.balance) + extra);
                accounts.set(participant, Account { balance, ..account });
            }
            let next = case.get("next");
            if next.is_given() {
                let count: u32 = case.get("count").integer("of 32 bits")?;
                let is_inserted = usize::try_from(count) == Ok(leaves.len() + 1);
                let (index, leaf) = read_leaf(&next, leaves.len() + usize::from(is_inserted))?;
                if is_inserted { leaves.insert(index, leaf) } else { leaves[index] = leaf }
            }
        }
        let hub = accounts.get(ParticipantNumber::HUB);
        accounts.set(ParticipantNumber::HUB, Account { balance: hub_balance, ..hub });
        let account = case.get("account");
        if account.is_given() {
            let participant = ParticipantNumber(account.get("participant").integer("of 32 bits")?);
            let balance = Amount::from_micro(account.get("balance").decimal()?);
            let payable_micro = account.get("payable").decimal()?;
            accounts.set(participant, Account { balance, payable_micro });
        }
        // The records are published as they are committed, but for the one that the document names.
        let mut published: Vec<Record> = leaves.iter().map(|leaf| leaf.record).collect();
        let other = case.get("publishedRecordAtIndex");
        if other.is_given() {
            let index: u32 = case.get("index").integer("of 32 bits")?;
            let place = usize::try_from(index).ok().and_then(|place| published.get_mut(place));
            let place = place.ok_or_else(|| case.get("index").refused("the index of a record"))?;
            *place = unpack(&other)?;
        }
        Ok(Self { leaves, accounts, hub_balance, published })
    }

    fn answer(
        self,
        case: &Input<'_>,
        world: &World,
        honest: &Built,
        answers: &mut Vec<Answer>,
    ) -> Result<(), Refused> {
        let accounts: Vec<AccountLeaf> = self.accounts.leaves().collect();
        let trees = (tree(&self.leaves, RecordLeaf::hash), tree(&accounts, AccountLeaf::hash));
        let (Some(record_tree), Some(account_tree)) = trees else {
            return Err(case.refused("a batch with records and accounts"));
        };
        let header = BatchHeader {
            count: u32::try_from(self.leaves.len()).map_err(|_| case.refused("fewer records"))?,
            record_root: record_tree.root(),
            account_root: account_tree.root(),
            hub_balance: self.hub_balance,
            ..honest.header.clone()
        };
        answer(answers, &case.get("recordRoot"), text(header.record_root));
        answer(answers, &case.get("accountRoot"), text(header.account_root));
        for name in ["leaf", "next"] {
            answer_path(&case.get(name), "index", &record_tree, answers)?;
        }
        answer_path(&case.get("account"), "participant", &account_tree, answers)?;

        let data = pack_calldata(self.published);
        let committed = CommittedBatch { header: &header, published: Published::Calldata(&data) };
        let answered = Answers {
            records: revealed(&record_tree, self.leaves),
            accounts: revealed(&account_tree, accounts),
        };
        let table = world.table(header.period, &case.get("name"))?;
        let verdict = judge(committed, &honest.parent, &world.reference(table), &answered);
        let (rule, proof) = match verdict {
            Verdict::Fraud(violation) => {
                (json!(violation.rule.to_string()), json!(violation.proof.call(header.data_kind)))
            }
            Verdict::Valid(_) | Verdict::Demand(_) => (Value::Null, Value::Null),
        };
        answer(answers, &case.get("rule"), rule);
        answer(answers, &case.get("proof"), proof);
        Ok(())
    }
}

fn answer_path(
    place: &Input<'_>,
    index: &str,
    tree: &Tree,
    answers: &mut Vec<Answer>,
) -> Result<(), Refused> {
    if place.is_given() {
        let index: u32 = place.get(index).integer("of 32 bits")?;
        let path = usize::try_from(index).ok().and_then(|index| tree.path(index));
        let path = path.ok_or_else(|| place.refused("something in the tree"))?;
        answer(answers, &place.get("path"), json!(path.iter().map(text).collect::<Vec<_>>()));
    }
    Ok(())
}

fn tree<L>(leaves: &[L], hash: impl Fn(&L) -> B256) -> Option<Tree> {
    Tree::new(leaves.iter().map(hash).collect())
}

/// Everything is revealed: these batches are small.
fn revealed<L: Clone>(tree: &Tree, leaves: Vec<L>) -> Revealed<L> {
    let groups = leaves.chunks(gridtally_settlement::GROUP_LEAVES).map(<[L]>::to_vec);
    Revealed { row: Some(tree.row().to_vec()), groups: (0..).zip(groups).collect() }
}

fn read_leaf(place: &Input<'_>, count: usize) -> Result<(usize, RecordLeaf), Refused> {
    let index: u32 = place.get("index").integer("of 32 bits")?;
    let index = usize::try_from(index).ok().filter(|&index| index < count);
    let index = index.ok_or_else(|| place.get("index").refused("the index of a record"))?;
    let amount = |key: &str| place.get(key).decimal().map(Amount::from_micro);
    let leaf = RecordLeaf {
        record: unpack(&place.get("record"))?,
        amount: amount("amount")?,
        balance_after: amount("balanceAfter")?,
        hub_after: amount("hubAfter")?,
    };
    Ok((index, leaf))
}

fn unpack(place: &Input<'_>) -> Result<Record, Refused> {
    Record::unpack(&place.bytes()?).map_err(|_| place.refused("ten bytes"))
}

/// Adds what a participant was paid too much to its later balances, and takes it from the hub's.
fn shift(leaves: &mut [RecordLeaf], participant: ParticipantNumber, extra: i128) {
    for leaf in leaves {
        if leaf.record.participant() == participant {
            leaf.balance_after = narrow(wide(leaf.balance_after) + extra);
        }
        leaf.hub_after = narrow(wide(leaf.hub_after) - extra);
    }
}

fn wide(amount: Amount) -> i128 {
    amount.micro().into()
}

/// Balances of the document are far from the ends of 64 bits; one beyond is no balance of a leaf.
fn narrow(micro: i128) -> Amount {
    Amount::from_micro(i64::try_from(micro).unwrap_or(i64::MAX))
}
