//! Sealed batches: the bytes of the Python model, what a participant finds wrong, and what is left without the keys.

use std::collections::BTreeSet;

use alloy_primitives::{B256, keccak256};
use expect_test::{Expect, expect};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_core::quantity::Amount;
use gridtally_settlement::{
    Acceptance, Account, AccountLeaf, Accounts, Batch, BatchCommitment, BatchHeader, DataKind,
    Record, RecordLeaf, SealRefused, SealedBatch, SealedSection, SectionFault, SectionKey, Tree,
    blobs_hash, commitment, is_opening, open_element, section_element, versioned_hash,
};
use serde_json::Value;

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../fixtures/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap().trim_start_matches("0x")).unwrap()
}

fn hashes(value: &Value) -> Vec<B256> {
    value.as_array().unwrap().iter().map(|hash| B256::from_slice(&bytes(hash))).collect()
}

fn integer<T: TryFrom<i64, Error: std::fmt::Debug>>(value: &Value) -> T {
    let number = value.as_i64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap());
    T::try_from(number).unwrap()
}

fn amount(value: &Value) -> Amount {
    Amount::from_micro(integer(value))
}

fn accounts(batch: &Value) -> Accounts {
    let accounts = batch["accounts"].as_array().unwrap().iter().map(|account| Account {
        balance: amount(&account["balance"]),
        payable_micro: integer(&account["payable"]),
    });
    Accounts::new(accounts.collect())
}

/// The second batch of set A, open, and the accounts before it.
fn batch() -> (Batch, Accounts) {
    let vectors = fixture("settlement-a.json");
    let case = &vectors["batches"][1];
    let leaves = case["leaves"].as_array().unwrap().iter().map(|leaf| RecordLeaf {
        record: Record::unpack(&bytes(&leaf["record"])).unwrap(),
        amount: amount(&leaf["amount"]),
        balance_after: amount(&leaf["balanceAfter"]),
        hub_after: amount(&leaf["hubAfter"]),
    });
    let leaves: Vec<RecordLeaf> = leaves.collect();
    let accounts_after = accounts(case);
    let record_tree = Tree::new(leaves.iter().map(RecordLeaf::hash).collect()).unwrap();
    let account_tree = accounts_after.tree().unwrap();
    let commitment = BatchCommitment {
        period: SettlementPeriod(2),
        run: 0,
        part: 0,
        count: u32::try_from(leaves.len()).unwrap(),
        first_key: leaves[0].record.key(),
        last_key: leaves[leaves.len() - 1].record.key(),
        record_root: record_tree.root(),
        account_root: account_tree.root(),
        account_count: accounts_after.count(),
        hub_balance: accounts_after.get(ParticipantNumber(0)).balance,
        inbox_to: 0,
        expected_parent: BatchHeader::GENESIS.hash(),
    };
    let batch = Batch { commitment, leaves, record_tree, accounts: accounts_after, account_tree };
    (batch, accounts(&vectors["batches"][0]))
}

fn keys() -> Vec<SectionKey> {
    let model = fixture("sealed.json");
    hashes(&model["sectionKeys"]).iter().map(|key| SectionKey::new(key.0)).collect()
}

fn sealed() -> SealedBatch {
    SealedBatch::new(batch().0, keys()).unwrap()
}

/// The header that the chain makes of it.
fn header(sealed: &SealedBatch) -> BatchHeader {
    let blobs = sealed.blobs();
    let of_blob = |blob| versioned_hash(&commitment(blob).unwrap());
    let versioned: Vec<B256> = blobs.iter().map(of_blob).collect();
    let accepted = Acceptance {
        tariff_hash: B256::ZERO,
        data_hash: blobs_hash(&versioned),
        data_kind: DataKind::SealedBlob,
        committed_at: 0,
    };
    sealed.commitment.header(&BatchHeader::GENESIS, &accepted)
}

fn section(sealed: &SealedBatch, participant: u32) -> SealedSection {
    sealed.section(ParticipantNumber(participant)).unwrap()
}

#[test]
fn trees_elements_and_ranges_are_those_of_the_model() {
    let model = fixture("sealed.json");
    let sealed = sealed();
    assert_eq!(sealed.record_tree.leaves(), hashes(&model["hashes"]));
    assert_eq!(sealed.account_tree.leaves(), hashes(&model["accountHashes"]));
    assert_eq!(sealed.commitment.record_root.to_vec(), bytes(&model["recordRoot"]));
    assert_eq!(sealed.commitment.account_root.to_vec(), bytes(&model["accountRoot"]));
    assert_eq!(sealed.elements, hashes(&model["elements"]));
    for (participant, case) in (0..).zip(model["sections"].as_array().unwrap()) {
        let section = section(&sealed, participant);
        assert_eq!(section.first, integer::<u32>(&case["first"]));
        assert_eq!(section.leaves.len(), integer::<usize>(&case["count"]));
        assert_eq!(section.path, hashes(&case["path"]));
        let salt = &model["accountSalts"][usize::try_from(participant).unwrap()];
        assert_eq!(section.key.account_salt().to_vec(), bytes(salt));
    }
}

#[test]
fn every_section_is_in_the_batch_and_in_the_blob() {
    let sealed = sealed();
    let header = header(&sealed);
    let [blob] = &sealed.blobs()[..] else { panic!("one blob") };
    let before = batch().1;
    let count = sealed.account_tree.count();
    for participant in 0..header.account_count {
        let section = section(&sealed, participant);
        let number = usize::try_from(participant).unwrap();
        assert_eq!(section.check(&header), Ok(()));
        let digest = open_element(blob, number).unwrap();
        let account = open_element(blob, count + number).unwrap();
        assert!(is_opening(&digest) && is_opening(&account));
        assert_eq!(section.check_published(&digest.element, &account.element), Ok(()));
        assert_eq!(section.check_account(&before.get(ParticipantNumber(participant))), Ok(()));
    }
}

/// Says what a participant finds wrong after a change of what it got or of what was committed.
fn check(change: impl FnOnce(&mut SealedSection, &mut BatchHeader), expected: &Expect) {
    let sealed = sealed();
    let (mut section, mut header) = (section(&sealed, 1), header(&sealed));
    change(&mut section, &mut header);
    let before = batch().1.get(ParticipantNumber(1));
    let (digest, account) = (sealed.elements[1], sealed.elements[7]);
    let found = section
        .check(&header)
        .and_then(|()| section.check_published(&digest, &account))
        .and_then(|()| section.check_account(&before));
    expected.assert_eq(&found.map_or_else(|fault| fault.to_string(), |()| "right".to_owned()));
}

#[test]
fn what_is_wrong_with_a_section_is_said() {
    check(|_, _| (), &expect!["right"]);
    check(|_, header| header.data_kind = DataKind::Blob, &expect!["batch 1 is not sealed"]);
    check(
        |section, _| section.key = SectionKey::new([7; 32]),
        &expect!["the account of participant 1 is not in the batch"],
    );
    check(
        |section, _| section.account.payable_micro += 1,
        &expect!["the account of participant 1 is not in the batch"],
    );
    check(
        |section, _| section.account_path.truncate(1),
        &expect!["the account of participant 1 is not in the batch"],
    );
    check(
        |section, _| section.leaves[1].record = batch().0.leaves[9].record,
        &expect!["record 3 of the batch is of participant 2"],
    );
    check(
        |section, _| section.leaves[0].hub_after = Amount::ZERO,
        &expect!["the records from 2 on are not in the batch"],
    );
    check(
        |section, _| section.path.clear(),
        &expect!["the records from 2 on are not in the batch"],
    );
    check(
        |section, _| section.leaves.truncate(3),
        &expect!["the records from 2 on are not in the batch"],
    );
    check(
        |section, _| {
            // The hub keeps the last two records to itself, and gives a path that fits.
            section.leaves.truncate(5);
            section.path = gridtally_settlement::range_path(&sealed().record_tree, 2..7).unwrap();
        },
        &expect!["the published digest is not that of the section"],
    );
}

#[test]
fn a_published_account_that_is_another_is_found() {
    let sealed = sealed();
    let found = section(&sealed, 1).check_published(&sealed.elements[1], &sealed.elements[8]);
    assert_eq!(found, Err(SectionFault::PublishedAccount));
}

#[test]
fn balances_that_do_not_follow_are_found() {
    let before = batch().1.get(ParticipantNumber(1));
    let wrong = |change: fn(&mut Batch)| {
        let mut batch = batch().0;
        change(&mut batch);
        let sealed = SealedBatch::new(batch, keys()).unwrap();
        let section = section(&sealed, 1);
        assert_eq!(section.check(&header(&sealed)), Ok(()), "the hub committed it");
        section.check_account(&before)
    };
    let found = wrong(|batch| batch.leaves[2].balance_after = Amount::from_micro(1));
    assert_eq!(found, Err(SectionFault::Balance { index: 2 }));
    let found = wrong(|batch| batch.leaves[4].balance_after = Amount::from_micro(i64::MIN));
    assert_eq!(found, Err(SectionFault::Balance { index: 4 }));
    let found = wrong(|batch| {
        let account = Account { balance: Amount::ZERO, payable_micro: 0 };
        batch.accounts.set(ParticipantNumber(1), account);
    });
    assert_eq!(found, Err(SectionFault::AccountAfter));
}

#[test]
fn keys_that_are_missing_or_shared_are_refused() {
    let mut few = keys();
    few.pop();
    let refused = SealedBatch::new(batch().0, few);
    assert_eq!(refused, Err(SealRefused::KeyCount { keys: 5, accounts: 6 }));
    let mut shared = keys();
    shared[4] = shared[1].clone();
    let (first, second) = (ParticipantNumber(1), ParticipantNumber(4));
    let refused = SealedBatch::new(batch().0, shared);
    assert_eq!(refused, Err(SealRefused::KeyRepeated { first, second }));
}

#[test]
fn a_section_that_no_answer_could_carry_is_refused() {
    let (mut batch, _) = batch();
    let last = batch.leaves[15];
    batch.leaves.extend(std::iter::repeat_n(last, 2_048));
    let refused = SealedBatch::new(batch, keys());
    let (participant, records) = (ParticipantNumber(2), 2_055);
    assert_eq!(refused, Err(SealRefused::SectionLength { participant, records }));
}

#[test]
fn a_blob_holds_2048_accounts_and_a_transaction_six_blobs() {
    let with_accounts = |count: u32| {
        let (mut batch, _) = batch();
        batch.accounts.grow(count);
        let number = |p: u32| SectionKey::new(keccak256(p.to_be_bytes()).0);
        SealedBatch::new(batch, (0..count).map(number).collect())
    };
    assert_eq!(with_accounts(2_048).unwrap().blobs().len(), 1);
    let two = with_accounts(2_049).unwrap();
    let [first, second] = &two.blobs()[..] else { panic!("two blobs") };
    let (in_first, in_second) = two.elements.split_at(4_096);
    assert_eq!(first[..], in_first.concat());
    assert_eq!(second[..64], in_second.concat());
    assert!(second[64..].iter().all(|byte| *byte == 0));
    assert_eq!(two.section(ParticipantNumber(2_049)), None);
    assert_eq!(with_accounts(12_289), Err(SealRefused::AccountCount(12_289)));
}

/// Everything that is public of the batch: what was committed and every element of every blob.
fn public(sealed: &SealedBatch) -> BTreeSet<B256> {
    let blobs = sealed.blobs();
    let elements = blobs.iter().flat_map(|blob| blob.chunks_exact(32)).map(B256::from_slice);
    let roots = [sealed.commitment.record_root, sealed.commitment.account_root];
    elements.chain(roots).filter(|hash| *hash != B256::ZERO).collect()
}

/// What somebody who knows a section's true records, but holds this key, expects to be public.
fn expected(sealed: &SealedBatch, participant: u32, key: &SectionKey) -> [B256; 2] {
    let mut section = section(sealed, participant);
    section.key = key.clone();
    [section_element(&section.hashes()), section.account_hash()]
}

#[test]
fn without_the_keys_nothing_public_is_matched_with_the_true_records() {
    let sealed = sealed();
    let public = public(&sealed);
    let holders = [1, 2];
    // With the keys everything is matched: the test would notice.
    for participant in holders {
        let key = section(&sealed, participant).key;
        for hash in expected(&sealed, participant, &key) {
            assert!(public.contains(&hash));
        }
    }
    // Other keys, the neighbor's among them, match nothing.
    let other = (0..64_u8).map(|byte| SectionKey::new([byte; 32])).chain([keys()[3].clone()]);
    for key in other {
        for participant in holders {
            for hash in expected(&sealed, participant, &key) {
                assert!(!public.contains(&hash), "participant {participant}");
            }
        }
    }
    // Nor does what an open batch would have: no leaf, group, root or digest of unsalted hashes.
    let (batch, _) = batch();
    let leaves: Vec<B256> = batch.leaves.iter().map(RecordLeaf::hash).collect();
    let open: Vec<B256> = [batch.record_tree.root(), batch.account_tree.root()]
        .into_iter()
        .chain(batch.accounts.leaves().map(|leaf: AccountLeaf| leaf.hash()))
        .chain([section_element(&leaves[2..9]), section_element(&leaves[9..])])
        .chain(leaves.clone())
        .collect();
    assert!(open.iter().all(|hash| !public.contains(hash)));
}

#[test]
fn another_batch_of_the_same_records_shares_nothing_with_this_one() {
    let fresh = (0..6_u8).map(|p| SectionKey::new(keccak256([p]).0)).collect();
    let again = SealedBatch::new(batch().0, fresh).unwrap();
    let (one, other) = (public(&sealed()), public(&again));
    // What both have is the digest of no records: that somebody has none is public.
    let both: Vec<&B256> = one.intersection(&other).collect();
    assert_eq!(both, [&section_element(&[])]);
}
