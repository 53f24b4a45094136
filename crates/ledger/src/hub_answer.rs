//! The hub's answers: what is demanded of a batch is shown, and one demand that cannot be answered keeps no other from its answer.

use gridtally_core::party::ParticipantNumber;
use gridtally_settlement::{Batch, BatchHeader, DataKind, GROUP_LEAVES, Opened, SignedReading};
use tracing::warn;

use crate::batch_call::Demanded;
use crate::batch_deploy::BatchLedger;
use crate::batch_view::TrackedBatch;
use crate::hub::{Hub, HubError, HubReport, Signatures};
use crate::publication::PublicationError;
use crate::section_store::KeptBatch;
use crate::send_error::SendError;
use crate::sender::Call;

/// The one signature that is shown, for the one reading that is demanded.
struct Chosen(Option<Vec<u8>>);

impl Signatures for Chosen {
    fn signature(&self, _: &SignedReading) -> Option<Vec<u8>> {
        self.0.clone()
    }
}

impl<S: Signatures> Hub<S> {
    /// Answers what is demanded of a batch.
    pub(crate) async fn answer(
        &self,
        batch: &TrackedBatch,
        reports: &mut Vec<HubReport>,
    ) -> Result<(), HubError> {
        let (header, seq) = (&batch.header, batch.header.seq);
        let open = self.watcher().view().demands(seq).filter(|(_, state)| state.answer.is_none());
        let open: Vec<Demanded> = open.map(|(demanded, _)| demanded).collect();
        if open.is_empty() {
            return Ok(());
        }
        if header.data_kind == DataKind::SealedBlob {
            let kept = self.kept(header)?.ok_or(HubError::DataMissing { seq })?;
            for demanded in open {
                let chosen = self.chosen_sealed(header, &kept, demanded).await?;
                let ledger = self.watcher().ledger();
                let call = ledger.answer_sealed_call(header, &kept, demanded, &chosen);
                reports.push(self.show(seq, demanded, call).await?);
            }
            return Ok(());
        }
        let records = self.watcher().records(seq);
        let built = records.and_then(|records| self.watcher().rebuild(header, records));
        let built = built.ok_or(HubError::ParentInvalid { seq })?;
        for demanded in open {
            let chosen = self.chosen(header, &built, demanded).await?;
            let call = self.watcher().ledger().answer_call(header, &built, demanded, &chosen);
            reports.push(self.show(seq, demanded, call).await?);
        }
        Ok(())
    }

    async fn show(
        &self,
        seq: u64,
        demanded: Demanded,
        call: Option<Call>,
    ) -> Result<HubReport, HubError> {
        let Some(call) = call else { return Ok(HubReport::NoAnswer { seq, demanded }) };
        match self.sender().send(call).await {
            Ok(_) => Ok(HubReport::Answered { seq, demanded }),
            Err(error @ SendError::Refused { .. }) => {
                warn!(seq, %demanded, %error, "answer refused");
                Ok(HubReport::NoAnswer { seq, demanded })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns a signature of a record that the contract takes: one that was handed in, or else one that the archive has.
    async fn chosen(
        &self,
        header: &BatchHeader,
        batch: &Batch,
        demanded: Demanded,
    ) -> Result<Chosen, HubError> {
        let Demanded::Record(index) = demanded else { return Ok(Chosen(None)) };
        let leaf = usize::try_from(index).ok().and_then(|index| batch.leaves.get(index));
        let reading =
            leaf.and_then(|leaf| SignedReading::of_record(header.period, header.run, &leaf.record));
        let Some(reading) = reading else { return Ok(Chosen(None)) };
        let ledger = self.watcher().ledger();
        let handed_in = self.signatures().signature(&reading).into_iter().collect();
        let valid = ledger.valid_signature(&reading, handed_in).await?;
        let (None, Some(archive)) = (&valid, self.archive()) else { return Ok(Chosen(valid)) };
        let kept = archive.signatures(header.record_root, header.count, index);
        let kept = kept.await.map_err(PublicationError::from)?;
        Ok(Chosen(ledger.valid_signature(&reading, kept).await?))
    }

    async fn chosen_sealed(
        &self,
        header: &BatchHeader,
        kept: &KeptBatch,
        demanded: Demanded,
    ) -> Result<Chosen, HubError> {
        let Demanded::Record(index) = demanded else { return Ok(Chosen(None)) };
        let Some((leaf, stored)) = kept.open_record(index) else { return Ok(Chosen(None)) };
        let reading = SignedReading::of_record(header.period, header.run, &leaf.leaf.record);
        let Some(reading) = reading else { return Ok(Chosen(None)) };
        let handed_in = self.signatures().signature(&reading);
        let candidates = handed_in.into_iter().chain(stored.map(<[u8]>::to_vec)).collect();
        Ok(Chosen(self.watcher().ledger().valid_signature(&reading, candidates).await?))
    }
}

impl BatchLedger {
    /// Returns the answer to a demand on a batch, or `None` where the batch has no such thing or nobody handed in the signature.
    #[must_use]
    pub fn answer_call(
        &self,
        header: &BatchHeader,
        batch: &Batch,
        demanded: Demanded,
        signatures: &impl Signatures,
    ) -> Option<Call> {
        Some(match demanded {
            Demanded::Record(index) => {
                let leaf = batch.open_record(index)?;
                let record = &leaf.leaf.record;
                let signature = match SignedReading::of_record(header.period, header.run, record) {
                    Some(reading) => signatures.signature(&reading)?,
                    None => Vec::new(),
                };
                self.answer_record_call(header, &leaf, signature)
            }
            Demanded::Account(index) => {
                let participant = ParticipantNumber(index);
                let leaf = batch.accounts.leaf(participant)?;
                let path = batch.account_tree.path(usize::try_from(index).ok()?)?;
                self.answer_account_call(header, &Opened { index, leaf, salt: None, path })
            }
            Demanded::RecordRow => self.answer_row_call(header, demanded, batch.record_tree.row()),
            Demanded::AccountRow => {
                self.answer_row_call(header, demanded, batch.account_tree.row())
            }
            Demanded::RecordGroup(group) => {
                let group = usize::try_from(group).ok()?;
                let leaves = batch.leaves.chunks(GROUP_LEAVES).nth(group)?;
                let packed = leaves.iter().flat_map(|leaf| leaf.preimage()[1..].to_vec()).collect();
                let path = batch.record_tree.group_path(group)?;
                self.answer_group_call(header, demanded, packed, &path)
            }
            Demanded::AccountGroup(group) => {
                let group = usize::try_from(group).ok()?;
                let leaves: Vec<_> = batch.accounts.leaves().collect();
                let leaves = leaves.chunks(GROUP_LEAVES).nth(group)?;
                let packed = leaves.iter().flat_map(|leaf| leaf.preimage()[5..].to_vec()).collect();
                let path = batch.account_tree.group_path(group)?;
                self.answer_group_call(header, demanded, packed, &path)
            }
            // Open batches have no sections.
            Demanded::Section(_) => return None,
        })
    }
}
