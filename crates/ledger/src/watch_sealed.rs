//! The watcher over sealed batches: what everybody can tell, what a participant can tell about itself, what an auditor can.
//!
//! ```text
//! blobs --> account leaves = account root?                        everybody
//!      \--> section delivered, or shown on demand? --> judged     its participant
//!                              all of them --> rule engine        the auditor
//! ```
//!
//! What is not delivered is demanded, and the watcher goes on meanwhile: a batch is judged again when more of it is known.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_settlement::{
    AccountLeaf, Answers, BatchHeader, Before, CommittedBatch, FraudProof, KnownSection, Need,
    Opened, PartVerdict, Revealed, SealedElements, SealedProof, SealedViolation, SectionAnswers,
    SectionCase, SectionGap, SectionNeed, SectionProof, SignedReading, Tree, judge_account_leaves,
    judge_partly, judge_sections, know_section, sections_apart, state_of_sections,
};
use tracing::{info, warn};

use crate::batch_answer::reveal_sealed;
use crate::batch_call::Demanded;
use crate::batch_data::BatchData;
use crate::batch_view::TrackedBatch;
use crate::section_source::{
    Delivered, Deliveries, SectionReader, SectionSource, SectionSourceError,
};
use crate::watch::{Outcome, WatchError, WatchReport, Watcher, demanded};

/// Open demands on a batch beyond which the contract doubles the bond.
const OPEN_MAX: usize = 16;
/// Time for demands, from the commit on, s.
const WINDOW_S: u64 = 7 * 86_400;

/// What is known after a batch whose accounts are not all known.
#[derive(Debug, Clone)]
pub(crate) struct VeiledState {
    pub(crate) header: BatchHeader,
    /// The tree over the published account leaves; none after an open batch.
    account_tree: Option<Tree>,
    /// The accounts that are known, with their paths.
    accounts: BTreeMap<ParticipantNumber, Opened<AccountLeaf>>,
}

/// What a watcher reads of sealed batches.
#[derive(Debug, Default)]
pub(crate) struct SealedWatch {
    source: Option<(SectionSource, SectionReader)>,
    /// The states after batches that leave accounts unknown, by sequence number.
    veiled: BTreeMap<u64, VeiledState>,
    /// What is still to be shown of pending batches, by header hash.
    withheld: BTreeMap<B256, Withheld>,
    /// Which demands were told of.
    told: BTreeSet<(B256, Demanded)>,
}

/// What is still to be shown of a batch.
#[derive(Debug)]
struct Withheld {
    needs: BTreeSet<SectionNeed>,
    /// By which it is seen whether a section that comes late is the one that was published.
    elements: SealedElements,
}

impl SealedWatch {
    pub(crate) fn last(&self) -> Option<u64> {
        self.veiled.last_key_value().map(|(&seq, _)| seq)
    }

    pub(crate) fn state(&self, seq: u64) -> Option<&VeiledState> {
        self.veiled.get(&seq)
    }

    /// Drops the states of batches that do not stand, and what is beyond the number that is kept.
    pub(crate) fn retain(&mut self, stands: impl Fn(u64, &BatchHeader) -> bool, kept: usize) {
        self.veiled.retain(|&seq, state| stands(seq, &state.header));
        while self.veiled.len() > kept {
            self.veiled.pop_first();
        }
    }

    pub(crate) fn insert(&mut self, state: VeiledState) {
        self.veiled.insert(state.header.seq, state);
    }
}

impl VeiledState {
    /// Returns the state after a sealed batch of which nothing but hashes is known.
    pub(crate) const fn new(header: BatchHeader, account_tree: Option<Tree>) -> Self {
        Self { header, account_tree, accounts: BTreeMap::new() }
    }
}

/// What was found about the sections that are read.
struct Look {
    known: Vec<KnownSection>,
    needs: BTreeSet<SectionNeed>,
    /// Sections that were erased: nobody can show them.
    erased: u32,
    /// What a reader may tell before: accounts before the batch, from files.
    before: BTreeMap<ParticipantNumber, Opened<AccountLeaf>>,
    violation: Option<SealedViolation>,
}

/// What everybody sees of a sealed batch.
struct Seen<'a> {
    data: &'a BatchData,
    elements: SealedElements,
    answers: SectionAnswers,
}

impl Watcher {
    /// Reads the content of sealed batches where the hub delivered it: for participants, who judge what is about themselves, or as
    /// the auditor, who has all sections and judges every rule. What is withheld is demanded, which needs a sender whose address is
    /// the participant's payout address or the auditor's.
    #[must_use]
    pub fn with_sections(mut self, source: SectionSource, reader: SectionReader) -> Self {
        self.read_sections(source, reader);
        self
    }

    pub(crate) fn read_sections(&mut self, source: SectionSource, reader: SectionReader) {
        self.sealed.source = Some((source, reader));
    }

    /// Returns a participant's section of a batch as it was delivered. Nothing of it is checked.
    pub(crate) fn delivered(
        &self,
        header: &BatchHeader,
        participant: ParticipantNumber,
    ) -> Result<Option<Delivered>, SectionSourceError> {
        match &self.sealed.source {
            Some((source, _)) => source.of(header)?.section(participant),
            None => Ok(None),
        }
    }

    /// Returns the sections of a batch, where any are read.
    pub(crate) fn deliveries(
        &self,
        header: &BatchHeader,
    ) -> Result<Option<Deliveries>, SectionSourceError> {
        self.sealed.source.as_ref().map(|(source, _)| source.of(header)).transpose()
    }

    /// Returns the hashes of all accounts after a sealed batch, as they are published.
    pub(crate) fn account_tree_after(&self, seq: u64) -> Option<&Tree> {
        self.sealed.state(seq)?.account_tree.as_ref()
    }

    /// Returns a participant's account after a batch, as far as this watcher knows it.
    #[must_use]
    pub fn account_after(
        &self,
        seq: u64,
        participant: ParticipantNumber,
    ) -> Option<Opened<AccountLeaf>> {
        if let Some(state) = self.state(seq) {
            return state.open_account(participant);
        }
        self.sealed.state(seq)?.accounts.get(&participant).cloned()
    }

    /// Judges a sealed batch as far as this watcher can read it.
    pub(crate) async fn judge_sealed(
        &mut self,
        batch: &TrackedBatch,
        data: &BatchData,
    ) -> Result<WatchReport, WatchError> {
        let (header, seq) = (&batch.header, batch.header.seq);
        let BatchData::Blobs { blobs, .. } = data else {
            return Ok(WatchReport::DataMissing { seq });
        };
        // The contract takes no commit with too few blobs.
        let Some(elements) = SealedElements::read(blobs, header.account_count) else {
            return Ok(WatchReport::DataMissing { seq });
        };
        let (revealed, answers) = self.sealed_answers(batch).await?;
        let tree = match judge_account_leaves(header, &elements, &revealed) {
            Ok(tree) => tree,
            Err(Ok(need)) => {
                return self.demand(batch, account_demand(need)).await;
            }
            Err(Err(violation)) => return self.prove_sealed(batch, &violation, data).await,
        };
        let seen = Seen { data, elements, answers };
        let look = self.look_at_sections(batch, &seen).await?;
        if let Some(violation) = &look.violation {
            return self.prove_sealed(batch, violation, data).await;
        }
        self.settle_sealed(batch, tree, look, seen).await
    }

    /// Takes in a sealed batch in which nothing wrong was found section by section.
    async fn settle_sealed(
        &mut self,
        batch: &TrackedBatch,
        tree: Tree,
        look: Look,
        seen: Seen<'_>,
    ) -> Result<WatchReport, WatchError> {
        let (header, seq) = (&batch.header, batch.header.seq);
        let read = u32::try_from(look.known.len()).unwrap_or(u32::MAX);
        let withheld = look.needs.iter().map(|need| participant_of(*need));
        let withheld = withheld.collect::<BTreeSet<_>>().len();
        let report = WatchReport::Sealed {
            seq,
            count: header.count,
            sections: header.account_count,
            read,
            withheld: u32::try_from(withheld).unwrap_or(u32::MAX),
            erased: look.erased,
        };
        if batch.is_final || self.sender.is_none() || look.needs.is_empty() {
            self.sealed.withheld.remove(&batch.header_hash);
        } else {
            let withheld = Withheld { needs: look.needs, elements: seen.elements };
            self.sealed.withheld.insert(batch.header_hash, withheld);
        }
        if read != header.account_count {
            let mut state = VeiledState::new(header.clone(), Some(tree));
            let accounts = look.known.into_iter();
            state.accounts = accounts.map(|known| (known.participant(), known.account)).collect();
            self.sealed.insert(state);
            return Ok(report);
        }
        // Everything is known, and only what crosses participants is left.
        let reference = self.view().reference(header.period);
        let known = match (self.state(seq - 1), reference) {
            (Some(parent), Some(reference)) => {
                let judged = judge_sections(header, parent, &reference, &look.known);
                judged.map(|judged| judged.map(|state| (state, true)))
            }
            // The accounts before it are not known.
            _ => match sections_apart(header, &look.known) {
                Some(violation) => Some(Err(Box::new(violation))),
                None => state_of_sections(header, &look.known).map(|state| Ok((state, false))),
            },
        };
        match known {
            Some(Ok((state, is_whole))) => {
                self.keep_records(batch, &look.known);
                self.states.insert(seq, state);
                let valid = WatchReport::Valid { seq, count: header.count };
                Ok(if is_whole { valid } else { report })
            }
            Some(Err(violation)) => self.prove_sealed(batch, &violation, seen.data).await,
            // Not reached: sections that were checked one by one, and follow each other.
            None => Ok(WatchReport::DataMissing { seq }),
        }
    }

    fn keep_records(&mut self, batch: &TrackedBatch, known: &[KnownSection]) {
        let header = &batch.header;
        if !batch.is_final || header.run > 0 {
            let records = known.iter().flat_map(|section| &section.leaves);
            let records = records.map(|(leaf, _)| leaf.record).collect();
            self.insert_records(header.seq, records);
        }
    }

    /// Puts together what is known of the sections that are read, and judges each.
    async fn look_at_sections(
        &self,
        batch: &TrackedBatch,
        seen: &Seen<'_>,
    ) -> Result<Look, WatchError> {
        let header = &batch.header;
        let mut look = Look {
            known: Vec::new(),
            needs: BTreeSet::new(),
            erased: 0,
            before: BTreeMap::new(),
            violation: None,
        };
        let Some((source, reader)) = &self.sealed.source else { return Ok(look) };
        let deliveries = source.of(header)?;
        // Each once, and in order, as the rule engine takes them.
        let readers: BTreeSet<ParticipantNumber> = match reader {
            SectionReader::Auditor => (0..header.account_count).map(ParticipantNumber).collect(),
            SectionReader::Participants(participants) => participants
                .iter()
                .copied()
                .filter(|participant| participant.0 < header.account_count)
                .collect(),
        };
        for participant in readers {
            self.look_at_section(participant, header, &deliveries, seen, &mut look).await?;
        }
        let is_auditor = matches!(reader, SectionReader::Auditor);
        let parent = self.parent_of(batch);
        let has_parent = self.state(header.seq - 1).is_some();
        if is_auditor && look.needs.is_empty() && look.erased == 0 && has_parent {
            // The rule engine sees more, and its proofs need no demands.
            return Ok(look);
        }
        let Some(reference) = self.view().reference(header.period) else { return Ok(look) };
        let violation = look.known.iter().find_map(|section| {
            let participant = section.participant();
            let told = self.account_after(header.seq - 1, participant);
            let told = told.or_else(|| look.before.get(&participant).cloned());
            let before =
                Before::of(participant, &parent, self.state(header.seq - 1), told.as_ref());
            let case = SectionCase { header, parent: &parent, section, before: &before };
            case.judge(&reference)
        });
        look.violation = look.violation.or(violation);
        Ok(look)
    }

    async fn look_at_section(
        &self,
        participant: ParticipantNumber,
        header: &BatchHeader,
        deliveries: &Deliveries,
        seen: &Seen<'_>,
        look: &mut Look,
    ) -> Result<(), WatchError> {
        let Seen { elements, answers, .. } = seen;
        // What is final can be neither demanded nor struck down: so much may be erased.
        if self.is_final(header) && deliveries.is_erased(participant) {
            look.erased += 1;
            return Ok(());
        }
        let delivered = deliveries.section(participant)?;
        let section = delivered.as_ref().map(|delivered| &delivered.section);
        match know_section(header, elements, participant, section, answers) {
            Ok(known) => {
                if self.record_demands.is_of(participant) {
                    let signatures = delivered.as_ref().map(|delivered| &delivered.signatures);
                    let signatures = signatures.map_or(&[][..], Vec::as_slice);
                    look.needs.extend(self.unsigned(header, &known, signatures, answers).await?);
                }
                let before = delivered.and_then(|delivered| delivered.before);
                look.before.extend(before.map(|before| (participant, before)));
                look.known.push(known);
            }
            Err(SectionGap::Needs(needs)) => look.needs.extend(needs),
            Err(SectionGap::Violation(violation)) => {
                look.violation.get_or_insert(*violation);
            }
        }
        Ok(())
    }

    fn is_final(&self, header: &BatchHeader) -> bool {
        self.view().final_batches().last().is_some_and(|last| header.seq <= last.header.seq)
    }

    /// Returns the readings of a section for which nobody has shown a signature.
    async fn unsigned(
        &self,
        header: &BatchHeader,
        known: &KnownSection,
        signatures: &[Option<Vec<u8>>],
        answers: &SectionAnswers,
    ) -> Result<Vec<SectionNeed>, WatchError> {
        let participant = known.participant();
        let keys = self.ledger().keys_of(participant, header.run).await?;
        let domain = self.ledger().deployment().domain();
        let mut needs = Vec::new();
        for (place, (leaf, _)) in known.leaves.iter().enumerate() {
            let index = known.first + u32::try_from(place).unwrap_or(u32::MAX);
            let reading = SignedReading::of_record(header.period, header.run, &leaf.record);
            let Some(reading) = reading else { continue };
            let digest = reading.digest(&domain);
            let signature = signatures.get(place).and_then(Option::as_ref);
            let is_signed = signature.is_some_and(|signature| {
                keys.iter().any(|key| key.check(&digest, signature).is_ok())
            });
            // The contract has checked the signature of what was shown.
            if !is_signed && !answers.records.contains_key(&index) {
                needs.push(SectionNeed::Record { participant, index });
            }
        }
        if !needs.is_empty() && !answers.sections.contains_key(&participant) {
            return Ok(vec![SectionNeed::Section(participant)]);
        }
        Ok(needs)
    }

    /// Returns what was shown of a sealed batch on demand: of the account tree, and of sections.
    async fn sealed_answers(
        &self,
        batch: &TrackedBatch,
    ) -> Result<(Revealed<B256>, SectionAnswers), WatchError> {
        let (mut revealed, mut answers) = (Revealed::default(), SectionAnswers::default());
        let prover = self.ledger().deployment().demand_prover;
        for (demanded, state) in self.view().demands(batch.header.seq) {
            let Some(transaction) = state.answer else { continue };
            for input in self.ledger().inputs_of(transaction, prover).await? {
                reveal_sealed(&mut revealed, &mut answers, demanded, &input);
            }
        }
        Ok((revealed, answers))
    }

    /// Proves a sealed batch wrong; where the contract must know first where a section lies, that is demanded.
    async fn prove_sealed(
        &self,
        batch: &TrackedBatch,
        violation: &SealedViolation,
        data: &BatchData,
    ) -> Result<WatchReport, WatchError> {
        let SealedViolation { rule, place, proof } = violation;
        let (header, seq) = (&batch.header, batch.header.seq);
        let fraud = |outcome| WatchReport::Fraud { seq, rule: *rule, place: *place, outcome };
        if batch.is_final {
            return Ok(fraud(Outcome::TooLate));
        }
        if self.sender.is_none() {
            return Ok(fraud(Outcome::Seen));
        }
        if let SealedProof::Section(proof) = proof {
            let is_hidden = |participant: &ParticipantNumber| {
                let shown = self.view().demand(seq, Demanded::Section(participant.0));
                shown.is_none_or(|shown| shown.answer.is_none())
            };
            let hidden = proof.sections(header.account_count).into_iter().filter(is_hidden);
            let mut first = None;
            for participant in hidden.take(OPEN_MAX) {
                let report = self.demand(batch, Demanded::Section(participant.0)).await?;
                if matches!(report, WatchReport::Expired { .. }) {
                    return Ok(report);
                }
                first.get_or_insert(report);
            }
            if let Some(report) = first {
                return Ok(report);
            }
        }
        let parent = self.parent_of(batch);
        let table = self.view().table(header.period);
        let call = match proof {
            SealedProof::Leaf(proof) => table
                .and_then(|table| self.ledger().prove_call(proof, header, &parent, table, None)),
            SealedProof::Section(proof) => {
                let evidence = match proof {
                    SectionProof::PublishedAccount { leaf } => {
                        let participant = ParticipantNumber(leaf.index);
                        let count = header.account_count;
                        let (blob, element) = SealedElements::account_place(participant, count);
                        data.evidence_at(blob, element)
                    }
                    _ => None,
                };
                self.ledger().prove_section_call(proof, header, &parent, evidence)
            }
        };
        match call {
            Some(call) => Ok(fraud(self.send_proof(batch, call).await?)),
            None => Ok(fraud(Outcome::NotSent)),
        }
    }

    /// Judges an open batch on accounts that are not known.
    pub(crate) async fn judge_veiled(
        &mut self,
        batch: &TrackedBatch,
        parent: &BatchHeader,
        data: &BatchData,
        answers: &Answers,
    ) -> Result<Option<WatchReport>, WatchError> {
        let (header, seq) = (&batch.header, batch.header.seq);
        let Some(reference) = self.view().reference(header.period) else { return Ok(None) };
        let committed = CommittedBatch { header, published: data.published() };
        Ok(Some(match judge_partly(committed, parent, &reference, answers) {
            PartVerdict::NothingFound => {
                if !batch.is_final || header.run > 0 {
                    let records = committed.published.records(header.count as usize);
                    let records = records.map(|(record, _)| record).collect();
                    self.insert_records(seq, records);
                }
                self.sealed.insert(VeiledState::new(header.clone(), None));
                WatchReport::Partly { seq, count: header.count }
            }
            PartVerdict::Demand(demand) => self.demand(batch, demanded(demand)).await?,
            PartVerdict::Fraud(violation) => {
                let table = self.view().table(header.period);
                let evidence = match &violation.proof {
                    FraudProof::Data { leaf } => data.evidence(leaf.index),
                    _ => None,
                };
                let call = table.and_then(|table| {
                    self.ledger().prove_call(&violation.proof, header, parent, table, evidence)
                });
                let outcome = match call {
                    _ if batch.is_final => Outcome::TooLate,
                    _ if self.sender.is_none() => Outcome::Seen,
                    Some(call) => self.send_proof(batch, call).await?,
                    None => Outcome::NotSent,
                };
                WatchReport::Fraud { seq, rule: violation.rule, place: violation.place, outcome }
            }
        }))
    }

    /// Forgets the states from the first sealed batch on of which more is known now than when it was judged: so it is judged again.
    pub(crate) fn reopen_sealed(&mut self) -> Result<(), WatchError> {
        let batches = self.view().batches();
        let stands: BTreeSet<B256> = batches.iter().map(|batch| batch.header_hash).collect();
        self.sealed.withheld.retain(|hash, _| stands.contains(hash));
        self.sealed.told.retain(|(hash, _)| stands.contains(hash));
        let mut reopened = None;
        for batch in self.view().batches() {
            let seq = batch.header.seq;
            let Some(withheld) = self.sealed.withheld.get(&batch.header_hash) else { continue };
            for &need in &withheld.needs {
                let state = self.view().demand(seq, demanded_of(need));
                let is_shown = state.is_some_and(|state| state.answer.is_some());
                if is_shown || self.is_delivered(batch, need)? {
                    reopened.get_or_insert((seq, batch.header_hash));
                }
            }
        }
        if let Some((seq, header_hash)) = reopened {
            info!(seq, "more of a sealed batch is known");
            self.sealed.veiled.retain(|&of, _| of < seq);
            self.states.retain(|&of, _| of < seq);
            self.sealed.withheld.remove(&header_hash);
        }
        Ok(())
    }

    /// Demands what was withheld, and lets expire what was not shown in time.
    pub(crate) async fn pursue_sections(&mut self) -> Result<Vec<WatchReport>, WatchError> {
        let mut reports = Vec::new();
        let batches: Vec<TrackedBatch> = self.view().batches().to_vec();
        if self.sealed.withheld.is_empty() || self.sender.is_none() {
            return Ok(reports);
        }
        let now_s = self.ledger().client().block_latest().await?.timestamp;
        for batch in batches {
            let seq = batch.header.seq;
            let Some(withheld) = self.sealed.withheld.get(&batch.header_hash) else { continue };
            let needs = withheld.needs.clone();
            let demands = self.view().demands(seq).filter(|(_, state)| state.answer.is_none());
            let mut open = demands.count();
            for need in needs {
                let demanded = demanded_of(need);
                let state = self.view().demand(seq, demanded);
                let is_late = now_s >= batch.header.committed_at + WINDOW_S
                    && !matches!(need, SectionNeed::Record { .. });
                match state {
                    None if open >= OPEN_MAX || is_late => continue,
                    None => open += 1,
                    Some(_) => {}
                }
                let report = self.demand_section(&batch, need).await?;
                let is_expired = matches!(report, WatchReport::Expired { .. });
                if self.sealed.told.insert((batch.header_hash, demanded)) || is_expired {
                    reports.push(report);
                }
                if is_expired {
                    return Ok(reports);
                }
            }
        }
        Ok(reports)
    }

    /// Whether the hub has delivered in the meantime what it withheld.
    fn is_delivered(&self, batch: &TrackedBatch, need: SectionNeed) -> Result<bool, WatchError> {
        let (Some((source, _)), SectionNeed::Section(participant)) = (&self.sealed.source, need)
        else {
            return Ok(false);
        };
        let Some(withheld) = self.sealed.withheld.get(&batch.header_hash) else { return Ok(false) };
        // A section that is there, and of which signatures are missing.
        let is_there = self.account_after(batch.header.seq, participant).is_some();
        let delivered = source.of(&batch.header)?.section(participant)?;
        let Some(delivered) = delivered.filter(|_| !is_there) else { return Ok(false) };
        let (section, answers) = (Some(&delivered.section), SectionAnswers::default());
        let known = know_section(&batch.header, &withheld.elements, participant, section, &answers);
        Ok(known.is_ok())
    }

    async fn demand_section(
        &self,
        batch: &TrackedBatch,
        need: SectionNeed,
    ) -> Result<WatchReport, WatchError> {
        let demanded = demanded_of(need);
        let (SectionNeed::Record { participant, index }, Some(sender), None) =
            (need, &self.sender, self.view().demand(batch.header.seq, demanded))
        else {
            return self.demand(batch, demanded).await;
        };
        let seq = batch.header.seq;
        let call = self.ledger().demand_record_of_call(&batch.header, participant, index);
        if let Err(error) = sender.send(call).await
            && !self.is_demanded(batch, demanded).await?
        {
            warn!(seq, %error, "demand not carried out");
        }
        Ok(WatchReport::Demanded { seq, demanded })
    }
}

fn account_demand(need: Need) -> Demanded {
    match need {
        Need::Row => Demanded::AccountRow,
        Need::Group(group) => Demanded::AccountGroup(group),
    }
}

const fn demanded_of(need: SectionNeed) -> Demanded {
    match need {
        SectionNeed::Section(participant) => Demanded::Section(participant.0),
        SectionNeed::Account(participant) => Demanded::Account(participant.0),
        SectionNeed::Record { index, .. } => Demanded::Record(index),
    }
}

const fn participant_of(need: SectionNeed) -> ParticipantNumber {
    match need {
        SectionNeed::Section(participant)
        | SectionNeed::Account(participant)
        | SectionNeed::Record { participant, .. } => participant,
    }
}
