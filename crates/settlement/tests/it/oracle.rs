//! The rule engine against an auditor in another language (`fixtures/auditor/audit.py`): the same verdicts, header hashes and balances over
//! random ledgers with deposits, exits, withdrawals, corrections, reversals, rewinds and frauds, and an escrow that adds up.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use gridtally_settlement::{AccountLeaf, BatchHeader, InboxKind};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::judge::state_of;
use crate::mutation::ways;
use crate::size::times;
use crate::town::{Committed, Data, SLOTS, Town};
use crate::watcher::{Outcome, watch};

/// Ledgers on each commit.
const LEDGERS: u32 = 4;
/// Batches of a ledger, cancelled ones too.
const BATCHES: u32 = 12;
/// Frauds beside each batch.
const FRAUDS: u32 = 2;

/// What the rule engine says of a batch.
enum Engine {
    Valid(Vec<AccountLeaf>),
    Breaks(u8),
    CannotBeOpened,
}

/// What a ledger wrote down, and what the auditor must answer.
#[derive(Default)]
struct Book {
    lines: Vec<Value>,
    expected: Vec<(Engine, String)>,
    tariffs: u32,
    entries: usize,
    forced: usize,
    rewinds: u32,
    corrections: u32,
}

#[test]
fn the_engine_and_an_auditor_in_another_language_agree() {
    let (mut batches, mut valid, mut rewinds, mut corrections) = (0, 0, 0, 0);
    let mut lines = Vec::new();
    let mut expected = Vec::new();
    for seed in 0..LEDGERS * times() {
        let (book, escrow) = ledger(u64::from(seed));
        (rewinds, corrections) = (rewinds + book.rewinds, corrections + book.corrections);
        lines.extend(book.lines);
        lines.push(json!({ "end": {} }));
        expected.push((seed, book.expected, escrow));
    }
    let answers = audited(&lines);
    let mut answers = answers.iter();
    for (seed, verdicts, escrow) in expected {
        for (engine, hash) in verdicts {
            let answer = answers.next().unwrap();
            let context = format!("seed {seed}: {answer}");
            assert_eq!(answer["hash"], json!(hash), "{context}");
            let broken: Vec<u64> = serde_json::from_value(answer["broken"].clone()).unwrap();
            batches += 1;
            match engine {
                Engine::Valid(accounts) => {
                    assert_eq!(broken, [0; 0], "{context}");
                    let held: Vec<(i64, u64)> =
                        serde_json::from_value(answer["accounts"].clone()).unwrap();
                    let of = |leaf: &AccountLeaf| (leaf.balance.micro(), leaf.payable_micro);
                    assert_eq!(held, accounts.iter().map(of).collect::<Vec<_>>(), "{context}");
                    valid += 1;
                }
                Engine::Breaks(rule) => assert!(broken.contains(&rule.into()), "{rule} {context}"),
                Engine::CannotBeOpened => assert!(!broken.is_empty(), "{context}"),
            }
        }
        let end = answers.next().unwrap();
        assert_eq!(end["escrow"], json!(escrow), "seed {seed}: to the last unit");
    }
    assert!(answers.next().is_none());
    assert!(
        rewinds >= times() && corrections >= times(),
        "{rewinds} rewinds, {corrections} corrections"
    );
    println!(
        "proved: the rule engine and the auditor in Python agree on {batches} batches of {} ledgers, {valid} of them valid, with \
         {corrections} correction runs and {rewinds} rewinds; escrow adds up to the last unit",
        LEDGERS * times()
    );
}

/// Lets a town live, and returns what is written down of it and what it holds in the end, micro-units.
fn ledger(seed: u64) -> (Book, u64) {
    let mut town = Town::new(1_000 + seed);
    town.reverses = true;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut book = Book::default();
    let numbers = 1..=town.participants;
    let activity = numbers.map(|number| {
        let activity =
            town.activities.of(gridtally_core::party::ParticipantNumber(number)).unwrap();
        json!([activity.first.0, activity.last.0])
    });
    let participants: Vec<Value> = activity.collect();
    book.lines.push(json!({ "town": { "slots": SLOTS, "participants": participants } }));
    let mut states = vec![town.state.clone()];
    for _ in 0..BATCHES {
        let honest = town.next_batch();
        let table = town.table(honest.header.period);
        book.learn(&town);
        let ways: Vec<_> = ways().collect();
        for _ in 0..FRAUDS {
            let mut fraud = honest.clone();
            if ways[random.random_range(0..ways.len())].apply(&mut fraud, &mut random) {
                // So the chain completes it.
                if fraud.header.run == 0 {
                    fraud.header.reg_last_key = fraud.header.last_key;
                }
                // And it gives back no entries, and takes none that nobody made.
                let inbox_to = town.state.header().inbox_to..=town.inbox.len() as u64;
                if inbox_to.contains(&fraud.header.inbox_to) {
                    let outcome = watch(&fraud, &town.state, &town, &table).0;
                    book.write(&fraud, outcome, false);
                }
            }
        }
        let outcome = watch(&honest, &town.state, &town, &table).0;
        book.write(&honest, outcome, true);
        book.corrections += u32::from(honest.header.run > 0);
        town.state = state_of(&honest);
        states.push(town.state.clone());
        // A fraud among the pending ones takes all that came after it down.
        if states.len() > 3 && random.random_bool(0.2) {
            let kept = states.len() - random.random_range(1..3);
            states.truncate(kept);
            town.state = states[kept - 1].clone();
            book.lines.push(json!({ "rewind": { "seq": town.state.header().seq } }));
            book.rewinds += 1;
        }
    }
    let deposits = town.inbox.iter().map(|entry| match entry.kind {
        InboxKind::Deposit(amount) => u64::try_from(amount.micro()).unwrap(),
        InboxKind::Exit => 0,
    });
    (book, deposits.sum())
}

impl Book {
    /// Writes down what the chain learned since the last batch.
    fn learn(&mut self, town: &Town) {
        for (period, table) in
            town.tables.range(gridtally_core::period::SettlementPeriod(self.tariffs + 1)..)
        {
            let table = format!("0x{}", hex::encode(table.pack()));
            self.lines.push(json!({ "tariff": { "period": period.0, "table": table } }));
            self.tariffs = period.0;
        }
        for entry in &town.inbox[self.entries..] {
            let participant = entry.participant.0;
            self.lines.push(match entry.kind {
                InboxKind::Deposit(amount) => {
                    json!({ "inbox": { "participant": participant, "amount": amount.micro() } })
                }
                InboxKind::Exit => json!({ "inbox": { "participant": participant } }),
            });
        }
        self.entries = town.inbox.len();
        for &(period, key) in &town.forced_keys[self.forced..] {
            let until = town.forced_readings.correct_until_s(period, key);
            self.lines
                .push(json!({ "forced": { "period": period.0, "key": key, "until": until } }));
        }
        self.forced = town.forced_keys.len();
    }

    fn write(&mut self, batch: &Committed, outcome: Outcome, stands: bool) {
        let Committed { header, leaves, accounts, data, .. } = batch;
        let data = match data {
            Data::Calldata(data) => data.clone(),
            Data::Blobs(blobs) => blobs[0][..leaves.len().div_ceil(3) * 32].to_vec(),
        };
        let record = |leaf: &gridtally_settlement::RecordLeaf| {
            json!([
                format!("0x{}", hex::encode(leaf.record.pack())),
                leaf.amount.micro(),
                leaf.balance_after.micro(),
                leaf.hub_after.micro(),
            ])
        };
        let account = |leaf: &AccountLeaf| {
            json!([leaf.participant.0, leaf.balance.micro(), leaf.payable_micro])
        };
        self.lines.push(json!({ "batch": {
            "header": header_of(header),
            "data": format!("0x{}", hex::encode(data)),
            "leaves": leaves.iter().map(record).collect::<Vec<_>>(),
            "accounts": accounts.iter().map(account).collect::<Vec<_>>(),
            "stands": stands,
        } }));
        let engine = match outcome {
            Outcome::Valid(state) => Engine::Valid(state.accounts().leaves().collect()),
            Outcome::Fraud(violation) => Engine::Breaks(violation.rule.number()),
            Outcome::Unanswerable(_) => Engine::CannotBeOpened,
        };
        self.expected.push((engine, header.hash().to_string()));
    }
}

fn header_of(header: &BatchHeader) -> Value {
    json!({
        "seq": header.seq,
        "parent": header.parent,
        "period": header.period.0,
        "run": header.run,
        "part": header.part,
        "count": header.count,
        "firstKey": header.first_key,
        "lastKey": header.last_key,
        "regPeriod": header.reg_period.0,
        "regLastKey": header.reg_last_key,
        "lastRun": header.last_run,
        "recordRoot": header.record_root,
        "accountRoot": header.account_root,
        "accountCount": header.account_count,
        "hubBalance": header.hub_balance.micro(),
        "inboxTo": header.inbox_to,
        "tariffHash": header.tariff_hash,
        "dataHash": header.data_hash,
        "dataKind": header.data_kind as u8,
        "committedAt": header.committed_at,
    })
}

/// Returns a line of the auditor for each batch and each end.
fn audited(lines: &[Value]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/auditor/audit.py");
    let mut python = Command::new("python3");
    python.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut auditor = python.spawn().expect("python3 starts");
    let mut input = auditor.stdin.take().unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = auditor.wait_with_output().unwrap();
    writer.join().unwrap().expect("the auditor reads to the end");
    assert!(output.status.success(), "the auditor ended: {}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
