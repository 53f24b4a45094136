//! The proof of one record, made from the chain alone.

use std::collections::BTreeSet;

use alloy_sol_types::SolCall;
use gridtally_core::explanations;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_settlement::{
    BatchHeader, Code, DataKind, KnownSection, MeterKey, Opened, Record, RecordLeaf, RecordProof,
    SealedElements, SignedReading, section_element,
};

use crate::abi::batch::BatchSettlement;
use crate::abi::demand::DemandProver::answerRecordCall;
use crate::batch_call::Demanded;
use crate::batch_data::{BatchData, DataError};
use crate::batch_deploy::BatchLedger;
use crate::batch_view::TrackedBatch;
use crate::blob_source::{BlobSource, BlobSourceError};
use crate::client::BlockId;
use crate::deploy::{Question, ReadError};
use crate::section_source::SectionSourceError;
use crate::watch::{WatchReport, Watcher};

/// Which record is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedRecord {
    /// Whose.
    pub participant: ParticipantNumber,
    /// The period.
    pub period: SettlementPeriod,
    /// 0 for the regular record, R for that of the R-th correction run.
    pub run: u32,
    /// The slot.
    pub slot: Slot,
    /// What was metered; `None` where there is only one.
    pub code: Option<Code>,
}

impl WantedRecord {
    fn is(&self, record: &Record) -> bool {
        record.participant() == self.participant
            && record.slot() == self.slot
            && self.code.is_none_or(|code| record.code() == code)
    }

    /// Returns where it stands among these records.
    fn place_in<'a>(
        &self,
        records: impl Iterator<Item = &'a Record>,
    ) -> Result<Option<usize>, ExportError> {
        let found: Vec<_> = records.enumerate().filter(|(_, record)| self.is(record)).collect();
        if let [_, _, ..] = found[..] {
            let codes = found.iter().map(|(_, record)| record.code().to_string());
            let codes = codes.collect::<Vec<_>>().join(", ");
            return Err(ExportError::Ambiguous { participant: self.participant.0, codes });
        }
        Ok(found.first().map(|(place, _)| *place))
    }
}

/// The records of a batch, as far as they are known here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownRecords {
    /// Those that are known, ascending by key.
    pub records: Vec<Record>,
    /// Who has others: the batch is sealed, and their sections were erased, or were not delivered.
    pub hidden: BTreeSet<ParticipantNumber>,
}

/// Why a record has no proof, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The published data cannot be asked for.
    #[error("{0}")]
    Data(#[from] DataError),
    /// Nobody has the data of the batch, or of one before it.
    #[error("nobody has what batch {seq} published")]
    DataMissing {
        /// Its number.
        seq: u64,
    },
    /// The batch, or one before it, is not valid.
    #[error("batch {seq} is not valid, or built on one that is not")]
    Invalid {
        /// Its number.
        seq: u64,
    },
    /// Nobody delivered the section in which the record would be.
    #[error("the section of participant {participant} in batch {seq} is not here, or is not right")]
    Sealed {
        /// Number of the batch.
        seq: u64,
        /// Whose.
        participant: u32,
    },
    /// Sections cannot be read.
    #[error(transparent)]
    Sections(#[from] SectionSourceError),
    /// There is no such record.
    #[error("participant {participant} has no such record in period {period}, run {run}")]
    NotFound {
        /// Whose.
        participant: u32,
        /// The period.
        period: u32,
        /// The run.
        run: u32,
    },
    /// There are several.
    #[error("participant {participant} has records of several codes in this slot: {codes}")]
    Ambiguous {
        /// Whose.
        participant: u32,
        /// The codes.
        codes: String,
    },
    /// A contract cannot be asked.
    #[error(transparent)]
    Read(#[from] ReadError),
}

explanations! {
    ExportError {
        Data(error);
        DataMissing: "export-data-missing" "nobody has what the batch of the record, or one before it, published"
            "name an archive of batches with --archive";
        Invalid: "export-batch-invalid" "the batch of the record breaks a rule, or is built on one that does"
            "prove it wrong with gridtally watch --act";
        Sealed: "export-section-missing" "the batch of the record is sealed, and its section was not delivered"
            "name the folder with what the hub delivered with --sections";
        Sections(error);
        NotFound: "export-record-missing" "there is no such record in the batches that stand"
            "check participant, period, run and slot; a reading may be settled in a correction run";
        Ambiguous: "export-record-ambiguous" "the participant has several records in the slot"
            "name one with --code";
        Read(error);
    }
}

impl Watcher {
    /// Returns the proof of a record, with the headers from the newest final batch down to the record's where it is final.
    ///
    /// # Errors
    ///
    /// Returns the first [`ExportError`] in the order of its variants.
    pub async fn export_record(&self, wanted: &WantedRecord) -> Result<RecordProof, ExportError> {
        for batch in self.view().batches() {
            if (batch.header.period, batch.header.run) != (wanted.period, wanted.run) {
                continue;
            }
            if batch.header.data_kind == DataKind::SealedBlob {
                if let Some(proof) = self.export_sealed(batch, wanted).await? {
                    return Ok(proof);
                }
                continue;
            }
            let records = self.records_of(batch).await?;
            if let Some(place) = wanted.place_in(records.iter())? {
                let index = u32::try_from(place).unwrap_or(u32::MAX);
                return self.prove_record(batch, records, index).await;
            }
        }
        let WantedRecord { participant, period, run, .. } = *wanted;
        Err(ExportError::NotFound { participant: participant.0, period: period.0, run })
    }

    /// Returns the proof of a record of a sealed batch, from the section that was delivered.
    async fn export_sealed(
        &self,
        batch: &TrackedBatch,
        wanted: &WantedRecord,
    ) -> Result<Option<RecordProof>, ExportError> {
        let header = &batch.header;
        let (seq, participant) = (header.seq, wanted.participant);
        let missing = || ExportError::Sealed { seq, participant: participant.0 };
        let delivered = self.delivered(header, participant)?.ok_or_else(missing)?;
        let is_own = delivered.section.account.participant == participant;
        if !is_own || delivered.section.check(header).is_err() {
            return Err(missing());
        }
        let known = KnownSection::from(&delivered.section);
        let records = known.leaves.iter().map(|(leaf, _)| &leaf.record);
        let Some(place) = wanted.place_in(records)? else { return Ok(None) };
        let opened = known.open(place, header.count).ok_or_else(missing)?;
        let table = self.view().table(header.period).ok_or(ExportError::Invalid { seq })?;
        let reading = SignedReading::of_record(header.period, header.run, &opened.leaf.record);
        let kept = delivered.signatures.get(place).cloned().flatten();
        let signature = match (self.shown_signature(batch, opened.index).await?, reading) {
            (Some(signature), _) => Some(signature),
            (None, Some(reading)) => {
                self.ledger().valid_signature(&reading, kept.into_iter().collect()).await?
            }
            (None, None) => None,
        };
        let domain = self.ledger().deployment().domain();
        let chain = self.chain_down_to(batch);
        Ok(Some(RecordProof::new(&domain, &opened, &chain, table, signature)))
    }

    /// Returns the records that a batch published, wherever they are found. Whether they are what it committed is for
    /// [`poll`](Self::poll) to judge.
    ///
    /// # Errors
    ///
    /// Returns [`ExportError::Data`] or [`ExportError::DataMissing`].
    pub async fn records_of(&self, batch: &TrackedBatch) -> Result<Vec<Record>, ExportError> {
        let seq = batch.header.seq;
        let data = self.ledger().data_of(batch, self.sources()).await?;
        let data = data.ok_or(ExportError::DataMissing { seq })?;
        let records = data.published().records(batch.header.count as usize);
        Ok(records.map(|(record, _)| record).collect())
    }

    /// Returns the records of a batch: those that it published, or where it is sealed, those in the sections that are here.
    ///
    /// # Errors
    ///
    /// Returns [`ExportError::Data`], [`ExportError::DataMissing`] or [`ExportError::Sections`].
    pub async fn known_records_of(
        &self,
        batch: &TrackedBatch,
    ) -> Result<KnownRecords, ExportError> {
        let header = &batch.header;
        if header.data_kind != DataKind::SealedBlob {
            let records = self.records_of(batch).await?;
            return Ok(KnownRecords { records, hidden: BTreeSet::new() });
        }
        let missing = || ExportError::DataMissing { seq: header.seq };
        let data = self.ledger().data_of(batch, self.sources()).await?.ok_or_else(missing)?;
        let BatchData::Blobs { blobs, .. } = &data else { return Err(missing()) };
        let elements = SealedElements::read(blobs, header.account_count).ok_or_else(missing)?;
        let nothing = section_element(&[]);
        let deliveries = self.deliveries(header)?;
        let mut known = KnownRecords::default();
        for participant in (0..header.account_count).map(ParticipantNumber) {
            if elements.section(participant) == Some(&nothing) {
                continue;
            }
            let delivered = match &deliveries {
                Some(deliveries) => deliveries.section(participant)?,
                None => None,
            };
            let section = delivered.map(|delivered| delivered.section).filter(|section| {
                let is_own = section.account.participant == participant;
                is_own && section.check(header).is_ok()
            });
            match section {
                Some(section) => {
                    known.records.extend(section.leaves.iter().map(|leaf| leaf.record));
                }
                None => drop(known.hidden.insert(participant)),
            }
        }
        Ok(known)
    }

    async fn prove_record(
        &self,
        batch: &TrackedBatch,
        records: Vec<Record>,
        index: u32,
    ) -> Result<RecordProof, ExportError> {
        let header = &batch.header;
        let seq = header.seq;
        let built = self.rebuild(header, &records).ok_or_else(|| match self.stopped_at() {
            Some(&WatchReport::DataMissing { seq }) => ExportError::DataMissing { seq },
            _ => ExportError::Invalid { seq },
        })?;
        let opened = built.open_record(index).ok_or(ExportError::Invalid { seq })?;
        let table = self.view().table(header.period).ok_or(ExportError::Invalid { seq })?;
        let domain = self.ledger().deployment().domain();
        let signature = match self.shown_signature(batch, index).await? {
            Some(signature) => Some(signature),
            None => self.kept_signature(batch, &opened).await?,
        };
        Ok(RecordProof::new(&domain, &opened, &self.chain_down_to(batch), table, signature))
    }

    /// Returns the signature that an archive of batches has, if it is one of the record's.
    async fn kept_signature(
        &self,
        batch: &TrackedBatch,
        opened: &Opened<RecordLeaf>,
    ) -> Result<Option<Vec<u8>>, ExportError> {
        let header = &batch.header;
        let reading = SignedReading::of_record(header.period, header.run, &opened.leaf.record);
        let Some(reading) = reading else { return Ok(None) };
        let mut kept = Vec::new();
        for source in self.sources() {
            if let BlobSource::Archive(archive) = source {
                let signatures = archive.signatures(header.record_root, header.count, opened.index);
                let signatures = signatures.await.map_err(BlobSourceError::from);
                kept.extend(signatures.map_err(DataError::from)?);
            }
        }
        Ok(self.ledger().valid_signature(&reading, kept).await?)
    }

    /// Returns the signature that the hub showed on demand, if anybody demanded the record: the contract has checked it.
    async fn shown_signature(
        &self,
        batch: &TrackedBatch,
        index: u32,
    ) -> Result<Option<Vec<u8>>, ExportError> {
        let demand = self.view().demand(batch.header.seq, Demanded::Record(index));
        let Some(transaction) = demand.and_then(|demand| demand.answer) else { return Ok(None) };
        let prover = self.ledger().deployment().demand_prover;
        let inputs = self.ledger().inputs_of(transaction, prover).await.map_err(DataError::from)?;
        let calls = inputs.iter().filter_map(|input| answerRecordCall::abi_decode(input).ok());
        let mut signatures = calls
            .filter(|call| call.l.index == index && call.h.seq == batch.header.seq)
            .map(|call| call.signature.to_vec());
        Ok(signatures.find(|signature| !signature.is_empty()))
    }

    /// Returns the headers from the newest final batch down to this one, or this one alone where it is not final.
    fn chain_down_to(&self, batch: &TrackedBatch) -> Vec<BatchHeader> {
        let batches = self.view().batches();
        let finals = batches.iter().rev().filter(|other| other.is_final);
        let chain = finals.take_while(|other| other.header.seq > batch.header.seq);
        let chain = chain.map(|other| other.header.clone());
        chain.chain([batch.header.clone()]).collect()
    }
}

impl BatchLedger {
    /// Asks the contract whether the first of these headers is final, each the child of the next, and whether the record is in
    /// the last: one call, which costs nothing.
    ///
    /// # Errors
    ///
    /// Returns [`ReadError::Refused`] where the contract says no.
    pub async fn verify_record(
        &self,
        headers: &[BatchHeader],
        leaf: &Opened<RecordLeaf>,
    ) -> Result<(), ReadError> {
        let chain = headers.iter().map(Into::into).collect();
        let call = BatchSettlement::verifyRecordCall { chain, l: leaf.into() };
        self.core_question().call(call).await.map(drop)
    }

    /// Returns the key of a participant's meter, or `None` for one without.
    ///
    /// # Errors
    ///
    /// Returns a [`ReadError`].
    pub async fn meter_of(
        &self,
        participant: ParticipantNumber,
    ) -> Result<Option<MeterKey>, ReadError> {
        let number = participant.0;
        let ask = self.core_question();
        let found = ask.call(BatchSettlement::participantCall { number }).await?;
        if !found.meter.is_zero() {
            return Ok(Some(MeterKey::Secp256k1(found.meter)));
        }
        let key = ask.call(BatchSettlement::p256KeyOfCall { number }).await?;
        let is_set = !key._0.is_zero() || !key._1.is_zero();
        Ok(is_set.then_some(MeterKey::P256 { x: key._0, y: key._1 }))
    }

    /// Returns the keys that may sign a reading of a participant: its meter's, and in corrections the metering operator's too.
    ///
    /// # Errors
    ///
    /// Returns a [`ReadError`].
    pub async fn keys_of(
        &self,
        participant: ParticipantNumber,
        run: u32,
    ) -> Result<Vec<MeterKey>, ReadError> {
        let meter = self.meter_of(participant).await?;
        let operator = self.deployment().terms.offices.metering_operator;
        let operator = (run > 0).then_some(MeterKey::Secp256k1(operator));
        Ok(meter.into_iter().chain(operator).collect())
    }

    /// Returns the first of these signatures that one of the keys made which may sign the reading.
    pub(crate) async fn valid_signature(
        &self,
        reading: &SignedReading,
        signatures: Vec<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        if signatures.is_empty() {
            return Ok(None);
        }
        let keys = self.keys_of(reading.participant, reading.run).await?;
        let digest = reading.digest(&self.deployment().domain());
        let is_valid =
            |signature: &Vec<u8>| keys.iter().any(|key| key.check(&digest, signature).is_ok());
        Ok(signatures.into_iter().find(is_valid))
    }

    pub(crate) const fn core_question(&self) -> Question<'_> {
        let contract = self.deployment().core;
        Question { client: self.client(), contract, at: BlockId::Latest }
    }
}
