//! Random proofs against honest sealed batches: none succeeds.

use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Amount;
use gridtally_ledger::{Call, Demanded, SendError, Sender};
use gridtally_settlement::{
    AccountLeaf, FraudProof, KnownSection, Opened, RecordLeaf, SectionProof,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::sealed::commit_honest;
use super::sealed_stage::{AUDITOR, SealedStage};
use crate::town::{brisk, key};

/// How many proofs are tried, unless the variable says otherwise.
const PROBES: u32 = 300;
const PROBES_VARIABLE: &str = "GRIDTALLY_TEST_PROBES";

#[tokio::test]
async fn no_random_proof_succeeds_against_an_honest_sealed_batch() {
    let probes = std::env::var(PROBES_VARIABLE).ok();
    let probes = probes.map_or(PROBES, |count| count.parse().expect("a number of probes"));
    let mut stage = SealedStage::new(61).await;
    commit_honest(&mut stage, 3).await;
    let mut hub = stage.hub();
    hub.poll().await.unwrap();
    let [.., parent, batch] = hub.watcher().view().batches() else { panic!("three batches") };
    let (parent, header) = (parent.header.clone(), batch.header.clone());
    let ledger = &stage.stage.ledger;
    let auditor = Sender::new(stage.stage.node.client.clone(), key(AUDITOR), brisk());
    // All sections are shown, so that nothing but the rules stands in the way.
    for number in 0..header.account_count {
        auditor.send(ledger.demand_call(&header, Demanded::Section(number))).await.unwrap();
    }
    hub.poll().await.unwrap();
    let store = stage.store();
    let [before, after] = [&parent, &header].map(|header| store.batch(header).unwrap().unwrap());
    let sections: Vec<KnownSection> = (0..header.account_count)
        .map(|number| KnownSection::from(&after.section(ParticipantNumber(number)).unwrap()))
        .collect();
    let accounts: Vec<Opened<AccountLeaf>> = (0..parent.account_count)
        .filter_map(|number| before.open_account(ParticipantNumber(number)))
        .collect();
    let leaves: Vec<Opened<RecordLeaf>> =
        (0..header.count).filter_map(|index| Some(after.open_record(index)?.0)).collect();
    let table = stage.stage.town.tables[&header.period].clone();
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut world = World { random: &mut random, leaves, sections, accounts };
    for probe in 0..probes {
        let call: Option<Call> = if probe % 3 == 0 {
            let proof = world.leaf_proof();
            ledger.prove_call(&proof, &header, &parent, &table, None)
        } else {
            ledger.prove_section_call(&world.section_proof(), &header, &parent, None)
        };
        let sent = auditor.send(call.expect("no proof of data")).await;
        assert!(matches!(sent, Err(SendError::Refused { .. })), "probe {probe}: {sent:?}");
    }
    assert!(ledger.is_pending(header.seq, header.hash()).await.unwrap());
}

/// What an attacker has who knows everything.
struct World<'a> {
    random: &'a mut ChaCha8Rng,
    leaves: Vec<Opened<RecordLeaf>>,
    sections: Vec<KnownSection>,
    accounts: Vec<Opened<AccountLeaf>>,
}

impl World<'_> {
    /// A record of the batch, mostly as it is.
    fn leaf(&mut self) -> Opened<RecordLeaf> {
        let mut leaf = self.leaves[self.random.random_range(0..self.leaves.len())].clone();
        match self.random.random_range(0..12) {
            0 => leaf.leaf.amount = Amount::from_micro(leaf.leaf.amount.micro() ^ 1),
            1 => leaf.leaf.balance_after = Amount::from_micro(leaf.leaf.balance_after.micro() ^ 1),
            2 => leaf.salt = Some(self.random.random()),
            3 => leaf.index ^= 1,
            4 => drop(leaf.path.pop()),
            _ => {}
        }
        leaf
    }

    fn leaf_or_none(&mut self) -> Option<Opened<RecordLeaf>> {
        self.random.random_bool(0.7).then(|| self.leaf())
    }

    /// An account before the batch, mostly as it is.
    fn old(&mut self) -> Option<Opened<AccountLeaf>> {
        let mut old = self.accounts[self.random.random_range(0..self.accounts.len())].clone();
        match self.random.random_range(0..10) {
            0 => return None,
            1 => old.leaf.payable_micro ^= 1,
            2 => old.salt = Some(self.random.random()),
            _ => {}
        }
        Some(old)
    }

    /// An account after the batch.
    fn new_account(&mut self) -> Opened<AccountLeaf> {
        let mut new =
            self.sections[self.random.random_range(0..self.sections.len())].account.clone();
        match self.random.random_range(0..8) {
            0 => new.leaf.balance = Amount::from_micro(new.leaf.balance.micro() ^ 1),
            1 => new.salt = Some(self.random.random()),
            _ => {}
        }
        new
    }

    fn participant(&mut self) -> ParticipantNumber {
        ParticipantNumber(self.random.random_range(0..u32::try_from(self.sections.len()).unwrap()))
    }

    fn section_proof(&mut self) -> SectionProof {
        match self.random.random_range(0..5) {
            0 => SectionProof::Opening { leaf: self.leaf(), old: self.old() },
            1 => {
                let (new, old) = (self.new_account(), self.old());
                // Often all of one participant, and then the right last record or another.
                let own = new.leaf.participant;
                let is_own = self.random.random_bool(0.6);
                let old = if is_own {
                    self.accounts.get(usize::try_from(own.0).unwrap()).cloned()
                } else {
                    old
                };
                SectionProof::Account { new, old, last: self.leaf_or_none() }
            }
            2 => SectionProof::Deposit {
                entry: self.random.random_range(0..40),
                participant: self.participant(),
                left: self.leaf_or_none(),
                right: self.leaf_or_none(),
            },
            3 => SectionProof::Foreign { participant: self.participant(), leaf: self.leaf() },
            _ => {
                let left = self.random.random_bool(0.8).then(|| self.participant());
                let right = self.random.random_bool(0.8).then(|| self.participant());
                SectionProof::Apart { left, right }
            }
        }
    }

    fn leaf_proof(&mut self) -> FraudProof {
        match self.random.random_range(0..7) {
            0 => FraudProof::Record { leaf: self.leaf() },
            1 => FraudProof::Pair { left: self.leaf(), right: self.leaf() },
            2 => FraudProof::Edge { leaf: self.leaf() },
            3 => {
                let (leaf, previous) = (self.leaf(), self.leaf_or_none());
                FraudProof::Opening { leaf, previous, old: self.old() }
            }
            4 => {
                let (new, old) = (self.new_account(), self.old());
                let (last, next) = (self.leaf_or_none(), self.leaf_or_none());
                FraudProof::Account { new, old, last, next }
            }
            5 => {
                let (left, right) = (self.leaf_or_none(), self.leaf_or_none());
                FraudProof::DepositOmitted { entry: self.random.random_range(0..40), left, right }
            }
            _ => {
                let (account, old) = (self.new_account(), self.old());
                FraudProof::ExitIgnored { entry: self.random.random_range(0..40), account, old }
            }
        }
    }
}
