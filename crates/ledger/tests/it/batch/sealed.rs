//! Sealed batches on the embedded chain: the hub commits, answers and forgets; nobody else reads what is in them.

use std::fs;

use gridtally_core::party::ParticipantNumber;
use gridtally_ledger::{
    BatchLedger, Demanded, HubError, HubReport, SealError, SectionStoreError, SendError, Sender,
    WatchReport,
};
use gridtally_settlement::{
    BatchHeader, DataKind, KeyGap, KnownSection, SectionFile, SignedReading,
};

use super::hub::{pass, plan, signed};
use super::sealed_stage::{AUDITOR, HOUSEHOLD, OWN, SealedStage};
use super::stage::Stage;
use super::town::{SLOTS, record};
use crate::node::Node;
use crate::proxy::{Fate, Proxy};
use crate::town::{OFFICER, brisk, key};

/// The window, the days of grace after an answer, and a second.
const OVER_S: u64 = 9 * 86_400 + 1;

/// Commits so many honest batches sealed, and delivers all sections of each.
pub(crate) async fn commit_honest(stage: &mut SealedStage, batches: u64) {
    let mut hub = stage.hub();
    for _ in 0..batches {
        let planned = plan(&stage.stage.next_batch().await);
        let header = hub.commit_sealed(&planned).await.unwrap();
        assert_eq!(header.data_kind, DataKind::SealedBlob);
        for participant in (0..header.account_count).map(ParticipantNumber) {
            let file = hub.watcher().export_section(&stage.store(), header.seq, participant);
            let file = file.unwrap();
            file.check().unwrap();
            stage.write(&file, &header, participant);
        }
        stage.stage.town.state = hub.watcher().state(header.seq).unwrap().clone();
    }
}

async fn send(
    stage: &SealedStage,
    index: u32,
    call: gridtally_ledger::Call,
) -> Result<(), SendError> {
    let client = stage.stage.node.client.clone();
    Sender::new(client, key(index), brisk()).send(call).await.map(drop)
}

#[tokio::test]
async fn sealed_batches_are_committed_answered_for_and_paid() {
    let mut stage = SealedStage::new(41).await;
    commit_honest(&mut stage, 3).await;
    let mut hub = stage.hub();
    hub.poll().await.unwrap();
    let batches = hub.watcher().view().batches().to_vec();
    let header = batches[2].header.clone();
    let ledger = &stage.stage.ledger;
    assert_eq!(ledger.deployment().terms.offices.auditor, Some(key(AUDITOR).address()));

    // Everybody sees the form, a participant itself, the auditor everything.
    let sections = header.account_count;
    let mut public = stage.public(None);
    let expected = |seq: u64, read| {
        let count = batches[usize::try_from(seq).unwrap() - 1].header.count;
        let sections = batches[usize::try_from(seq).unwrap() - 1].header.account_count;
        WatchReport::Sealed { seq, count, sections, read, withheld: 0, erased: 0 }
    };
    assert_eq!(public.poll().await.unwrap(), [1, 2, 3].map(|seq| expected(seq, 0)));
    assert_eq!(public.poll().await.unwrap(), []);
    assert!(public.state(3).is_none());
    let mut own = stage.own();
    assert_eq!(own.poll().await.unwrap(), [1, 2, 3].map(|seq| expected(seq, 1)));
    let mut auditor = stage.auditor();
    let valid = |seq: u64| {
        let count = batches[usize::try_from(seq).unwrap() - 1].header.count;
        WatchReport::Valid { seq, count }
    };
    assert_eq!(auditor.poll().await.unwrap(), [1, 2, 3].map(valid));
    assert_eq!(auditor.state(3), Some(&stage.stage.town.state));
    assert_eq!(hub.watcher().state(3), Some(&stage.stage.town.state));

    // Strangers have hashes shown, the participant and the auditor content.
    let by_anybody = [
        Demanded::RecordRow,
        Demanded::AccountRow,
        Demanded::RecordGroup(0),
        Demanded::AccountGroup(0),
    ];
    for demanded in by_anybody {
        stage.stage.send(ledger.demand_call(&header, demanded)).await.unwrap();
    }
    for demanded in [Demanded::Section(OWN.0), Demanded::Account(OWN.0)] {
        let refused = stage.stage.send(ledger.demand_call(&header, demanded)).await;
        assert!(matches!(refused, Err(SendError::Refused { .. })), "a stranger");
        send(&stage, HOUSEHOLD, ledger.demand_call(&header, demanded)).await.unwrap();
    }
    let others = Demanded::Section(0);
    send(&stage, AUDITOR, ledger.demand_call(&header, others)).await.unwrap();
    let answered = |demanded| HubReport::Answered { seq: 3, demanded };
    let mut expected: Vec<HubReport> = [
        Demanded::Account(OWN.0),
        Demanded::RecordRow,
        Demanded::AccountRow,
        Demanded::RecordGroup(0),
        Demanded::AccountGroup(0),
        others,
        Demanded::Section(OWN.0),
    ]
    .map(answered)
    .to_vec();
    expected.sort_by_key(|report| format!("{report:?}"));
    let mut reports = hub.poll().await.unwrap();
    reports.sort_by_key(|report| format!("{report:?}"));
    assert_eq!(reports, expected);
    // Records of sections that were shown, with salt and signature.
    let kept = stage.store().batch(&header).unwrap().unwrap();
    for participant in [OWN, ParticipantNumber(0)] {
        let section = kept.section(participant).unwrap();
        for (index, _) in (section.first..).zip(&section.leaves) {
            let call = ledger.demand_record_of_call(&header, participant, index);
            send(&stage, AUDITOR, call).await.unwrap();
            assert_eq!(hub.poll().await.unwrap(), [answered(Demanded::Record(index))]);
        }
    }

    pass(&stage.stage, OVER_S).await;
    let finalized = |seq| HubReport::Finalized { seq };
    let reports = hub.poll().await.unwrap();
    assert!(reports.starts_with(&[1, 2, 3].map(finalized)), "{reports:?}");

    // The participant takes its own out with what was delivered, the public cannot.
    public.poll().await.unwrap();
    assert_eq!(public.final_account(OWN), None);
    own.poll().await.unwrap();
    let found = own.final_account(OWN).unwrap();
    assert!(found.account.salt.is_some());
    assert_eq!(found.header, header);
    let state = ledger.payout_of(OWN).await.unwrap();
    let claimed = stage.stage.send(ledger.claim_call(&found.header, &found.account)).await;
    match found.claimable_micro(&state) {
        0 => assert!(matches!(claimed, Err(SendError::Refused { .. }))),
        _ => drop(claimed.unwrap()),
    }
    assert_eq!(sections, found.header.account_count);
}

/// The household takes a part of what it has back, and is paid by a leaf with its salt.
#[tokio::test]
async fn a_claim_is_paid_by_a_sealed_account() {
    let mut stage = SealedStage::new(42).await;
    let mut planned = plan(&stage.stage.next_batch().await);
    planned.records.retain(|record| record.code().number() == 0);
    let after = planned.records.partition_point(|record| record.participant() <= OWN);
    planned.records.insert(after, record(OWN.0, 63, 0, 7_500));
    let mut hub = stage.hub();
    let header = hub.commit_sealed(&planned).await.unwrap();
    let file = hub.watcher().export_section(&stage.store(), 1, OWN).unwrap();
    stage.write(&file, &header, OWN);
    pass(&stage.stage, OVER_S).await;
    hub.poll().await.unwrap();
    let mut own = stage.own();
    own.poll().await.unwrap();
    let found = own.final_account(OWN).unwrap();
    let ledger = &stage.stage.ledger;
    assert_eq!(found.claimable_micro(&ledger.payout_of(OWN).await.unwrap()), 75_000_000);
    stage.stage.send(ledger.claim_call(&found.header, &found.account)).await.unwrap();
    let state = ledger.payout_of(OWN).await.unwrap();
    assert_eq!((state.paid_micro, found.claimable_micro(&state)), (75_000_000, 0));
    let again = stage.stage.send(ledger.claim_call(&found.header, &found.account)).await;
    assert!(again.is_err(), "paid once");
}

#[tokio::test]
async fn what_cannot_be_sealed_is_refused_with_its_reason() {
    let mut plain = Stage::new(Node::embedded().await, 43).await;
    let planned = plan(&plain.next_batch().await);
    let mut hub = super::hub::hub(&plain);
    let refused = hub.commit_sealed(&planned).await;
    assert!(matches!(refused, Err(HubError::Seal(SealError::NoStore))), "{refused:?}");
    let folder = tempfile::tempdir().unwrap();
    let store = gridtally_ledger::SectionStore::new(folder.path());
    let mut hub = super::hub::hub(&plain).with_sections(store);
    let refused = hub.commit_sealed(&planned).await;
    assert!(matches!(refused, Err(HubError::Seal(SealError::NoAuditor))), "{refused:?}");
    assert_eq!(hub.watcher().view().batches(), []);
    assert_eq!(plain.ledger.deployment().terms.offices.auditor, None);
}

/// The process ends before the commit reaches the chain, or right after: the next one makes the very same batch, or finds it there.
#[tokio::test]
async fn a_hub_that_dies_at_a_sealed_commit_goes_on_where_it_was() {
    for reaches in [false, true] {
        let mut stage = SealedStage::new(44).await;
        let planned = plan(&stage.stage.next_batch().await);
        let mut is_dead = false;
        let proxy = Proxy::start(&stage.stage.node, move |method, _, _| {
            let is_commit = method == "eth_sendRawTransaction";
            let fate = match (is_dead, is_commit && reaches) {
                (false, true) => Fate::AnswerLost,
                (false, false) if !is_commit => Fate::Passed,
                _ => Fate::RequestLost,
            };
            is_dead |= is_commit;
            fate
        })
        .await;
        let deployment = stage.stage.ledger.deployment();
        let ledger = BatchLedger::at(proxy.client.clone(), deployment.core, deployment.block);
        let sender = Sender::new(proxy.client.clone(), key(OFFICER), brisk());
        let mut dying = stage.hub_at(ledger.await.unwrap(), sender);
        assert!(dying.commit_sealed(&planned).await.is_err());
        let kept = || fs::read_dir(stage.store().folder()).unwrap().count();
        assert_eq!(kept(), 1, "before the commit, the keys are on disk");

        let header = stage.hub().commit_sealed(&planned).await.unwrap();
        assert_eq!(stage.hub().commit_sealed(&planned).await.unwrap(), header);
        assert_eq!(kept(), 1, "the keys were found again");
        assert_eq!(stage.stage.ledger.head_seq().await.unwrap(), 1);
        assert!(stage.store().batch(&header).unwrap().is_some());
    }
}

/// Without the key, what is public of a section says nothing, and the hub cannot say it either.
#[tokio::test]
async fn an_erased_section_cannot_be_shown_any_more() {
    let mut stage = SealedStage::new(45).await;
    commit_honest(&mut stage, 2).await;
    let mut hub = stage.hub();
    hub.poll().await.unwrap();
    let header = hub.watcher().view().batches()[1].header.clone();
    let store = stage.store();
    let before = store.batch(&header).unwrap().unwrap();
    let own = before.section(OWN).unwrap();
    let file = fs::read_dir(store.folder()).unwrap().map(|entry| entry.unwrap().path());
    let name = header.record_root.to_string();
    let file = file.into_iter().find(|path| path.display().to_string().contains(&name)).unwrap();
    let secret = own.key.bytes().to_vec();
    let holds = |bytes: &[u8]| bytes.windows(32).any(|window| window == secret);
    assert!(holds(&fs::read(&file).unwrap()));

    store.erase(&header, &[OWN]).unwrap();
    assert!(!holds(&fs::read(&file).unwrap()));
    let again = store.erase(&header, &[OWN]);
    assert!(matches!(again, Err(SectionStoreError::Missing { .. })), "{again:?}");
    let after = store.batch(&header).unwrap().unwrap();
    assert_eq!(after.section(OWN), None);
    assert_eq!(after.open_account(OWN), None);
    assert_eq!(after.blobs(), before.blobs());
    assert_eq!(after.section(ParticipantNumber(0)), before.section(ParticipantNumber(0)));
    assert!(hub.watcher().export_section(&store, 2, OWN).is_err());

    let ledger = &stage.stage.ledger;
    for demanded in [Demanded::Section(OWN.0), Demanded::Account(OWN.0)] {
        send(&stage, HOUSEHOLD, ledger.demand_call(&header, demanded)).await.unwrap();
    }
    let account = Demanded::Account(0);
    send(&stage, AUDITOR, ledger.demand_call(&header, account)).await.unwrap();
    let reports = hub.poll().await.unwrap();
    let unanswered = [Demanded::Account(OWN.0), Demanded::Section(OWN.0)];
    for demanded in unanswered {
        assert!(reports.contains(&HubReport::NoAnswer { seq: 2, demanded }), "{reports:?}");
    }
    assert!(reports.contains(&HubReport::Answered { seq: 2, demanded: account }), "{reports:?}");
    // A hub that starts again with the gap goes on answering for the others.
    send(&stage, AUDITOR, ledger.demand_call(&header, Demanded::RecordRow)).await.unwrap();
    let reports = stage.hub().poll().await.unwrap();
    let row = HubReport::Answered { seq: 2, demanded: Demanded::RecordRow };
    assert!(reports.contains(&row), "{reports:?}");
}

/// A file of the store that was changed, cut or exchanged is told by its name, and never used.
#[tokio::test]
async fn a_damaged_store_is_refused() {
    let mut stage = SealedStage::new(46).await;
    commit_honest(&mut stage, 1).await;
    let store = stage.store();
    let header = stage.stage.town.state.header().clone();
    let path = fs::read_dir(store.folder()).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&path).unwrap();
    for place in (0..whole.len()).step_by(37) {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        fs::write(&path, changed).unwrap();
        let refused = store.batch(&header).unwrap_err();
        assert!(matches!(refused, SectionStoreError::Damaged { .. }), "byte {place}: {refused}");
    }
    for content in [&whole[..whole.len() - 1], &whole[..40], &[]] {
        fs::write(&path, content).unwrap();
        assert!(matches!(store.batch(&header), Err(SectionStoreError::Damaged { .. })));
    }
    fs::write(&path, &whole).unwrap();
    let kept = store.batch(&header).unwrap().unwrap();
    store.keep(&kept).unwrap();
    assert_eq!(kept.commitment().record_root, header.record_root);
}

/// The document of a section: each field of it counts, but for what only the chain knows of its header.
#[tokio::test]
async fn every_field_of_a_section_file_counts() {
    let mut stage = SealedStage::new(47).await;
    commit_honest(&mut stage, 3).await;
    let mut hub = stage.hub();
    hub.poll().await.unwrap();
    let file = hub.watcher().export_section(&stage.store(), 3, OWN).unwrap();
    let checked = file.check().unwrap();
    assert_eq!(checked.header.seq, 3);
    let json = serde_json::to_value(&file).unwrap();
    assert_eq!(serde_json::from_value::<SectionFile>(json.clone()).unwrap(), file);
    assert!(!format!("{file:?}").contains(&json["key"].as_str().unwrap()[2..]));
    let mut changed = 0;
    let mut flip = |pointer: &str| {
        let mut other = json.clone();
        let Some(value) = other.pointer_mut(pointer) else { return };
        *value = match &*value {
            serde_json::Value::Number(number) => (number.as_i64().unwrap() + 1).into(),
            serde_json::Value::String(text) if text.starts_with("0x") => {
                let last = if text.ends_with('1') { '2' } else { '1' };
                format!("{}{last}", &text[..text.len() - 1]).into()
            }
            serde_json::Value::String(text) => {
                (text.parse::<i128>().unwrap() + 1).to_string().into()
            }
            _ => return,
        };
        let other: SectionFile = serde_json::from_value(other).unwrap();
        assert!(other.check().is_err(), "{pointer}");
        changed += 1;
    };
    for pointer in [
        "/parent",
        "/participant",
        "/key",
        "/first",
        "/path/0",
        "/account/balance_micro",
        "/account/payable_micro",
        "/account/path/0",
        "/before/balance_micro",
        "/before/salt",
        "/before/payable_micro",
        "/before/path/0",
        "/slots_per_period",
        "/tariff_table",
        "/published/versioned_hashes/0",
        "/published/commitment",
        "/published/proof",
        "/records/0/code",
        "/records/0/slot",
        "/records/0/value",
        "/records/0/amount_micro",
        "/records/0/balance_after_micro",
        "/records/0/hub_after_micro",
    ] {
        flip(pointer);
    }
    assert!(changed > 15, "{changed}");
    let mut unknown = json;
    unknown["more"] = 1.into();
    assert!(serde_json::from_value::<SectionFile>(unknown).is_err());
}

/// A participant forces readings that sealed batches left out, with nothing but its own section; where that alone does not tell where
/// the section ends, the contract takes it only once the section was shown.
#[tokio::test]
async fn a_participant_forces_what_a_sealed_batch_left_out() {
    let mut stage = SealedStage::new(47).await;
    commit_honest(&mut stage, 2).await;
    let mut hub = stage.hub();
    hub.poll().await.unwrap();
    let ledger = stage.stage.ledger.clone();
    let batches = hub.watcher().view().batches().to_vec();
    let headers: Vec<_> = batches.iter().map(|batch| batch.header.clone()).collect();
    let parents = [BatchHeader::GENESIS, headers[0].clone()];
    // One section is shown, the other is not.
    send(&stage, HOUSEHOLD, ledger.demand_call(&headers[1], Demanded::Section(OWN.0)))
        .await
        .unwrap();
    hub.poll().await.unwrap();
    pass(&stage.stage, OVER_S).await;
    hub.poll().await.unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for (header, parent) in headers.iter().zip(&parents) {
        let kept = stage.store().batch(header).unwrap().unwrap();
        let section = KnownSection::from(&kept.section(OWN).unwrap());
        let table = &stage.stage.town.tables[&header.period];
        for reading in (0..SLOTS).map(|slot| record(OWN.0, 1, slot, 1_000)) {
            let price = table.price(reading.code(), reading.slot()).unwrap();
            let key = reading.key();
            let gap = KeyGap::find_sealed(header, parent, &section, header.period, key);
            let Some(gap) = gap.filter(|_| price.micro_per_kwh() > 0) else { continue };
            let signed_reading = SignedReading::of_record(header.period, 0, &reading).unwrap();
            let signature = signed(&signed_reading, &ledger.deployment().domain());
            let call = ledger.force_reading_call(&gap, header.period, &reading, signature, table);
            let is_known = gap.section.is_none() || *header == headers[1];
            match stage.stage.send(call).await {
                Ok(_) if is_known => accepted += 1,
                Ok(_) => panic!("a section that was not shown: {gap:?}"),
                Err(SendError::Refused { .. }) if !is_known => refused += 1,
                Err(error) => panic!("{error}: {gap:?}"),
            }
        }
    }
    assert!(accepted > 0, "{accepted} {refused}");
}
