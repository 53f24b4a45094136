//! One's own data in sealed batches: settled once, corrected, verified, erased, and never in the open by oversight.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use expect_test::{Expect, expect};
use gridtally_aggregator::cycle::{
    BatchError, BatchOptions, EraseError, Erased, ErasedIn, Erasure, Sealing, SettlementError,
};
use gridtally_aggregator::store::{Content, Store};
use gridtally_aggregator::verify::Verification;
use gridtally_core::meter::Channel;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_ledger::{
    FinalAccount, HubReport, Key, SectionReader, SectionSource, SectionStore, WatchReport, Watcher,
};
use gridtally_settlement::DataKind;

use crate::in_batches::{Ledger, check};
use crate::on_chain::{both_periods, period_1};
use crate::world::{add_readings, faults, filled, now};

/// The auditor is named, so that everything is sealed.
fn sealed() -> BatchOptions {
    let auditor = Some(Key::test_account(5).unwrap().address());
    BatchOptions { auditor, ..BatchOptions::development() }
}

fn finalized() -> BatchOptions {
    BatchOptions { finalizes: true, ..sealed() }
}

fn found(verification: &Verification) -> String {
    verification.findings.iter().map(|finding| format!("{finding}\n")).collect()
}

fn sections(folder: &Path) -> SectionStore {
    SectionStore::new(folder.join("sections"))
}

/// What somebody with all sections sees.
async fn auditor(ledger: &Ledger, store: &Store) -> (Watcher, Vec<WatchReport>) {
    let source = SectionSource::Store(sections(store.view().folder()));
    let watcher = ledger.new_watcher(store).await;
    let mut watcher = watcher.with_sections(source, SectionReader::Auditor);
    let reports = watcher.poll().await.unwrap();
    (watcher, reports)
}

#[expect(clippy::needless_pass_by_value, reason = "expectations are written in place")]
fn check_findings(verification: &Verification, folder: &Path, expected: Expect) {
    expected.assert_eq(&found(verification).replace(&folder.display().to_string(), "STORE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_sealed_once_verified_and_corrected() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let ledger = Ledger::start().await;
    let settled = ledger.settle_as(&mut store, &both_periods(), &sealed()).await.unwrap();
    check(
        &settled,
        expect![
            "1.0/0: 14, 2.0/0: 12; settled 24 corrected 0 already 0 deposits 2; equal 24 batches BatchCounts { batch_count: 2, final_count: 0, correction_count: 0 }"
        ],
    );
    assert_eq!(found(&settled.verification), "");
    assert_eq!(faults(folder.path()), Vec::<String>::new());

    // Nothing of the records is public, and nobody else on this machine reads them.
    let watcher = ledger.watcher(&store).await;
    let batches = watcher.view().batches();
    assert!(batches.iter().all(|batch| batch.header.data_kind == DataKind::SealedBlob));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let kept = sections(folder.path());
    assert_eq!(mode(kept.folder()), 0o700);
    for entry in std::fs::read_dir(kept.folder()).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }

    // Again: nothing. Then differences, as in the open; the choice need not be said again.
    let unsaid = BatchOptions::development();
    let block = ledger.client.block_number().await.unwrap();
    let again = ledger.settle_as(&mut store, &both_periods(), &unsaid).await.unwrap();
    check(
        &again,
        expect![
            "; settled 0 corrected 0 already 24 deposits 0; equal 24 batches BatchCounts { batch_count: 2, final_count: 0, correction_count: 0 }"
        ],
    );
    assert_eq!(ledger.client.block_number().await.unwrap(), block, "nothing was sent");
    add_readings(&mut store, "home_1", Channel::Import, &[400, 600, 0, 700, 950]).unwrap();
    let corrected = ledger.settle_as(&mut store, &both_periods(), &unsaid).await.unwrap();
    check(
        &corrected,
        expect![
            "1.1/0: 1, 2.2/0: 1; settled 2 corrected 2 already 22 deposits 0; equal 24 batches BatchCounts { batch_count: 4, final_count: 0, correction_count: 2 }"
        ],
    );
    assert!(corrected.chain.is_sealed && corrected.verification.is_sound());
    let (watcher, reports) = auditor(&ledger, &store).await;
    let is_valid = |report: &WatchReport| matches!(report, WatchReport::Valid { .. });
    assert!(reports.iter().all(is_valid), "{reports:?}");
    let batches = watcher.view().batches();
    assert!(batches.iter().all(|batch| batch.header.data_kind == DataKind::SealedBlob));

    // Final with its snapshot, and claimed by the accounts in the sections.
    let settled = ledger.settle_as(&mut store, &both_periods(), &finalized()).await.unwrap();
    assert_eq!((settled.chain.batch_count, settled.chain.final_count), (4, 4));
    // Two weeks after the beginning the accounts are due.
    let fortnight_s = ledger.client.block_latest().await.unwrap().timestamp + 14 * 86_400;
    let endpoint = ledger.client.endpoint();
    endpoint.request::<()>("evm_setNextBlockTimestamp", (fortnight_s,)).await.unwrap();
    endpoint.request::<serde_json::Value>("evm_mine", ()).await.unwrap();
    let settled = ledger.settle_as(&mut store, &both_periods(), &unsaid).await.unwrap();
    let is_snapshot = |report: &HubReport| matches!(report, HubReport::SnapshotPublished { .. });
    assert!(settled.chain.reports.iter().any(is_snapshot), "{:?}", settled.chain.reports);
    assert_eq!(found(&settled.verification), "");
    let (watcher, _) = auditor(&ledger, &store).await;
    let FinalAccount { header, account, .. } = watcher.final_account(ParticipantNumber(1)).unwrap();
    assert_eq!(header.seq, 4);
    assert!(account.salt.is_some());
    assert!(ledger.watcher(&store).await.final_account(ParticipantNumber(1)).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_ledger_was_it_stays_or_says_why_not() {
    let ledger = Ledger::start().await;
    // Prices of period 2 come before its time.
    let publish_until = Some(both_periods().until);
    let open = BatchOptions { sealing: Some(Sealing::Open), publish_until, ..sealed() };
    let sealed_please = BatchOptions { sealing: Some(Sealing::Sealed), ..sealed() };
    let no_auditor = BatchOptions { auditor: None, ..sealed_please.clone() };
    let other = Key::test_account(6).unwrap().address();

    // Without an auditor nothing can be sealed, before a deployment and after it.
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let line = store.view().last();
    let refused = ledger.refuse(&mut store, &period_1(), &no_auditor).await;
    expect!["batches cannot be sealed without an auditor"].assert_eq(&refused);
    assert_eq!(store.view().last(), line, "nothing is recorded");
    ledger.settle(&mut store, &period_1()).await;
    let refused = ledger.refuse(&mut store, &period_1(), &no_auditor).await;
    expect!["batches cannot be sealed without an auditor"].assert_eq(&refused);
    let refused = ledger.settle_as(&mut store, &period_1(), &sealed()).await.unwrap_err();
    assert!(
        matches!(refused, SettlementError::Batch(BatchError::AuditorDiffers { found: None, .. })),
        "{refused}"
    );

    // From open to sealed, and not back; on a chain whose clock has not moved yet.
    let ledger = Ledger::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let settled = ledger.settle_as(&mut store, &period_1(), &open).await.unwrap();
    assert!(!settled.chain.is_sealed);
    let unsaid = ledger.settle_as(&mut store, &period_1(), &sealed()).await.unwrap();
    assert!(!unsaid.chain.is_sealed, "it goes on as it was");
    let settled = ledger.settle_as(&mut store, &both_periods(), &sealed_please).await.unwrap();
    assert!(settled.chain.is_sealed);
    check(
        &settled,
        expect![
            "2.0/0: 12; settled 12 corrected 0 already 12 deposits 0; equal 24 batches BatchCounts { batch_count: 2, final_count: 0, correction_count: 0 }"
        ],
    );
    assert_eq!(found(&settled.verification), "");
    expect!["batch 2 is sealed, and none after it can be published in the open"]
        .assert_eq(&ledger.refuse(&mut store, &both_periods(), &open).await);
    let differs = BatchOptions { auditor: Some(other), ..sealed() };
    let refused = ledger.refuse(&mut store, &both_periods(), &differs).await;
    assert!(refused.contains("the auditor of contract 0x"), "{refused}");
    assert!(refused.ends_with(&format!("not {other}")), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_block_it_seals_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let ledger = Ledger::start().await;
    let (mut kills, mut block) = (0, 0);
    let settled = loop {
        let mut store = Store::open(folder.path()).unwrap();
        let until = block + 1 + kills % 7;
        let next_block = async {
            while ledger.client.block_number().await.unwrap() < until {
                tokio::task::yield_now().await;
            }
        };
        let (run, options) = (both_periods(), sealed());
        tokio::select! {
            biased;
            () = next_block => kills += 1,
            settled = ledger.settle_as(&mut store, &run, &options) => break settled.unwrap(),
        }
        block = ledger.client.block_number().await.unwrap();
        assert!(kills < 200, "it does not come forward");
    };
    assert!(kills > 5, "{kills}");
    assert_eq!(found(&settled.verification), "");
    assert_eq!(settled.chain.already_settled + settled.chain.settled, 24);
    let store = Store::open(folder.path()).unwrap();
    let (watcher, _) = auditor(&ledger, &store).await;
    let counts: Vec<u32> =
        watcher.view().batches().iter().map(|batch| batch.header.count).collect();
    assert_eq!(counts, [14, 12], "the same batches as without being killed");
}

/// A commit that dies between its file of sections and its transaction leaves the keys, and the next attempt takes them.
#[tokio::test(flavor = "multi_thread")]
async fn killed_between_sections_and_commit_it_finds_its_keys_again() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let ledger = Ledger::start().await;
    let kept = sections(folder.path());
    let files = || {
        let entries = std::fs::read_dir(kept.folder()).map(Iterator::collect);
        let entries: Result<Vec<_>, _> = entries.unwrap_or(Ok(Vec::new()));
        entries.unwrap().iter().map(std::fs::DirEntry::file_name).collect::<BTreeSet<_>>()
    };
    let ending = |name: &std::ffi::OsString| name.to_string_lossy().ends_with(".sections");
    let written = async {
        while !files().iter().any(ending) {
            tokio::task::yield_now().await;
        }
    };
    let mut store = Store::open(folder.path()).unwrap();
    let (run, options) = (both_periods(), sealed());
    tokio::select! {
        biased;
        () = written => {}
        settled = ledger.settle_as(&mut store, &run, &options) => panic!("{settled:?}"),
    }
    drop(store);
    let first = files();
    assert_eq!(
        ledger.watcher(&Store::open(folder.path()).unwrap()).await.view().batches().len(),
        0
    );
    let mut store = Store::open(folder.path()).unwrap();
    let settled = ledger.settle_as(&mut store, &both_periods(), &sealed()).await.unwrap();
    assert_eq!(found(&settled.verification), "");
    let all = files();
    assert!(first.iter().filter(|name| ending(name)).all(|name| all.contains(name)), "{all:?}");
    assert_eq!(
        all.iter().filter(|name| ending(name)).count(),
        2,
        "no keys were made twice: {all:?}"
    );
}

async fn erase(
    ledger: &Ledger,
    store: &mut Store,
    which: ErasedIn,
    participants: &[u32],
) -> Result<Erased, EraseError> {
    let (watcher, _) = auditor(ledger, store).await;
    let participants = participants.iter().copied().map(ParticipantNumber).collect();
    let erasure = Erasure::find(store.view(), watcher.view(), &which, Some(&participants))?;
    erasure.carry_out(store, now())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_is_said_and_settled_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let ledger = Ledger::start().await;
    ledger.settle_as(&mut store, &both_periods(), &sealed()).await.unwrap();
    let first = || ErasedIn::Batches(BTreeSet::from([1]));
    let refused = erase(&ledger, &mut store, first(), &[1]).await.unwrap_err();
    assert!(matches!(refused, EraseError::Pending { seq: 1, .. }), "{refused}");
    ledger.settle_as(&mut store, &both_periods(), &finalized()).await.unwrap();
    let newest = ErasedIn::Period(SettlementPeriod(2));
    let refused = erase(&ledger, &mut store, newest, &[1]).await.unwrap_err();
    assert!(matches!(refused, EraseError::NewestFinal { seq: 2 }), "{refused}");
    let refused = erase(&ledger, &mut store, ErasedIn::Batches(BTreeSet::from([1, 9])), &[1]).await;
    assert!(matches!(refused, Err(EraseError::NotSealed { seq: 9 })), "{refused:?}");
    let refused = erase(&ledger, &mut store, ErasedIn::Period(SettlementPeriod(7)), &[1]).await;
    assert!(matches!(refused, Err(EraseError::NoBatch { .. })), "{refused:?}");
    let refused = erase(&ledger, &mut store, first(), &[77]).await;
    assert!(matches!(refused, Err(EraseError::Nothing)), "{refused:?}");

    // What was begun and not done shows, and is done by the same words again.
    let (watcher, _) = auditor(&ledger, &store).await;
    let header = watcher.view().batches()[0].header.clone();
    let kept = sections(folder.path());
    let file = std::fs::read_dir(kept.folder()).unwrap().map(|entry| entry.unwrap().path());
    let name = header.record_root.to_string();
    let file = file.into_iter().find(|path| path.display().to_string().contains(&name)).unwrap();
    let before = std::fs::read(&file).unwrap();
    // What a killed program left half written has keys too.
    let incomplete = kept.folder().join(".incomplete-abcdef");
    std::fs::write(&incomplete, &before[..300]).unwrap();
    let erased = erase(&ledger, &mut store, first(), &[1]).await.unwrap();
    assert_eq!((erased.section_count, erased.attempt_count), (1, 1));
    assert!(!incomplete.exists());
    assert_eq!(erased.line, store.view().last());
    let last = store.view().lines().last().unwrap();
    assert!(matches!(last.entry.content, Content::SectionsErased(_)));
    std::fs::write(&file, before).unwrap();
    let verification = ledger.verify(folder.path()).await;
    check_findings(
        &verification,
        folder.path(),
        expect![[r#"
        the store of sections: 1 of batch 1 are not erased yet, although the journal says so: first that of participant 1 (line 10)
    "#]],
    );
    let again = erase(&ledger, &mut store, first(), &[1]).await.unwrap();
    assert_eq!(again.line, erased.line, "it was said before");

    // Verification goes on without it, and nothing is settled a second time because nobody knows what was.
    let verification = ledger.verify(folder.path()).await;
    assert_eq!(found(&verification), "");
    let sealed_counts = verification.chain.as_ref().unwrap().sealed.unwrap();
    assert_eq!((sealed_counts.erased_section_count, sealed_counts.erased_record_count), (1, 4));
    assert_eq!(verification.chain.unwrap().record_count, 20);
    add_readings(&mut store, "home_1", Channel::Import, &[1, 600, 0, 700, 950]).unwrap();
    let settled = ledger.settle_as(&mut store, &both_periods(), &sealed()).await.unwrap();
    check(
        &settled,
        expect![
            "2.1/0: 1; settled 1 corrected 1 already 19 deposits 0; equal 20 batches BatchCounts { batch_count: 3, final_count: 2, correction_count: 1 }"
        ],
    );
    assert_eq!(settled.chain.erased, 4);
    assert_eq!(found(&settled.verification), "");
    let (_, reports) = auditor(&ledger, &store).await;
    assert!(
        matches!(reports[0], WatchReport::Sealed { seq: 1, read: 2, withheld: 0, erased: 1, .. }),
        "{reports:?}"
    );

    // Erased without a word, or lost: found.
    kept.erase(&header, &[ParticipantNumber(2)]).unwrap();
    let verification = ledger.verify(folder.path()).await;
    check_findings(
        &verification,
        folder.path(),
        expect![[r#"
        the store of sections: 1 of batch 1 are erased, and no line of the journal says so: first that of participant 2
    "#]],
    );
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[1..]).unwrap();
    let verification = ledger.verify(folder.path()).await;
    assert!(found(&verification).contains("is damaged, or was exchanged"), "{verification:?}");
    std::fs::remove_file(&file).unwrap();
    let verification = ledger.verify(folder.path()).await;
    check_findings(
        &verification,
        folder.path(),
        expect![[r#"
        the store of sections: those of batch 1 are not there
    "#]],
    );
    let refused = ledger.refuse(&mut store, &both_periods(), &sealed()).await;
    assert!(refused.starts_with("the sections of batch 1 are not in "), "{refused}");
}
