//! Random probes, a function for each proof and each answer: mostly right in all but one part, so that the rule itself is asked.

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_core::quantity::Amount;
use gridtally_ledger::{Call, DataEvidence, Demanded, ForceKey};
use gridtally_settlement::{
    AccountLeaf, BatchHeader, DataKind, FraudProof, GROUP_LEAVES, KeyGap, Opened, Record,
    RecordLeaf, SignedReading, Tree,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::super::hub::signed;
use super::super::town::{SLOTS, hostile, record};
use super::ground::{Ground, Honest, evidence};

/// Makes a probe; `None` where these batches have nothing to make it from.
type Probe = fn(&Ground, &mut ChaCha8Rng) -> Option<Call>;

pub(super) const PROBES: &[(&str, Probe)] = &[
    ("proveRecord", |g, r| fraud(g, r, |g, r, b| FraudProof::Record { leaf: leaf(g, r, b) })),
    ("provePair", |g, r| {
        fraud(g, r, |g, r, b| {
            let left = leaf(g, r, b);
            let right = after(g, r, b, &left).unwrap_or_else(|| leaf(g, r, b));
            FraudProof::Pair { left, right }
        })
    }),
    ("proveEdge", |g, r| {
        fraud(g, r, |g, r, b| {
            let edge = if r.random_bool(0.5) { 0 } else { b.leaves.len() - 1 };
            let leaf = if r.random_bool(0.7) { b.open(edge) } else { leaf(g, r, b) };
            FraudProof::Edge { leaf: moved(r, leaf) }
        })
    }),
    ("proveOpening", |g, r| {
        fraud(g, r, |g, r, b| {
            let leaf = if r.random_bool(0.7) { first(r, b) } else { leaf(g, r, b) };
            let old = old_account(g, r, b, leaf.leaf.record.participant().0);
            FraudProof::Opening { previous: before(g, r, b, &leaf), leaf, old }
        })
    }),
    ("proveAccount", |g, r| {
        fraud(g, r, |g, r, b| {
            let number = r.random_range(0..b.header.account_count);
            let new = account(g, r, b, number);
            let old = old_account(g, r, b, number);
            let end = b.leaves.partition_point(|leaf| leaf.record.participant().0 <= number);
            let right_last = end.checked_sub(1).map(|index| b.open(index));
            let last = if r.random_bool(0.85) { right_last } else { Some(leaf(g, r, b)) };
            let next = match &last {
                Some(last) => after(g, r, b, last),
                None => Some(b.open(0)),
            };
            FraudProof::Account { new, old, last, next }
        })
    }),
    ("proveCalldata or proveBlob", |g, r| {
        fraud(g, r, |g, r, b| FraudProof::Data { leaf: leaf(g, r, b) })
    }),
    ("proveDepositOmitted", |g, r| {
        let probe = |g: &Ground, r: &mut ChaCha8Rng, b: &Honest| {
            let right = leaf(g, r, b);
            let left = before(g, r, b, &right);
            FraudProof::DepositOmitted { entry: entry(g, r, b), left, right: Some(right) }
        };
        fraud_where(g, r, |b| b.has_deposit(), probe)
    }),
    ("proveExitIgnored", |g, r| {
        let is_exit = |b: &Honest| g.exits(b).next().is_some();
        fraud_where(g, r, is_exit, |g, r, b| {
            let exits: Vec<(u64, ParticipantNumber)> = g.exits(b).collect();
            let any =
                (entry(g, r, b), ParticipantNumber(r.random_range(0..b.header.account_count)));
            let is_right = !exits.is_empty() && r.random_bool(0.9);
            let (entry, number) =
                if is_right { exits[r.random_range(0..exits.len())] } else { any };
            let (account, old) = (account(g, r, b, number.0), old_account(g, r, b, number.0));
            FraudProof::ExitIgnored { entry, account, old }
        })
    }),
    ("proveForced", |g, r| {
        let is_correction = |b: &Honest| b.header.run > 0;
        fraud_where(g, r, is_correction, |g, r, b| FraudProof::Forced { leaf: leaf(g, r, b) })
    }),
    ("proveSnapshot", |g, r| {
        let b = if r.random_bool(0.9) { g.last_final() } else { any(g, r) };
        let number = r.random_range(0..b.header.account_count);
        let account = account(g, r, b, number);
        let element = usize::try_from(number / 2).unwrap();
        let element = if r.random_bool(0.9) { element } else { r.random_range(0..4) };
        let evidence = spoiled(r, evidence(&g.snapshot, &g.snapshot_openings, element)?);
        let part = u8::from(r.random_bool(0.1));
        Some(g.stage.ledger.prove_snapshot_call(&b.header, part, &account, evidence))
    }),
    ("forceReading of a settled reading", |g, r| {
        // Whatever is shown of the batch that has it, or of another one, it shows no gap.
        let b = &g.batches[r.random_range(0..2)];
        let mut settled =
            b.leaves.iter().filter(|leaf| (1..32).contains(&leaf.record.code().number()));
        let settled = settled.nth(r.random_range(0..8))?.record;
        let (left, right) = (leaf(g, r, b), leaf(g, r, b));
        let left = r.random_bool(0.9).then_some(left);
        let right = left.is_some().then_some(right);
        let gap = KeyGap { header: &b.header, parent: parent(g, r, b), left, right, section: None };
        Some(force(g, &gap, &settled, None))
    }),
    ("forceReading with another signature", |g, r| {
        let b = &g.batches[r.random_range(0..2)];
        let number = r.random_range(1..b.header.account_count);
        let missing = record(number, 1, r.random_range(0..SLOTS), 1_000);
        let period = b.header.period;
        let gap = KeyGap::find(&b.header, &b.parent, &b.leaves, &b.records, period, missing.key())?;
        let other = record(number, 1, missing.slot().0, r.random_range(1_001..9_000));
        Some(force(g, &gap, &missing, Some(&other)))
    }),
    ("refuteForce", |g, r| {
        let b = any(g, r);
        let leaf = leaf(g, r, b);
        let key = if r.random_bool(0.5) { leaf.leaf.record.key() } else { forced(g, r)?.key };
        let force = ForceKey { period: b.header.period, key };
        Some(g.stage.ledger.refute_force_call([&b.header], force, &leaf))
    }),
    ("acceptForce", |g, r| {
        let mut force = forced(g, r)?;
        if r.random_bool(0.3) {
            force.key ^= 1 << r.random_range(0..48);
        }
        Some(g.stage.ledger.accept_force_call(force))
    }),
    ("expire", |g, r| {
        let b = if r.random_bool(0.8) { g.demanded() } else { any(g, r) };
        let index = r.random_range(0..b.header.count + 2);
        let demanded = match r.random_range(0..6) {
            0 => Demanded::Record(index),
            1 => Demanded::Account(r.random_range(0..4)),
            2 => Demanded::RecordRow,
            3 => Demanded::AccountRow,
            4 => Demanded::RecordGroup(r.random_range(0..2)),
            _ => Demanded::AccountGroup(r.random_range(0..2)),
        };
        Some(g.stage.ledger.expire_call(&b.header, parent(g, r, b), demanded))
    }),
    ("answerRecord with something else", |g, r| {
        let b = g.demanded();
        let honest = b.open(b.leaves.len() - 1);
        let shown = leaf(g, r, b);
        let is_other = shown != honest;
        let domain = g.stage.ledger.deployment().domain();
        let header = &b.header;
        let reading = SignedReading::of_record(header.period, header.run, &shown.leaf.record);
        let signature = reading.map_or_else(Vec::new, |reading| signed(&reading, &domain));
        is_other.then(|| g.stage.ledger.answer_record_call(header, &shown, signature))
    }),
    ("answerAccount with something else", |g, r| {
        let b = g.demanded();
        let shown = account(g, r, b, 1);
        let is_other = shown != b.account(1);
        is_other.then(|| g.stage.ledger.answer_account_call(&b.header, &shown))
    }),
    ("answerRow with something else", |g, r| {
        let b = g.demanded();
        let is_records = r.random_bool(0.5);
        let (demanded, tree) = if is_records {
            (Demanded::RecordRow, &b.records)
        } else {
            (Demanded::AccountRow, &b.account_tree)
        };
        let groups = tree.leaves().chunks(GROUP_LEAVES);
        let mut row: Vec<B256> =
            groups.map(|group| Tree::new(group.to_vec()).unwrap().root()).collect();
        let place = r.random_range(0..row.len());
        match r.random_range(0..4) {
            0 => row[place][r.random_range(0..32)] ^= 1 << r.random_range(0..8),
            1 => row.push(row[place]),
            2 => row.truncate(place),
            _ => row = tree.leaves().to_vec(),
        }
        (row != [tree.root()]).then(|| g.stage.ledger.answer_row_call(&b.header, demanded, &row))
    }),
    ("answerGroup with something else", |g, r| {
        let b = g.demanded();
        let leaves = b.accounts.iter().flat_map(|leaf| leaf.preimage()[5..].to_vec());
        let mut leaves: Vec<u8> = leaves.collect();
        let place = r.random_range(0..leaves.len());
        let mut path = Vec::new();
        match r.random_range(0..4) {
            0 => leaves[place] ^= 1 << r.random_range(0..8),
            1 => leaves.truncate(place),
            2 => leaves.extend([0; 16]),
            _ => path.push(b.account_tree.root()),
        }
        let demanded = Demanded::AccountGroup(0);
        Some(g.stage.ledger.answer_group_call(&b.header, demanded, leaves, &path))
    }),
];

impl Honest {
    fn open(&self, index: usize) -> Opened<RecordLeaf> {
        let path = self.records.path(index).unwrap();
        Opened { index: u32::try_from(index).unwrap(), leaf: self.leaves[index], salt: None, path }
    }

    fn account(&self, number: u32) -> Opened<AccountLeaf> {
        let place = usize::try_from(number).unwrap();
        let path = self.account_tree.path(place).unwrap();
        Opened { index: number, leaf: self.accounts[place], salt: None, path }
    }

    fn has_deposit(&self) -> bool {
        self.leaves.iter().any(|leaf| leaf.record.code().number() == 0)
    }
}

impl Ground {
    /// Returns the requests to leave that a batch took in.
    fn exits(&self, b: &Honest) -> impl Iterator<Item = (u64, ParticipantNumber)> {
        let taken = b.parent.inbox_to..b.header.inbox_to;
        let entries =
            taken.map(|entry| (entry, &self.stage.town.inbox[usize::try_from(entry).unwrap()]));
        entries
            .filter(|(_, entry)| entry.kind == gridtally_settlement::InboxKind::Exit)
            .map(|(number, entry)| (number, entry.participant))
    }
}

/// Returns any batch, mostly a pending one.
fn any<'a>(g: &'a Ground, r: &mut ChaCha8Rng) -> &'a Honest {
    let first = if r.random_bool(0.9) { g.stage.finalized } else { 0 };
    &g.batches[r.random_range(first..g.batches.len())]
}

/// Makes a probe of a fraud proof against any batch.
fn fraud(
    g: &Ground,
    r: &mut ChaCha8Rng,
    probe: fn(&Ground, &mut ChaCha8Rng, &Honest) -> FraudProof,
) -> Option<Call> {
    let b = any(g, r);
    against(g, r, b, probe)
}

/// Makes a probe of a fraud proof, mostly against a batch of which it may say something.
fn fraud_where(
    g: &Ground,
    r: &mut ChaCha8Rng,
    fits: impl Fn(&Honest) -> bool,
    probe: fn(&Ground, &mut ChaCha8Rng, &Honest) -> FraudProof,
) -> Option<Call> {
    let pending = &g.batches[g.stage.finalized..];
    let fitting: Vec<&Honest> = pending.iter().filter(|b| fits(b)).collect();
    if fitting.is_empty() || r.random_bool(0.1) {
        return fraud(g, r, probe);
    }
    let b = fitting[r.random_range(0..fitting.len())];
    against(g, r, b, probe)
}

fn against(
    g: &Ground,
    r: &mut ChaCha8Rng,
    b: &Honest,
    probe: fn(&Ground, &mut ChaCha8Rng, &Honest) -> FraudProof,
) -> Option<Call> {
    let proof = probe(g, r, b);
    let table = if r.random_bool(0.95) { &b.table } else { &any(g, r).table };
    let data = match &proof {
        FraudProof::Data { leaf } => {
            let element = usize::try_from(leaf.index / 3).unwrap();
            let element = if r.random_bool(0.9) { element } else { r.random_range(0..4) };
            Some(spoiled(r, b.evidence(element)?))
        }
        _ => None,
    };
    let mut header = b.header.clone();
    if r.random_bool(0.04) {
        disguise(&mut header, r);
    }
    g.stage.ledger.prove_call(&proof, &header, parent(g, r, b), table, data)
}

/// Changes a header, which is then another one than the chain has.
fn disguise(header: &mut BatchHeader, r: &mut ChaCha8Rng) {
    match r.random_range(0..6) {
        0 => header.seq ^= 1,
        1 => header.hub_balance = Amount::from_micro(hostile(r, header.hub_balance.micro())),
        2 => header.first_key ^= 1,
        3 => header.tariff_hash = B256::from(r.random::<[u8; 32]>()),
        4 => header.record_root = header.account_root,
        _ => header.data_kind = DataKind::SealedBlob,
    }
}

fn parent<'a>(g: &'a Ground, r: &mut ChaCha8Rng, b: &'a Honest) -> &'a BatchHeader {
    if r.random_bool(0.95) { &b.parent } else { &any(g, r).header }
}

/// Returns a record of the batch, sometimes one of another one, and sometimes changed.
fn leaf(g: &Ground, r: &mut ChaCha8Rng, b: &Honest) -> Opened<RecordLeaf> {
    let b = if r.random_bool(0.95) { b } else { any(g, r) };
    let opened = b.open(r.random_range(0..b.leaves.len()));
    moved(r, opened)
}

/// Sometimes changes a place, a path or a number.
fn moved(r: &mut ChaCha8Rng, mut opened: Opened<RecordLeaf>) -> Opened<RecordLeaf> {
    let leaf = &mut opened.leaf;
    match r.random_range(0..60) {
        0 => opened.index ^= 1,
        1 => opened.index = r.random(),
        2 => opened.index = u32::MAX,
        3 => leaf.amount = Amount::from_micro(hostile(r, leaf.amount.micro())),
        4 => leaf.balance_after = Amount::from_micro(hostile(r, leaf.balance_after.micro())),
        5 => leaf.hub_after = Amount::from_micro(hostile(r, leaf.hub_after.micro())),
        6 => leaf.record = Record::unpack(&r.random::<[u8; Record::LENGTH]>()).unwrap(),
        7 => drop(opened.path.pop()),
        8 => opened.path.push(B256::ZERO),
        9 => opened.path.reverse(),
        _ => {}
    }
    opened
}

/// Returns the first record of any participant that has one.
fn first(r: &mut ChaCha8Rng, b: &Honest) -> Opened<RecordLeaf> {
    let number = b.leaves[r.random_range(0..b.leaves.len())].record.participant();
    b.open(b.leaves.partition_point(|leaf| leaf.record.participant() < number))
}

/// Returns the record after this one, mostly; none after the last.
fn after(
    g: &Ground,
    r: &mut ChaCha8Rng,
    b: &Honest,
    left: &Opened<RecordLeaf>,
) -> Option<Opened<RecordLeaf>> {
    let index = usize::try_from(left.index).unwrap().saturating_add(1);
    match r.random_range(0..30) {
        0 => Some(leaf(g, r, b)),
        1 => None,
        _ => (index < b.leaves.len()).then(|| moved(r, b.open(index))),
    }
}

/// Returns the record before this one, mostly; none before the first.
fn before(
    g: &Ground,
    r: &mut ChaCha8Rng,
    b: &Honest,
    right: &Opened<RecordLeaf>,
) -> Option<Opened<RecordLeaf>> {
    let index = usize::try_from(right.index).unwrap().checked_sub(1);
    match r.random_range(0..30) {
        0 => Some(leaf(g, r, b)),
        1 => None,
        _ => index.filter(|&index| index < b.leaves.len()).map(|index| moved(r, b.open(index))),
    }
}

/// Returns an account of the batch, sometimes of another one, and sometimes changed.
fn account(g: &Ground, r: &mut ChaCha8Rng, b: &Honest, number: u32) -> Opened<AccountLeaf> {
    let b = if r.random_bool(0.95) { b } else { any(g, r) };
    let is_right = number < b.header.account_count && r.random_bool(0.95);
    let number = if is_right { number } else { r.random_range(0..b.header.account_count) };
    let mut opened = b.account(number);
    let leaf = &mut opened.leaf;
    match r.random_range(0..40) {
        0 => opened.path.push(B256::ZERO),
        1 => drop(opened.path.pop()),
        2 => leaf.balance = Amount::from_micro(hostile(r, leaf.balance.micro())),
        3 => leaf.payable_micro ^= 1 << r.random_range(0..64),
        4 => leaf.participant.0 ^= 1,
        _ => {}
    }
    opened
}

/// Returns the account before the batch, mostly; none for one that is new.
fn old_account(
    g: &Ground,
    r: &mut ChaCha8Rng,
    b: &Honest,
    number: u32,
) -> Option<Opened<AccountLeaf>> {
    if number >= b.parent.account_count || r.random_bool(0.03) {
        return None;
    }
    let hash = b.parent.hash();
    let parent = g.batches.iter().find(|other| other.header.hash() == hash)?;
    Some(account(g, r, parent, number))
}

/// Returns the number of an entry, mostly of one that the batch took in.
fn entry(g: &Ground, r: &mut ChaCha8Rng, b: &Honest) -> u64 {
    let taken = b.parent.inbox_to..b.header.inbox_to;
    if taken.is_empty() || r.random_bool(0.1) {
        return r.random_range(0..g.stage.town.inbox.len() as u64 + 2);
    }
    r.random_range(taken)
}

/// Sometimes changes what is shown of published data.
fn spoiled<'a>(r: &mut ChaCha8Rng, evidence: DataEvidence<'a>) -> DataEvidence<'a> {
    match evidence {
        DataEvidence::Calldata(data) => {
            let end = if r.random_bool(0.95) { data.len() } else { r.random_range(0..data.len()) };
            DataEvidence::Calldata(&data[..end])
        }
        DataEvidence::Blob { versioned_hashes, mut opening } => {
            match r.random_range(0..20) {
                0 => opening.element[31] ^= 1,
                1 => opening.proof[47] ^= 1,
                2 => opening.commitment[47] ^= 1,
                _ => {}
            }
            DataEvidence::Blob { versioned_hashes, opening }
        }
    }
}

/// Returns a reading that was forced.
fn forced(g: &Ground, r: &mut ChaCha8Rng) -> Option<ForceKey> {
    let keys = &g.stage.town.forced_keys;
    let (period, key): (SettlementPeriod, u64) = *keys.get(r.random_range(0..keys.len().max(1)))?;
    Some(ForceKey { period, key })
}

/// Forces a reading with what its meter signed, or with what it signed of another one.
fn force(g: &Ground, gap: &KeyGap<'_>, missing: &Record, other: Option<&Record>) -> Call {
    let ledger = &g.stage.ledger;
    let period = gap.header.period;
    let reading = SignedReading::of_record(period, 0, other.unwrap_or(missing)).unwrap();
    let signature = signed(&reading, &ledger.deployment().domain());
    let table = &g.stage.town.tables[&period];
    ledger.force_reading_call(gap, period, missing, signature, table)
}
