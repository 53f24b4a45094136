//! The document in which a section is delivered: to its participant, and to the auditor.
//!
//! ```text
//! key --> records and account --> trees of the batch --> header; before it, the account under the parent's header
//!     \-> digest --> field element of the blob
//! ```

use std::fmt;

use alloy_primitives::{Address, B256, Bytes, FixedBytes};
use gridtally_core::explanations;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::Slot;
use gridtally_core::quantity::{Amount, Price};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use super::batch::{SEALED_ACCOUNTS_MAX, SECTION_RECORDS_MAX};
use super::elements::SealedElements;
use super::{SealedSection, SectionFault, SectionKey, section_element};
use crate::account::Account;
use crate::amount::participant_amount;
use crate::code::{Code, CodeClass};
use crate::header::{BatchHeader, HeaderError};
use crate::kzg::{ElementOpening, is_opening};
use crate::leaf::{AccountLeaf, RecordLeaf};
use crate::opening::Opened;
use crate::published::{BLOBS_MAX, blobs_hash, opening_point};
use crate::record::{Record, RecordError};
use crate::record_proof::decimal;
use crate::signature::Domain;
use crate::tariff_table::{TariffTable, TariffTableError};

/// Largest document of a section, in bytes.
pub const SECTION_FILE_LENGTH_MAX: usize = 4 << 20;

/// Which form of the document this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SectionFileFormat {
    /// The first one.
    #[serde(rename = "gridtally section 1")]
    V1,
}

/// Everything that shows what one participant has in one sealed batch. All of it is personal data, the key above all.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectionFile {
    /// The form.
    pub format: SectionFileFormat,
    /// Chain on which the batch stands.
    pub chain_id: u64,
    /// The core of batch settlement.
    pub contract: Address,
    /// The encoded header of the batch.
    pub header: Bytes,
    /// The encoded header before it.
    pub parent: Bytes,
    /// Number of the participant.
    pub participant: u32,
    /// The key of the section.
    #[serde(with = "section_key")]
    pub key: SectionKey,
    /// Place of the first record in the batch, 0 without records.
    pub first: u32,
    /// The records, in order.
    pub records: Vec<SectionRecord>,
    /// The nodes beside the records in the tree.
    pub path: Vec<B256>,
    /// The account after the batch.
    pub account: SectionAccount,
    /// The account before it; none where it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<SectionAccount>,
    /// Slots of a period.
    pub slots_per_period: u16,
    /// The packed prices of the period.
    pub tariff_table: Bytes,
    /// What shows that the digest was published.
    pub published: PublishedDigest,
}

/// A record of a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectionRecord {
    /// What was metered, 0 to 63.
    pub code: u8,
    /// The slot inside the period.
    pub slot: u16,
    /// Energy in watt-hours, hundredths of the currency unit for a withdrawal.
    pub value: i32,
    /// What the participant gets, micro-units.
    #[serde(with = "decimal")]
    pub amount_micro: i64,
    /// The participant's balance after the record, micro-units.
    #[serde(with = "decimal")]
    pub balance_after_micro: i64,
    /// The hub's balance after the record, micro-units.
    #[serde(with = "decimal")]
    pub hub_after_micro: i64,
    /// The meter's signature over the reading, where it is at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Bytes>,
}

/// An account with its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectionAccount {
    /// The balance, micro-units.
    #[serde(with = "decimal")]
    pub balance_micro: i64,
    /// All withdrawals so far, micro-units.
    #[serde(with = "decimal")]
    pub payable_micro: u64,
    /// What is hashed with it in a sealed batch, for the account before; the key has it for the one after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<FixedBytes<16>>,
    /// Path from the leaf to the root, lowest sibling first.
    pub path: Vec<B256>,
}

/// What shows that the blobs of a batch hold the digest of a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedDigest {
    /// Versioned hashes of all blobs of the batch.
    pub versioned_hashes: Vec<B256>,
    /// The commitment to the blob with the digest.
    pub commitment: FixedBytes<48>,
    /// The proof of the field element.
    pub proof: FixedBytes<48>,
}

/// What a document shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedSection {
    /// The header of the batch.
    pub header: BatchHeader,
    /// The header before it.
    pub parent: BatchHeader,
    /// The section, which is in the batch.
    pub section: SealedSection,
    /// The account before, under the parent's root; none for a new one.
    pub before: Option<Opened<AccountLeaf>>,
    /// What meters signed, a place for each record.
    pub signatures: Vec<Option<Vec<u8>>>,
}

/// Why a document shows nothing, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SectionFileError {
    /// There are more than a batch has.
    #[error("it has {0} {1}, more than a sealed batch")]
    Count(usize, &'static str),
    /// A header cannot be read.
    #[error("its headers cannot be read: {0}")]
    Header(#[from] HeaderError),
    /// The headers do not follow each other.
    #[error("its second header is not the parent of the first")]
    Parent,
    /// The fields make no record.
    #[error("record {place} of it is none: {reason}")]
    Record {
        /// Which one, from 0.
        place: usize,
        /// Why.
        reason: RecordError,
    },
    /// There is no such code.
    #[error("record {place} of it has code {code}, not 0 to 63")]
    Code {
        /// Which one, from 0.
        place: usize,
        /// The code.
        code: u8,
    },
    /// It is not what the batch has of the participant.
    #[error(transparent)]
    Fault(#[from] SectionFault),
    /// The digest of the section is not in the blobs of the batch.
    #[error("the blobs of batch {seq} do not hold the digest of the section")]
    NotPublished {
        /// The batch.
        seq: u64,
    },
    /// The account before is not under the parent's root, or is missing.
    #[error("the account before the batch is not in batch {seq}")]
    Before {
        /// The parent.
        seq: u64,
    },
    /// The prices cannot be read.
    #[error("its prices cannot be read: {0}")]
    Table(#[from] TariffTableError),
    /// The prices are not those that the header names.
    #[error("its prices are not those of period {period}")]
    TableDiffers {
        /// The period.
        period: u32,
    },
    /// The amount of a record is not value times price.
    #[error(
        "record {place} of it has an amount of {found}, value times price gives {expected:?} (micro-units)"
    )]
    Amount {
        /// Which one, from 0.
        place: usize,
        /// The amount.
        found: i64,
        /// What it must be; none without a price.
        expected: Option<i64>,
    },
}

explanations! {
    SectionFileError {
        Count: "section-too-large" "the document of a section has more records, hashes or blobs than a sealed batch"
            "ask the hub for the section again: the file was changed";
        Header: "section-header-invalid" "a header in the document of a section cannot be read"
            "ask the hub for the section again: the file was changed";
        Parent: "section-header-parent" "the headers in the document of a section do not follow each other"
            "ask the hub for the section again: the file was changed, or holds headers of another ledger";
        Record: "section-record-invalid" "the fields of a record in the document of a section make none"
            "ask the hub for the section again: the file was changed";
        Code: "section-code-invalid" "the code of a record in the document of a section does not exist"
            "ask the hub for the section again: the file was changed";
        Fault: "section-differs" "the section is not what the batch has of the participant, or its balances do not follow"
            "run gridtally watch --sections --act in the seven days of the batch: it has the section shown, and proves what is wrong";
        NotPublished: "section-not-published" "the blobs of the batch do not hold the digest of the section"
            "run gridtally watch --sections --act in the seven days of the batch: what the digest stands for must be shown";
        Before: "section-before-missing" "the account before the batch is not under the account root of its parent"
            "ask the hub for the section again, with the account before";
        Table: "section-prices-invalid" "the prices in the document of a section cannot be read"
            "ask the hub for the section again: the file was changed";
        TableDiffers: "section-prices-differ" "the prices in the document of a section are not those that the header names"
            "ask the hub for the section again: the file was changed, or the hub lies about the tariff";
        Amount: "section-amount-differs" "the amount of a record in a section is not value times price"
            "run gridtally watch --sections --act in the seven days of the batch: such a record breaks R4";
    }
}

impl SectionFile {
    /// Returns the document of a section. `signatures` has a place for each record.
    #[must_use]
    pub fn new(
        domain: &Domain,
        headers: (&BatchHeader, &BatchHeader),
        checked: (&SealedSection, Option<&Opened<AccountLeaf>>),
        signatures: &[Option<Vec<u8>>],
        table: &TariffTable,
        published: PublishedDigest,
    ) -> Self {
        let ((header, parent), (section, before)) = (headers, checked);
        let signature = |place: usize| signatures.get(place).cloned().flatten().map(Bytes::from);
        let records = section.leaves.iter().enumerate().map(|(place, leaf)| SectionRecord {
            code: leaf.record.code().number(),
            slot: leaf.record.slot().0,
            value: leaf.record.value(),
            amount_micro: leaf.amount.micro(),
            balance_after_micro: leaf.balance_after.micro(),
            hub_after_micro: leaf.hub_after.micro(),
            signature: signature(place),
        });
        let AccountLeaf { participant, balance, payable_micro } = section.account;
        let account = SectionAccount {
            balance_micro: balance.micro(),
            payable_micro,
            salt: None,
            path: section.account_path.clone(),
        };
        let before = before.map(|opened| SectionAccount {
            balance_micro: opened.leaf.balance.micro(),
            payable_micro: opened.leaf.payable_micro,
            salt: opened.salt.map(FixedBytes::from),
            path: opened.path.clone(),
        });
        Self {
            format: SectionFileFormat::V1,
            chain_id: domain.chain_id,
            contract: domain.contract,
            header: header.encode().to_vec().into(),
            parent: parent.encode().to_vec().into(),
            participant: participant.0,
            key: section.key.clone(),
            first: section.first,
            records: records.collect(),
            path: section.path.clone(),
            account,
            before,
            slots_per_period: table.slots(),
            tariff_table: table.pack().into(),
            published,
        }
    }

    /// Returns the section as the document tells it, without checking that it is in the batch: what is judged may be false.
    ///
    /// # Errors
    ///
    /// Returns the first [`SectionFileError`] up to [`Code`](SectionFileError::Code).
    pub fn read(&self) -> Result<CheckedSection, SectionFileError> {
        let counts = [
            (self.records.len(), SECTION_RECORDS_MAX, "records"),
            (self.path.len(), 2 * PATH_LENGTH_MAX, "hashes"),
            (self.account.path.len(), PATH_LENGTH_MAX, "hashes"),
            (self.before.as_ref().map_or(0, |before| before.path.len()), PATH_LENGTH_MAX, "hashes"),
            (self.published.versioned_hashes.len(), BLOBS_MAX, "blobs"),
        ];
        if let Some((count, _, what)) = counts.iter().find(|(count, max, _)| count > max) {
            return Err(SectionFileError::Count(*count, what));
        }
        let header = BatchHeader::decode(&self.header)?;
        let parent = BatchHeader::decode(&self.parent)?;
        if parent.hash() != header.parent {
            return Err(SectionFileError::Parent);
        }
        let participant = ParticipantNumber(self.participant);
        let mut leaves = Vec::with_capacity(self.records.len());
        for (place, record) in self.records.iter().enumerate() {
            leaves.push(record.leaf(participant, place)?);
        }
        let leaf_of = |account: &SectionAccount| AccountLeaf {
            participant,
            balance: Amount::from_micro(account.balance_micro),
            payable_micro: account.payable_micro,
        };
        let before = self.before.as_ref().map(|before| Opened {
            index: self.participant,
            leaf: leaf_of(before),
            salt: before.salt.map(|salt| salt.0),
            path: before.path.clone(),
        });
        let section = SealedSection {
            key: self.key.clone(),
            first: self.first,
            leaves,
            path: self.path.clone(),
            account: leaf_of(&self.account),
            account_path: self.account.path.clone(),
        };
        let signatures = self.records.iter().map(|record| record.signature.as_ref());
        let signatures = signatures.map(|signature| signature.map(|bytes| bytes.to_vec()));
        Ok(CheckedSection { header, parent, section, before, signatures: signatures.collect() })
    }

    /// Checks everything but signatures, deposits, and whether the header is final.
    ///
    /// # Errors
    ///
    /// Returns the first [`SectionFileError`] in the order of its variants.
    pub fn check(&self) -> Result<CheckedSection, SectionFileError> {
        let checked = self.read()?;
        let CheckedSection { header, parent, section, before, .. } = &checked;
        section.check(header)?;
        if !self.is_published(header, section) {
            return Err(SectionFileError::NotPublished { seq: header.seq });
        }
        let account = match before {
            Some(before) if parent.has_account(before) => {
                Account { balance: before.leaf.balance, payable_micro: before.leaf.payable_micro }
            }
            None if self.participant >= parent.account_count => Account::default(),
            _ => return Err(SectionFileError::Before { seq: parent.seq }),
        };
        section.check_account(&account)?;
        let table = TariffTable::unpack(self.slots_per_period, &self.tariff_table)?;
        if table.hash() != header.tariff_hash {
            return Err(SectionFileError::TableDiffers { period: header.period.0 });
        }
        for (place, leaf) in section.leaves.iter().enumerate() {
            let record = &leaf.record;
            let price = match record.code().class() {
                // What was paid in stands in the inbox.
                CodeClass::Deposit => continue,
                CodeClass::Withdrawal => Some(Price::ZERO),
                CodeClass::HubPays | CodeClass::ParticipantPays => {
                    table.price(record.code(), record.slot())
                }
            };
            let expected =
                price.and_then(|price| participant_amount(record.code(), record.value(), price));
            if expected != Some(leaf.amount) {
                let (found, expected) = (leaf.amount.micro(), expected.map(Amount::micro));
                return Err(SectionFileError::Amount { place, found, expected });
            }
        }
        Ok(checked)
    }

    /// Returns the domain for which meters sign.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        Domain { chain_id: self.chain_id, contract: self.contract }
    }

    /// Whether the blobs of the header hold the digest of the section.
    fn is_published(&self, header: &BatchHeader, section: &SealedSection) -> bool {
        let PublishedDigest { versioned_hashes, commitment, proof } = &self.published;
        let (blob, element) = SealedElements::section_place(section.account.participant);
        let Some(&versioned_hash) = versioned_hashes.get(blob) else { return false };
        let opening = ElementOpening {
            versioned_hash,
            point: opening_point(element),
            element: section_element(&section.hashes()),
            commitment: *commitment,
            proof: *proof,
        };
        blobs_hash(versioned_hashes) == header.data_hash && is_opening(&opening)
    }
}

/// Levels of the highest tree.
const PATH_LENGTH_MAX: usize = 18;

const _: () = assert!(SEALED_ACCOUNTS_MAX < 1 << PATH_LENGTH_MAX);

impl SectionRecord {
    fn leaf(
        &self,
        participant: ParticipantNumber,
        place: usize,
    ) -> Result<RecordLeaf, SectionFileError> {
        let code = Code::new(self.code);
        let code = code.map_err(|error| SectionFileError::Code { place, code: error.0 })?;
        let record = Record::new(participant, code, Slot(self.slot), self.value);
        let record = record.map_err(|reason| SectionFileError::Record { place, reason })?;
        let [amount, balance_after, hub_after] =
            [self.amount_micro, self.balance_after_micro, self.hub_after_micro]
                .map(Amount::from_micro);
        Ok(RecordLeaf { record, amount, balance_after, hub_after })
    }
}

impl fmt::Debug for SectionFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let participant = self.participant;
        f.debug_struct("SectionFile").field("participant", &participant).finish_non_exhaustive()
    }
}

/// A key as hexadecimal digits.
mod section_key {
    use super::{B256, Deserialize, Deserializer, SectionKey, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(key: &SectionKey, to: S) -> Result<S::Ok, S::Error> {
        B256::new(*key.bytes()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SectionKey, D::Error> {
        Ok(SectionKey::new(B256::deserialize(from)?.0))
    }
}
