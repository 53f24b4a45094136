//! The proof of one record for its owner: small enough for a file, checked without asking anybody.
//!
//! ```text
//! reading --> record --> leaf --> record root --> header of its batch --> ... --> a header that the chain calls final
//! ```

use alloy_primitives::{Address, B256, Bytes, FixedBytes};
use gridtally_core::explanations;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::Slot;
use gridtally_core::quantity::{Amount, Price};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::amount::participant_amount;
use crate::code::{Code, CodeClass};
use crate::header::{BatchHeader, HeaderError};
use crate::leaf::RecordLeaf;
use crate::opening::Opened;
use crate::record::{Record, RecordError};
use crate::signature::{Domain, MeterKey, SignatureError};
use crate::signed_reading::SignedReading;
use crate::tariff_table::{TariffTable, TariffTableError};

/// Headers between a final batch and that of the record, at most: more than a century of daily batches.
const HEADERS_MAX: usize = 40_000;

/// Which form of the document this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordProofFormat {
    /// The first one.
    #[serde(rename = "gridtally record proof 1")]
    V1,
}

/// Everything that shows what one record is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordProof {
    /// The form.
    pub format: RecordProofFormat,
    /// Chain on which the batch stands.
    pub chain_id: u64,
    /// The core of batch settlement.
    pub contract: Address,
    /// Number of the participant.
    pub participant: u32,
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
    /// Place of the record in its batch, from 0.
    pub index: u32,
    /// What is hashed with the record in a sealed batch; none in an open one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<FixedBytes<16>>,
    /// Path from the leaf to the root, lowest sibling first.
    pub path: Vec<B256>,
    /// Encoded headers, each the parent of the one before it; the last is that of the record's batch.
    pub headers: Vec<Bytes>,
    /// Slots of a period.
    pub slots_per_period: u16,
    /// The packed prices of the period.
    pub tariff_table: Bytes,
    /// The meter's signature over the reading, where it is at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Bytes>,
}

/// What a proof shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedRecord {
    /// The leaf in its tree.
    pub leaf: Opened<RecordLeaf>,
    /// The headers, that of the record's batch last.
    pub headers: Vec<BatchHeader>,
    /// The price, micro-units for a kilowatt-hour; `None` for deposits and withdrawals.
    pub price: Option<Price>,
}

impl ProvedRecord {
    /// Returns the header of the record's batch.
    ///
    /// # Panics
    ///
    /// Never: a proof without headers is refused.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        self.headers.last().expect("there is one")
    }
}

/// Why a proof shows nothing, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordProofError {
    /// The fields make no record.
    #[error("its fields make no record: {0}")]
    Record(#[from] RecordError),
    /// There is no such code.
    #[error("its code {0} is not 0 to 63")]
    Code(u8),
    /// It has no header, or too many.
    #[error("it has {0} headers, not 1 to {HEADERS_MAX}")]
    HeaderCount(usize),
    /// A header cannot be read.
    #[error("header {place} of it cannot be read: {reason}")]
    Header {
        /// Which one, from 0.
        place: usize,
        /// Why.
        reason: HeaderError,
    },
    /// A header is not the parent of the one before it.
    #[error("header {place} of it is not the parent of the one before")]
    Parent {
        /// Which one, from 0.
        place: usize,
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
    /// There is no price for code and slot.
    #[error("there is no price for code {code} in slot {slot}")]
    NoPrice {
        /// The code.
        code: u8,
        /// The slot.
        slot: u16,
    },
    /// The amount is not value times price.
    #[error("the amount is {found}, value times price gives {expected} (micro-units)")]
    Amount {
        /// The amount in the proof.
        found: i64,
        /// What it must be.
        expected: i64,
    },
    /// The leaf is not in the tree of the batch.
    #[error("the record is not in batch {seq} at place {index}")]
    NotIncluded {
        /// The batch.
        seq: u64,
        /// The place.
        index: u32,
    },
}

explanations! {
    RecordProofError {
        Record: "proof-record-invalid" "the fields of a proof make no record"
            "export the proof again: the file was changed";
        Code: "proof-code-invalid" "the code in a proof does not exist"
            "export the proof again: the file was changed";
        HeaderCount: "proof-header-count" "a proof has no header, or too many"
            "export the proof again: the file was changed";
        Header: "proof-header-invalid" "a header in a proof cannot be read"
            "export the proof again: the file was changed";
        Parent: "proof-header-parent" "the headers in a proof do not follow each other"
            "export the proof again: the file was changed, or holds headers of another ledger";
        Table: "proof-prices-invalid" "the prices in a proof cannot be read"
            "export the proof again: the file was changed";
        TableDiffers: "proof-prices-differ" "the prices in a proof are not those that the header names"
            "export the proof again: the file was changed, or whoever made it lies about the tariff";
        NoPrice: "proof-price-missing" "the tariff of a proof has no price for its code and slot"
            "let nobody pay by it: such a record breaks R3, and gridtally watch --act proves it while there is time";
        Amount: "proof-amount-differs" "the amount in a proof is not value times price"
            "let nobody pay by it: such a record breaks R4, and gridtally watch --act proves it while there is time";
        NotIncluded: "proof-record-not-included" "the record of a proof is not in the tree of its batch"
            "export the proof again: the file was changed, or the record was never settled";
    }
}

impl RecordProof {
    /// Returns the proof of a leaf.
    #[must_use]
    pub fn new(
        domain: &Domain,
        leaf: &Opened<RecordLeaf>,
        headers: &[BatchHeader],
        table: &TariffTable,
        signature: Option<Vec<u8>>,
    ) -> Self {
        let Opened { index, leaf, salt, path } = leaf;
        Self {
            format: RecordProofFormat::V1,
            chain_id: domain.chain_id,
            contract: domain.contract,
            participant: leaf.record.participant().0,
            code: leaf.record.code().number(),
            slot: leaf.record.slot().0,
            value: leaf.record.value(),
            amount_micro: leaf.amount.micro(),
            balance_after_micro: leaf.balance_after.micro(),
            hub_after_micro: leaf.hub_after.micro(),
            index: *index,
            salt: salt.map(FixedBytes::from),
            path: path.clone(),
            headers: headers.iter().map(|header| header.encode().to_vec().into()).collect(),
            slots_per_period: table.slots(),
            tariff_table: table.pack().into(),
            signature: signature.map(Bytes::from),
        }
    }

    /// Checks everything but the signature and whether the first header is final.
    ///
    /// # Errors
    ///
    /// Returns the first [`RecordProofError`] in the order of its variants.
    pub fn check(&self) -> Result<ProvedRecord, RecordProofError> {
        let code = Code::new(self.code).map_err(|error| RecordProofError::Code(error.0))?;
        let record =
            Record::new(ParticipantNumber(self.participant), code, Slot(self.slot), self.value)?;
        let headers = self.chain()?;
        let header = headers.last().ok_or(RecordProofError::HeaderCount(0))?;
        let price = self.check_amount(header, code)?;
        let [amount, balance_after, hub_after] =
            [self.amount_micro, self.balance_after_micro, self.hub_after_micro]
                .map(Amount::from_micro);
        let leaf = RecordLeaf { record, amount, balance_after, hub_after };
        let (index, salt) = (self.index, self.salt.map(|salt| salt.0));
        let leaf = Opened { index, leaf, salt, path: self.path.clone() };
        if !header.has_record(&leaf) {
            return Err(RecordProofError::NotIncluded { seq: header.seq, index });
        }
        Ok(ProvedRecord { leaf, headers, price })
    }

    /// Checks that a meter signed the reading. `None` where there is no signature, or nothing that is signed.
    ///
    /// # Errors
    ///
    /// Returns the [`SignatureError`].
    pub fn check_signature(
        &self,
        proved: &ProvedRecord,
        meter: &MeterKey,
    ) -> Option<Result<(), SignatureError>> {
        let signature = self.signature.as_ref()?;
        let (header, record) = (proved.header(), &proved.leaf.leaf.record);
        let reading = SignedReading::of_record(header.period, header.run, record)?;
        Some(meter.check(&reading.digest(&self.domain()), signature))
    }

    /// Returns the domain for which meters sign.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        Domain { chain_id: self.chain_id, contract: self.contract }
    }

    fn chain(&self) -> Result<Vec<BatchHeader>, RecordProofError> {
        let count = self.headers.len();
        if count == 0 || count > HEADERS_MAX {
            return Err(RecordProofError::HeaderCount(count));
        }
        let mut headers: Vec<BatchHeader> = Vec::with_capacity(count);
        for (place, bytes) in self.headers.iter().enumerate() {
            let header = BatchHeader::decode(bytes);
            let header = header.map_err(|reason| RecordProofError::Header { place, reason })?;
            if headers.last().is_some_and(|child| child.parent != header.hash()) {
                return Err(RecordProofError::Parent { place });
            }
            headers.push(header);
        }
        Ok(headers)
    }

    fn check_amount(
        &self,
        header: &BatchHeader,
        code: Code,
    ) -> Result<Option<Price>, RecordProofError> {
        let table = TariffTable::unpack(self.slots_per_period, &self.tariff_table)?;
        if table.hash() != header.tariff_hash {
            return Err(RecordProofError::TableDiffers { period: header.period.0 });
        }
        let price = table.price(code, Slot(self.slot));
        if code.is_priced() && price.is_none() {
            return Err(RecordProofError::NoPrice { code: self.code, slot: self.slot });
        }
        let unpriced = Price::from_micro_per_kwh(0);
        let expected = participant_amount(code, self.value, price.unwrap_or(unpriced));
        match expected {
            Some(expected) if expected.micro() != self.amount_micro => {
                Err(RecordProofError::Amount {
                    found: self.amount_micro,
                    expected: expected.micro(),
                })
            }
            // What was paid in stands in the inbox.
            _ => Ok(price.filter(|_| code.class() != CodeClass::Withdrawal)),
        }
    }
}

/// 64-bit numbers as text: many readers of JSON lose digits above 53 bits.
pub(crate) mod decimal {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<T: Display, S: Serializer>(
        number: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(crate) fn deserialize<'de, T, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error>
    where
        T: Display + FromStr<Err: Display>,
    {
        let text = String::deserialize(deserializer)?;
        let number = text.parse::<T>().map_err(de::Error::custom)?;
        if number.to_string() != text {
            return Err(de::Error::custom("a number has no sign of plus and no zeros before it"));
        }
        Ok(number)
    }
}
