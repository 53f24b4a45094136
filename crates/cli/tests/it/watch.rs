//! `gridtally watch` against a chain of the real binary: an honest batch, then one that is wrong.

use std::sync::Arc;

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementCalendar, SettlementPeriod, Slot};
use gridtally_core::quantity::{Amount, Price};
use gridtally_ledger::{
    BatchArchive, BatchEntry, BatchEvent, BatchLedger, BatchOffices, BatchTerms, BlobSidecar,
    Client, EndpointOptions, FollowOptions, GasMeasurements, Key, SendOptions, Sender, TokenChoice,
    Watcher,
};
use gridtally_settlement::{
    Account, Activities, Batch, BatchHeader, BatchPlan, Code, ForcedReadings, InboxRange,
    LedgerState, Record, Reference, SignedReading, TariffTable, build_batch, pack_blobs,
    pack_calldata, pack_snapshot,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::run::Terminal;
use crate::server::Server;

const DAY_S: u32 = 86_400;
/// What a cancelled batch costs, micro-units.
const SLASH_MICRO: u64 = 1_000_000;

/// A ledger without households: its batches show that the hub is alive.
pub(crate) struct Heart {
    pub(crate) server: Server,
    pub(crate) ledger: BatchLedger,
    sender: Sender,
    table: TariffTable,
    state: LedgerState,
    /// Where records are published.
    is_in_blobs: bool,
}

impl Heart {
    pub(crate) async fn new(terminal: &Terminal) -> Self {
        let server = Server::start(terminal, "chain --listen 127.0.0.1:0");
        let endpoint = server.report["endpoint"].as_str().unwrap();
        let client = Client::connect(endpoint, None, EndpointOptions::default()).await.unwrap();
        let sender =
            Sender::new(client.clone(), Key::test_account(0).unwrap(), SendOptions::default());
        let auditor = Key::test_account(2).unwrap();
        let now_s = i64::try_from(client.block_latest().await.unwrap().timestamp).unwrap();
        let genesis = Timestamp::from_second(now_s).unwrap();
        let terms = BatchTerms {
            offices: BatchOffices::all_held_by(sender.address()).audited_by(auditor.address()),
            calendar: SettlementCalendar::new(genesis, DAY_S, 1).unwrap(),
            slash_unit_micro: SLASH_MICRO,
            demand_bond_micro: 1_000,
        };
        let token = TokenChoice::Demonstration { owner: sender.address() };
        let mut measured = GasMeasurements::default();
        let ledger = BatchLedger::deploy(&sender, terms, token, &mut measured).await.unwrap();
        let row = vec![Price::from_micro_per_kwh(1)];
        let table = TariffTable::new(1, [(Code::CONSUMPTION, row)].into()).unwrap();
        for call in [
            ledger.mint_call(sender.address(), 10 * SLASH_MICRO),
            ledger.approve_call(10 * SLASH_MICRO),
            ledger.bond_call(10 * SLASH_MICRO),
            ledger.publish_tariff_call(SettlementPeriod(1), &table),
            ledger.publish_tariff_call(SettlementPeriod(2), &table),
            // Participant 1, whose address is the second development account.
            ledger.register_one_call(
                Key::test_account(2).unwrap().address(),
                Key::test_account(1).unwrap().address(),
                SettlementPeriod(1),
            ),
        ] {
            sender.send(call).await.unwrap();
        }
        server.ask("evm_increaseTime", json!([3 * DAY_S + 60]));
        server.ask("evm_mine", json!([]));
        Self { server, ledger, sender, table, state: LedgerState::genesis(), is_in_blobs: false }
    }

    /// Commits the heartbeat of a period, with a hub that claims to hold `hub_micro`.
    async fn commit(&mut self, period: u32, hub_micro: i64) {
        let withdrawal = Code::new(63).unwrap();
        let record = Record::new(ParticipantNumber::HUB, withdrawal, Slot(0), 0);
        let records = vec![record.unwrap()];
        let plan = BatchPlan {
            period: SettlementPeriod(period),
            run: 0,
            part: 0,
            account_count: 1,
            inbox_to: 0,
            records: records.clone(),
        };
        let (activities, inbox) = (Activities::default(), InboxRange { first: 0, entries: &[] });
        let forced = ForcedReadings::default();
        let reference =
            Reference { table: &self.table, activities: &activities, inbox, forced: &forced };
        let batch: Batch = build_batch(&plan, &self.state, &reference).unwrap();
        let mut commitment = batch.commitment.clone();
        commitment.hub_balance = Amount::from_micro(hub_micro);
        let call = if self.is_in_blobs {
            let sidecar = BlobSidecar::new(&pack_blobs(&records)).unwrap();
            self.ledger.commit_blobs_call(&commitment, Arc::new(sidecar))
        } else {
            self.ledger.commit_calldata_call(&commitment, pack_calldata(records))
        };
        let receipt = self.sender.send(call).await.unwrap();
        let entries = BatchEntry::all_of(&receipt, &[self.ledger.deployment().core]).unwrap();
        let header: Option<BatchHeader> = entries.into_iter().find_map(|entry| match entry.event {
            BatchEvent::Committed { header, .. } => Some(*header),
            _ => None,
        });
        self.state = batch.into_state(header.unwrap());
    }

    fn watch(&self, arguments: &str) -> String {
        let endpoint = self.server.report["endpoint"].as_str().unwrap();
        let contract = self.ledger.deployment().core;
        format!("watch --once --endpoint {endpoint} --contract {contract} {arguments}")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_batch_is_seen_then_struck_down() {
    // The second development account, whose key everybody knows.
    let key = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
    let terminal = Terminal::new().variable("SETTLEMENT_KEY", key);
    let mut heart = Heart::new(&Terminal::new()).await;
    heart.commit(1, 0).await;
    let looked = terminal.output(&heart.watch(""));
    let text = String::from_utf8(looked.stdout).unwrap();
    assert!(looked.status.success(), "{text}{}", String::from_utf8_lossy(&looked.stderr));
    assert!(text.starts_with("batch 1: valid, 1 record\n"), "{text}");
    assert!(text.ends_with("batches: 1, final: 0: all valid\n"), "{text}");

    for block in ["9", "99999"] {
        let late = terminal.output(&heart.watch(&format!("--from-block {block}")));
        let messages = String::from_utf8_lossy(&late.stderr).into_owned();
        assert_eq!(late.status.code(), Some(1), "{block}: {messages}");
        assert!(messages.contains("[watch-begins-late]"), "{block}: {messages}");
    }

    heart.commit(2, 5).await;
    let looked = terminal.output(&heart.watch("--output json"));
    assert_eq!(looked.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&looked.stdout).unwrap();
    assert_eq!((&report["sound"], &report["batches"]), (&json!(false), &json!(2)));
    let finding = &report["findings"][1];
    assert_eq!((&finding["rule"], &finding["outcome"]), (&json!("R7"), &json!("seen")));

    let looked = terminal.output(&heart.watch("--act --output json"));
    let report: Value = serde_json::from_slice(&looked.stdout).unwrap();
    let finding = &report["findings"][1];
    assert_eq!(finding["outcome"], "cancelled", "{report}");
    let transaction: B256 = finding["transaction"].as_str().unwrap().parse().unwrap();
    let receipt = heart.server.ask("eth_getTransactionReceipt", json!([transaction]));
    assert_eq!(receipt["status"], "0x1");

    let looked = terminal.output(&heart.watch("--output json"));
    let report: Value = serde_json::from_slice(&looked.stdout).unwrap();
    assert_eq!((&report["sound"], &report["batches"]), (&json!(true), &json!(1)), "{report}");

    // Half of what the hub lost was credited to whoever sent the proof.
    let collect = heart.about("claim", "--collect");
    let (code, out, messages) = run(&terminal, &format!("{collect} --dry-run"));
    assert_eq!(code, Some(0), "{messages}");
    assert!(out.contains(": 0.500000\nnothing was sent\n"), "{out}");
    let (code, out, messages) = run(&terminal, &collect);
    assert_eq!(code, Some(0), "{messages}");
    assert!(out.contains(": 0.500000\ndone by 0x"), "{out}");
    let (code, _, messages) = run(&terminal, &collect);
    assert_eq!(code, Some(1), "{messages}");
    assert!(messages.contains("credited nothing to 0x7099"), "{messages}");
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let terminal = Terminal::new();
    let server = Server::start(&terminal, "chain --listen 127.0.0.1:0");
    let endpoint = server.report["endpoint"].as_str().unwrap();
    let nobody = "0x00000000000000000000000000000000000000aa";
    let cases = [
        (format!("watch --once --contract {nobody}"), 2),
        (format!("watch --once --contract {nobody} --endpoint {endpoint}"), 1),
        (format!("watch --once --contract 0x12 --endpoint {endpoint}"), 2),
        (format!("watch --once --contract {nobody} --endpoint http://127.0.0.1:1"), 3),
        // A mistyped archive would look like one without the batch.
        (format!("watch --once --contract {nobody} --endpoint {endpoint} --archive nowhere"), 3),
    ];
    for (arguments, code) in cases {
        let output = terminal.output(&arguments);
        let messages = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {messages}");
        assert!(!messages.contains('\u{1b}'), "no colors where there is no terminal: {messages}");
    }
}

impl Heart {
    /// Lets the window of every batch pass, and makes the next one final.
    async fn finalize(&self) {
        self.server.ask("evm_increaseTime", json!([8 * DAY_S]));
        self.server.ask("evm_mine", json!([]));
        self.sender.send(self.ledger.finalize_call(self.state.header())).await.unwrap();
    }

    /// Returns a command about this contract.
    pub(crate) fn about(&self, command: &str, arguments: &str) -> String {
        let endpoint = self.server.report["endpoint"].as_str().unwrap();
        let contract = self.ledger.deployment().core;
        format!("{command} --endpoint {endpoint} --contract {contract} {arguments}")
    }
}

pub(crate) fn run(terminal: &Terminal, line: &str) -> (Option<i32>, String, String) {
    let output = terminal.output(line);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_proved_to_its_owner_offline_and_with_one_question() {
    let terminal = Terminal::new();
    let mut heart = Heart::new(&Terminal::new()).await;
    heart.commit(1, 0).await;
    let wanted = "--participant 0 --period 1 --slot 0 --out record.json";
    let (code, out, messages) = run(&terminal, &heart.about("export proof", wanted));
    assert_eq!(code, Some(0), "{out}{messages}");
    assert!(out.contains("batch 1, pending: only final counts"), "{out}");
    let (code, _, messages) = run(&terminal, &heart.about("export proof", wanted));
    assert_eq!(code, Some(3), "an existing file is not overwritten: {messages}");
    assert!(messages.contains("Name another file"), "{messages}");

    let (code, out, messages) = run(&terminal, "verify --proof record.json");
    assert_eq!(code, Some(0), "{out}{messages}");
    assert!(out.contains("record 0 of 1") && out.contains("final    not asked"), "{out}");
    let endpoint = heart.server.report["endpoint"].as_str().unwrap().to_owned();
    let online = format!("verify --proof record.json --endpoint {endpoint}");
    let (code, out, messages) = run(&terminal, &online);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("final    NO") && messages.contains("not final"), "{out}{messages}");

    let (code, _, messages) = run(&terminal, &heart.about("export header", "--out header.json"));
    assert_eq!(code, Some(1), "{messages}");
    heart.finalize().await;
    let (code, out, messages) = run(&terminal, &online);
    assert_eq!(code, Some(0), "{out}{messages}");
    assert!(out.contains("final    yes, through 1 header"), "{out}");
    let (code, _, messages) = run(&terminal, &heart.about("export header", "--out header.json"));
    assert_eq!(code, Some(0), "{messages}");
    let offline = "verify --proof record.json --header header.json --output json";
    let (code, out, messages) = run(&terminal, offline);
    assert_eq!(code, Some(0), "{out}{messages}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["is_final"], &report["batch"]), (&json!(true), &json!(1)));

    // Whoever made a proof may have made the contract too: the owner names the one that counts.
    let contract = heart.ledger.deployment().core;
    assert!(out.contains(&contract.to_string()), "{out}");
    let (code, out, messages) = run(&terminal, &format!("{online} --contract {contract}"));
    assert_eq!(code, Some(0), "{messages}");
    assert!(out.contains(&format!("contract {contract} on chain 31337")), "{out}");
    let other = "0x00000000000000000000000000000000000000aa";
    for way in [&online, "verify --proof record.json", offline] {
        let (code, out, messages) = run(&terminal, &format!("{way} --contract {other}"));
        assert_eq!((code, out.as_str()), (Some(1), ""), "{messages}");
        assert!(messages.contains("not about 0x00"), "{messages}");
    }

    // One digit of an amount, one of a path, a field too many.
    let proof: Value =
        serde_json::from_slice(&std::fs::read(terminal.path("record.json")).unwrap()).unwrap();
    for (field, value) in [
        ("balance_after_micro", json!("7")),
        ("amount_micro", json!("-1")),
        ("participant", json!(1)),
        ("index", json!(1)),
        ("headers", json!([])),
        ("surplus", json!(1)),
        ("format", json!("another")),
    ] {
        let mut changed = proof.clone();
        changed[field] = value;
        std::fs::write(terminal.path("changed.json"), changed.to_string()).unwrap();
        let (code, out, messages) = run(&terminal, "verify --proof changed.json");
        assert_eq!((code, out.as_str()), (Some(1), ""), "{field}: {messages}");
        assert!(messages.contains("changed.json"), "{field}: {messages}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_claimed_is_told_and_nothing_is_sent_without_need() {
    let terminal = Terminal::new();
    let mut heart = Heart::new(&Terminal::new()).await;
    heart.commit(1, 0).await;
    let claim = heart.about("claim", "--participant 0 --dry-run");
    let (code, _, messages) = run(&terminal, &claim);
    assert_eq!(code, Some(1), "{messages}");
    assert!(messages.contains("no final account"), "{messages}");
    heart.finalize().await;
    let (code, out, messages) = run(&terminal, &claim);
    assert_eq!(code, Some(0), "{messages}");
    assert!(out.starts_with("participant 0: 0.000000 to 0x"), "{out}");
    assert!(out.ends_with("nothing was sent\n"), "{out}");
    let (code, _, messages) = run(&terminal, &heart.about("claim", "--participant 0 --exit"));
    assert_ne!(code, Some(0));
    assert!(messages.contains("key") || messages.contains("not frozen"), "{messages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_whose_hub_has_stopped_is_frozen_and_gives_deposits_back() {
    let key = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
    let terminal = Terminal::new().variable("SETTLEMENT_KEY", key);
    let mut heart = Heart::new(&Terminal::new()).await;
    heart.commit(1, 0).await;
    heart.finalize().await;
    let deposit = heart.ledger.deposit_call(ParticipantNumber::HUB, 2_500_000);
    heart.sender.send(heart.ledger.mint_call(heart.sender.address(), 2_500_000)).await.unwrap();
    heart.sender.send(heart.ledger.approve_call(2_500_000)).await.unwrap();
    heart.sender.send(deposit).await.unwrap();
    // Somebody pays in for a participant whose address is not known yet.
    let hub = heart.sender.address();
    let calls = [
        heart.ledger.register_call(&[hub], SettlementPeriod(20)),
        heart.ledger.mint_call(hub, 1_000_000),
        heart.ledger.approve_call(1_000_000),
        heart.ledger.deposit_call(ParticipantNumber(2), 1_000_000),
    ];
    for call in calls {
        heart.sender.send(call).await.unwrap();
    }
    let claim = heart.about("claim", "--participant 0,0,2 --exit --freeze");
    let (code, _, messages) = run(&terminal, &claim);
    assert_eq!(code, Some(1), "the hub may come back: {messages}");
    assert!(messages.contains("28 days after"), "{messages}");

    heart.server.ask("evm_increaseTime", json!([30 * DAY_S]));
    heart.server.ask("evm_mine", json!([]));
    let (code, out, messages) = run(&terminal, &claim);
    assert_eq!(code, Some(0), "{out}{messages}");
    assert!(out.contains("participant 0: 2.500000 of deposit 0"), "{out}");
    assert_eq!(out.matches("done by 0x").count(), 2, "freeze and reclaim: {out}");
    let (code, out, messages) = run(&terminal, &claim);
    assert_eq!(code, Some(1), "paid once: {out}{messages}");
    assert!(messages.contains("participant 2 has no address"), "{messages}");
    let (code, out, messages) = run(&terminal, &heart.watch(""));
    assert_eq!(code, Some(0), "{messages}");
    assert!(out.ends_with("batches: 1, final: 1: all valid\n"), "{out}");
    assert!(out.contains("\nFROZEN: its hub had stopped"), "{out}");
}

/// Blobs leave the chain after 18 days, and a ledger is frozen after 28: who takes money out then needs an archive or a snapshot,
/// and was told that there is no account.
#[tokio::test(flavor = "multi_thread")]
async fn what_lies_behind_blobs_that_are_gone_is_named_and_a_snapshot_helps() {
    let terminal = Terminal::new();
    // The chain keeps blobs in its folder.
    let mut heart = Heart::new(&terminal).await;
    heart.is_in_blobs = true;
    heart.commit(1, 0).await;
    heart.finalize().await;
    let claim = heart.about("claim", "--participant 0 --dry-run");
    let (code, _, messages) = run(&terminal, &claim);
    assert_eq!(code, Some(0), "{messages}");
    let accounts = [Account { balance: Amount::ZERO, payable_micro: 0 }];
    let snapshot =
        heart.ledger.commit_snapshot_call(heart.state.header(), 0, pack_snapshot(accounts));
    heart.sender.send(snapshot).await.unwrap();
    heart.server.ask("evm_increaseTime", json!([30 * DAY_S]));
    heart.server.ask("evm_mine", json!([]));

    let export = "--participant 0 --period 1 --slot 0 --out record.json";
    for (line, said) in [
        (claim.clone(), "batch 1: its published data cannot be found"),
        (heart.watch(""), "batch 1: its published data cannot be found"),
        (heart.about("export proof", export), "nobody has what batch 1 published"),
    ] {
        let (code, _, messages) = run(&terminal, &line);
        assert_eq!(code, Some(1), "{line}: {messages}");
        assert!(messages.contains(said) && messages.contains("--archive"), "{line}: {messages}");
    }
    let (code, out, messages) = run(&terminal, &format!("{claim} --from-snapshot"));
    assert_eq!(code, Some(0), "{messages}");
    assert!(out.starts_with("participant 0: 0.000000 to 0x"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_pays_in_and_asks_to_leave() {
    let key = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
    let terminal = Terminal::new().variable("SETTLEMENT_KEY", key);
    let heart = Heart::new(&Terminal::new()).await;
    let deposit = heart.about("claim", "--participant 1 --deposit 2.50");
    // No key is needed to look.
    let (code, out, messages) = run(&Terminal::new(), &format!("{deposit} --dry-run"));
    assert_eq!(code, Some(0), "{messages}");
    assert!(out.starts_with("participant 1: 2.500000 paid in by the configured key"), "{out}");
    assert!(out.ends_with("nothing was sent\n"), "{out}");
    let (code, _, messages) = run(&terminal, &deposit);
    assert_eq!(code, Some(1), "{messages}");
    assert!(messages.contains("has 0.000000 of 2.500000"), "{messages}");
    let owner = Key::test_account(1).unwrap().address();
    heart.sender.send(heart.ledger.mint_call(owner, 3_000_000)).await.unwrap();
    let (code, out, messages) = run(&terminal, &deposit);
    assert_eq!(code, Some(0), "{messages}");
    assert_eq!(out.matches("done by 0x").count(), 2, "the contract may draw, then draws: {out}");
    assert_eq!(heart.ledger.tokens_of(owner).await.unwrap().0.to::<u64>(), 500_000);

    let leave = heart.about("claim", "--participant 1 --exit-request");
    let (code, out, messages) = run(&Terminal::new(), &format!("{leave} --dry-run"));
    assert_eq!(code, Some(0), "{messages}");
    assert!(out.ends_with("nothing was sent\n"), "{out}");
    let stranger = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";
    let strange = Terminal::new().variable("SETTLEMENT_KEY", stranger);
    let (code, _, messages) = run(&strange, &leave);
    assert_eq!(code, Some(1), "{messages}");
    assert!(messages.contains(&format!("only {owner} may ask for participant 1")), "{messages}");
    let (code, out, messages) = run(&terminal, &leave);
    assert_eq!(code, Some(0), "{messages}");
    assert_eq!(out.matches("done by 0x").count(), 1, "{out}");
    let (code, _, messages) = run(&terminal, &leave);
    assert_eq!(code, Some(1), "it was asked already: {messages}");

    for (arguments, expected) in [
        ("--deposit 1", 2),
        ("--participant 1,2 --deposit 1", 2),
        ("--participant 1 --deposit 0.5", 2),
        ("--participant 1 --deposit 1 --exit-request", 2),
        ("--participant 1 --collect", 2),
        ("--participant 1 --exit --exit-request", 2),
        ("--participant 9 --exit-request", 1),
        ("--participant 0 --exit-request", 1),
    ] {
        let (code, _, messages) = run(&terminal, &heart.about("claim", arguments));
        assert_eq!(code, Some(expected), "{arguments}: {messages}");
    }
}

/// The contract takes two keys for a correction, and a proof is checked against both.
#[tokio::test(flavor = "multi_thread")]
async fn a_correction_that_the_metering_operator_signed_is_proved() {
    let terminal = Terminal::new();
    let mut heart = Heart::new(&Terminal::new()).await;
    heart.commit(1, 0).await;
    let record = Record::new(ParticipantNumber(1), Code::CONSUMPTION, Slot(0), 1).unwrap();
    let plan = BatchPlan {
        period: SettlementPeriod(1),
        run: 1,
        part: 0,
        account_count: 2,
        inbox_to: 0,
        records: vec![record],
    };
    let mut watcher = Watcher::new(heart.ledger.clone(), FollowOptions::default(), None);
    watcher.poll().await.unwrap();
    let reference = watcher.view().reference(plan.period).unwrap();
    let batch = build_batch(&plan, watcher.state(1).unwrap(), &reference).unwrap();
    let call = heart.ledger.commit_calldata_call(&batch.commitment, pack_calldata(plan.records));
    heart.sender.send(call).await.unwrap();
    watcher.poll().await.unwrap();
    let first = watcher.view().batches()[0].header.clone();
    let second = watcher.view().batches()[1].header.clone();

    // The archive has what the operator signed, who holds the first development account.
    let domain = heart.ledger.deployment().domain();
    let reading = SignedReading::of_record(second.period, second.run, &record).unwrap();
    let signed = |account| {
        let key = Key::test_account(account).unwrap();
        key.sign(reading.digest(&domain)).as_bytes().to_vec()
    };
    let archive = BatchArchive::new(terminal.path("batches"));
    archive.keep_signatures(second.record_root, &[Some(signed(0))]).await.unwrap();
    let wanted = "--participant 1 --period 1 --run 1 --slot 0 --archive batches --out record.json";
    let (code, out, messages) = run(&terminal, &heart.about("export proof", wanted));
    assert_eq!(code, Some(0), "{out}{messages}");
    heart.state = LedgerState::genesis();
    heart.server.ask("evm_increaseTime", json!([8 * DAY_S]));
    heart.server.ask("evm_mine", json!([]));
    for header in [&first, &second] {
        heart.sender.send(heart.ledger.finalize_call(header)).await.unwrap();
    }
    let endpoint = heart.server.report["endpoint"].as_str().unwrap().to_owned();
    let online = |file: &str| format!("verify --proof {file} --endpoint {endpoint}");
    let (code, out, messages) = run(&terminal, &online("record.json"));
    assert_eq!(code, Some(0), "{out}{messages}");
    assert!(out.contains(", signed by the meter"), "{out}");

    let proof: Value =
        serde_json::from_slice(&std::fs::read(terminal.path("record.json")).unwrap()).unwrap();
    let check = |field: &str, value: Value| {
        let mut changed = proof.clone();
        changed[field] = value;
        std::fs::write(terminal.path("changed.json"), changed.to_string()).unwrap();
        run(&terminal, &online("changed.json"))
    };
    let hex = |bytes: Vec<u8>| json!(alloy_primitives::hex::encode_prefixed(bytes));
    // The meter's own key is as good; a stranger's is not.
    let (code, out, messages) = check("signature", hex(signed(2)));
    assert_eq!(code, Some(0), "{out}{messages}");
    let (code, out, messages) = check("signature", hex(signed(3)));
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("NOT signed by the meter"), "{out}");
    assert!(messages.contains("nor, in a correction, that of the metering operator"), "{messages}");
    // Prices are read by the number of slots.
    for slots in [0, 2, 96, 1_024, 65_535] {
        let (code, out, messages) = check("slots_per_period", json!(slots));
        assert_eq!((code, out.as_str()), (Some(1), ""), "{slots}: {messages}");
    }

    // A header is of one contract on one chain.
    let (code, _, messages) = run(&terminal, &heart.about("export header", "--out header.json"));
    assert_eq!(code, Some(0), "{messages}");
    let (code, out, messages) =
        run(&terminal, &heart.about("export proof", &wanted.replace("record.json", "again.json")));
    assert_eq!(code, Some(0), "{out}{messages}");
    let offline = "verify --proof again.json --header header.json";
    let (code, out, messages) = run(&terminal, offline);
    assert_eq!(code, Some(0), "{out}{messages}");
    let header: Value =
        serde_json::from_slice(&std::fs::read(terminal.path("header.json")).unwrap()).unwrap();
    for (field, value, said) in [
        ("chain_id", json!(1), "on chain 1, the proof of"),
        ("contract", json!("0x00000000000000000000000000000000000000aa"), "the proof of"),
        ("header", json!("0x00"), "holds no header"),
        ("format", json!("gridtally header 2"), "holds no header"),
    ] {
        let mut changed = header.clone();
        changed[field] = value;
        std::fs::write(terminal.path("changed.json"), changed.to_string()).unwrap();
        let (code, out, messages) =
            run(&terminal, "verify --proof again.json --header changed.json");
        assert_eq!((code, out.as_str()), (Some(1), ""), "{field}: {messages}");
        assert!(messages.contains(said), "{field}: {messages}");
    }
}

/// Nobody noticed in time: it is told loudly, and the exit code says so for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_batch_that_became_final_is_told_and_judging_goes_on() {
    let terminal = Terminal::new();
    let mut heart = Heart::new(&Terminal::new()).await;
    heart.commit(1, 0).await;
    let first = heart.state.header().clone();
    heart.commit(2, 5).await;
    heart.server.ask("evm_increaseTime", json!([8 * DAY_S]));
    heart.server.ask("evm_mine", json!([]));
    for header in [&first, heart.state.header()] {
        heart.sender.send(heart.ledger.finalize_call(header)).await.unwrap();
    }
    let (code, out, messages) = run(&terminal, &heart.watch(""));
    assert_eq!(code, Some(1), "{out}{messages}");
    assert!(out.contains("breaks R7: FINAL, and can no longer be struck down"), "{out}");
    assert!(out.contains("batch 2: WRONG AND FINAL up to here"), "{out}");
    assert!(out.ends_with("batches: 2, final: 2: not all valid\n"), "{out}");
}

/// What is wrong with the address or the keys of object storage is said before anything is asked.
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_cannot_be_is_a_mistake_of_usage() {
    let mut heart = Heart::new(&Terminal::new()).await;
    heart.commit(1, 0).await;
    let half = Terminal::new().variable("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    let own = "--archive s3://batches/a --archive-endpoint http://127.0.0.1:1";
    for (terminal, arguments, said) in [
        (&half, own, "AWS_SECRET_ACCESS_KEY is not set"),
        (&Terminal::new(), "--archive s3://Batches", "a bucket has 3 to 63 lower-case letters"),
        (&Terminal::new(), "--archive ftp://batches", "it begins with s3://"),
        (
            &Terminal::new(),
            "--archive s3://batches --archive-endpoint http://storage.example",
            "[bucket-plain-http]",
        ),
    ] {
        let (code, _, messages) = run(terminal, &heart.watch(arguments));
        assert_eq!(code, Some(2), "{arguments}: {messages}");
        assert!(messages.contains(said) && !messages.contains("AKIDEXAMPLE"), "{messages}");
    }
    // The endpoint has the calldata, so nobody asks the storage, which is not there.
    let (code, out, messages) = run(&Terminal::new(), &heart.watch(own));
    assert_eq!(code, Some(0), "{out}{messages}");
}
