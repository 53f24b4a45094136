//! Sealed batches at the command line: the hub delivers, a participant checks, watches, proves and claims, a stranger sees the form.

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_ledger::{
    BatchArchive, FollowOptions, Hub, Key, Publication, SectionStore, SendOptions, Sender,
    Signatures, Watcher,
};
use gridtally_settlement::{BatchPlan, Code, Record, SignedReading};
use serde_json::{Value, json};

use crate::run::Terminal;
use crate::watch::{Heart, run};

/// A heartbeat has no reading.
struct Nobody;

impl Signatures for Nobody {
    fn signature(&self, _: &SignedReading) -> Option<Vec<u8>> {
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_section_is_delivered_checked_watched_and_proved() {
    let terminal = Terminal::new();
    // The chain keeps its blobs in files.
    let home = Terminal::new();
    let heart = Heart::new(&home).await;
    let watcher = Watcher::new(heart.ledger.clone(), FollowOptions::default(), None);
    let client = heart.ledger.client().clone();
    let sender = Sender::new(client, Key::test_account(0).unwrap(), SendOptions::default());
    let mut hub = Hub::new(watcher, sender, Nobody)
        .with_archive(BatchArchive::new(terminal.path("archive")), Publication::Blobs)
        .with_sections(SectionStore::new(terminal.path("store")));
    let record = Record::new(ParticipantNumber::HUB, Code::new(63).unwrap(), Slot(0), 0).unwrap();
    let plan = BatchPlan {
        period: SettlementPeriod(1),
        run: 0,
        part: 0,
        account_count: 1,
        inbox_to: 0,
        records: vec![record],
    };
    let header = hub.commit_sealed(&plan).await.unwrap();

    // A stranger sees the form, and is told that this is all.
    let watch = heart.about("watch --once", "");
    let (code, out, messages) = run(&terminal, &watch);
    assert_eq!(code, Some(0), "{out}{messages}");
    assert!(out.starts_with("batch 1: sealed, 1 record: contents not judged\n"), "{out}");
    assert!(out.contains("nothing wrong, 1 judged in part"), "{out}");
    let (code, _, messages) =
        run(&terminal, &heart.about("export proof", "--participant 0 --period 1 --slot 0 --out p"));
    assert_eq!(code, Some(1), "{messages}");
    assert!(messages.contains("export-section-missing"), "{messages}");

    // The hub delivers, and writes no file twice.
    let wanted = "--section-store store --batch 1 --participant 0 --out delivered";
    let export = heart.about("export section", wanted);
    let (code, out, messages) = run(&terminal, &export);
    assert_eq!(code, Some(0), "{out}{messages}");
    let name = gridtally_ledger::section_file_name(&header.hash(), ParticipantNumber::HUB);
    assert!(out.contains(&name), "{out}");
    let (code, _, messages) = run(&terminal, &export);
    assert_eq!(code, Some(3), "{messages}");
    let all = "--section-store store --batch 1 --all --out auditor";
    let (code, out, messages) = run(&terminal, &heart.about("export section", all));
    assert_eq!(code, Some(0), "{out}{messages}");
    for (wrong, says) in
        [("--batch 9 --all", "no batch 9"), ("--batch 1 --participant 9", "section-missing")]
    {
        let wanted = format!("--section-store store {wrong} --out delivered");
        let (code, _, messages) = run(&terminal, &heart.about("export section", &wanted));
        assert_eq!(code, Some(1), "{messages}");
        assert!(messages.contains(says), "{messages}");
    }

    // The participant checks it without asking anybody, then with one question.
    let verify = format!("verify --section delivered/{name}");
    let (code, out, messages) = run(&terminal, &verify);
    assert_eq!(code, Some(0), "{out}{messages}");
    assert!(out.contains("participant 0, period 1, run 0: 1 record"), "{out}");
    assert!(out.contains("stands   not asked"), "{out}");
    let endpoint = heart.server.report["endpoint"].as_str().unwrap();
    let (code, out, messages) = run(&terminal, &format!("{verify} --endpoint {endpoint}"));
    assert_eq!(code, Some(0), "{out}{messages}");
    assert!(out.contains("stands   pending"), "{out}");
    let path = terminal.path(format!("delivered/{name}"));
    let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (pointer, value, says) in [
        ("/participant", json!(1), "section-differs"),
        ("/key", json!(format!("0x{}", "11".repeat(32))), "section-differs"),
        ("/records/0/hub_after_micro", json!("1"), "section-differs"),
        ("/published/proof", json!(format!("0x{}", "11".repeat(48))), "section-not-published"),
        ("/tariff_table", json!("0x"), "section-prices"),
        ("/format", json!("another"), "is no section"),
    ] {
        let mut changed = file.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        std::fs::write(terminal.path("changed.json"), changed.to_string()).unwrap();
        let (code, out, messages) = run(&terminal, "verify --section changed.json");
        assert_eq!((code, out.as_str()), (Some(1), ""), "{pointer}: {messages}");
        assert!(messages.contains(says), "{pointer}: {messages}");
    }
    let (code, _, messages) = run(&terminal, "verify --section nothing.json");
    assert_eq!(code, Some(3), "{messages}");

    // Who reads it judges it; the auditor has all, and so judges everything.
    let own = heart.about("watch --once", "--sections delivered --participant 0");
    let auditor = heart.about("watch --once", "--sections auditor");
    for watch in [own, auditor] {
        let (code, out, messages) = run(&terminal, &watch);
        assert_eq!(code, Some(0), "{out}{messages}");
        assert!(out.starts_with("batch 1: valid, 1 record\n"), "{out}");
    }
    let wanted = "--participant 0 --period 1 --slot 0 --sections delivered --out record.json";
    let (code, out, messages) = run(&terminal, &heart.about("export proof", wanted));
    assert_eq!(code, Some(0), "{out}{messages}");
    let (code, out, messages) = run(&terminal, "verify --proof record.json");
    assert_eq!(code, Some(0), "{out}{messages}");
    assert!(out.contains("record 0 of 1"), "{out}");

    // Final: paid by the section.
    heart.server.ask("evm_increaseTime", json!([8 * 86_400]));
    heart.server.ask("evm_mine", json!([]));
    hub.poll().await.unwrap();
    let claim = heart.about("claim", "--participant 0 --dry-run");
    let (code, _, messages) = run(&terminal, &claim);
    assert_eq!(code, Some(1), "{messages}");
    assert!(messages.contains("--sections"), "{messages}");
    let (code, out, messages) = run(&terminal, &format!("{claim} --sections delivered"));
    assert_eq!(code, Some(0), "{out}{messages}");
    assert!(out.starts_with("participant 0: 0.000000 to 0x"), "{out}");
}
