//! The header of a batch: what the chain keeps of tens of thousands of records.

use alloy_primitives::{B256, U256, keccak256};
use gridtally_core::period::SettlementPeriod;
use gridtally_core::quantity::Amount;
use thiserror::Error;

use crate::signature::{signed_word, unsigned_word};

/// Where the records of a batch are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DataKind {
    /// In the input of the committing transaction.
    Calldata = 0,
    /// In its blobs, readable by everybody.
    Blob = 1,
    /// In its blobs, readable by those who hold the section keys.
    SealedBlob = 2,
}

/// Everything about a batch that is hashed, chained to its parent and stored by its hash.
///
/// `reg_period`, `reg_last_key`, `last_run` and `inbox_to` are the cursor after this batch, so that a rewind finds the one
/// before it in the parent.
///
/// # Source
///
/// Settlement protocol §2.5.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BatchHeader {
    /// Number of the batch; the genesis header has 0.
    pub seq: u64,
    /// Hash of the header before it.
    pub parent: B256,
    /// The period that is settled.
    pub period: SettlementPeriod,
    /// 0 for a regular batch, R for the R-th correction run.
    pub run: u32,
    /// Which part of its period; says nothing to the rules.
    pub part: u16,
    /// Number of records, 1 to 2^18.
    pub count: u32,
    /// Key of the first record, 48 bits.
    pub first_key: u64,
    /// Key of the last record, 48 bits.
    pub last_key: u64,
    /// The period of the last regular batch.
    pub reg_period: SettlementPeriod,
    /// The last key of the last regular batch.
    pub reg_last_key: u64,
    /// The last correction run.
    pub last_run: u32,
    /// Root of the tree over the records.
    pub record_root: B256,
    /// Root of the tree over the accounts.
    pub account_root: B256,
    /// Number of accounts, 1 to 2^18.
    pub account_count: u32,
    /// Balance of the hub.
    pub hub_balance: Amount,
    /// Inbox entries below are honoured.
    pub inbox_to: u64,
    /// Hash of the period's tariff table.
    pub tariff_hash: B256,
    /// Hash of the calldata, or of the versioned hashes of the blobs.
    pub data_hash: B256,
    /// Where the records are published.
    pub data_kind: DataKind,
    /// Time of the committing block, Unix time, s.
    pub committed_at: u64,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// A header has exactly 640 bytes.
    #[error("a header has {length} bytes, not {0}", length = BatchHeader::LENGTH)]
    Length(usize),
    /// A word holds more than its field.
    #[error("word {word} of the header is out of range")]
    Word {
        /// Which word, from 0.
        word: usize,
    },
}

impl BatchHeader {
    /// The header before the first batch: all zero.
    pub const GENESIS: Self = Self {
        seq: 0,
        parent: B256::ZERO,
        period: SettlementPeriod(0),
        run: 0,
        part: 0,
        count: 0,
        first_key: 0,
        last_key: 0,
        reg_period: SettlementPeriod(0),
        reg_last_key: 0,
        last_run: 0,
        record_root: B256::ZERO,
        account_root: B256::ZERO,
        account_count: 0,
        hub_balance: Amount::ZERO,
        inbox_to: 0,
        tariff_hash: B256::ZERO,
        data_hash: B256::ZERO,
        data_kind: DataKind::Calldata,
        committed_at: 0,
    };
    /// Bytes of the encoded header: 20 words.
    pub const LENGTH: usize = 20 * 32;

    /// Returns `abi.encode(header)`.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let number = |value: u64| unsigned_word(value).0;
        let words: [[u8; 32]; 20] = [
            number(self.seq),
            self.parent.0,
            number(self.period.0.into()),
            number(self.run.into()),
            number(self.part.into()),
            number(self.count.into()),
            number(self.first_key),
            number(self.last_key),
            number(self.reg_period.0.into()),
            number(self.reg_last_key),
            number(self.last_run.into()),
            self.record_root.0,
            self.account_root.0,
            number(self.account_count.into()),
            signed_word(self.hub_balance.micro()).0,
            number(self.inbox_to),
            self.tariff_hash.0,
            self.data_hash.0,
            number(self.data_kind as u64),
            number(self.committed_at),
        ];
        let mut bytes = [0; Self::LENGTH];
        for (place, word) in bytes.chunks_exact_mut(32).zip(words) {
            place.copy_from_slice(&word);
        }
        bytes
    }

    /// Reads an encoded header.
    ///
    /// # Errors
    ///
    /// Returns [`HeaderError`]; of several words the first.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let bytes: &[u8; Self::LENGTH] =
            bytes.try_into().map_err(|_| HeaderError::Length(bytes.len()))?;
        let (words, _) = bytes.as_chunks::<32>();
        let refused = |word| HeaderError::Word { word };
        let number = |word: usize, bits: u32| {
            let value = U256::from_be_bytes(words[word]);
            let value = u64::try_from(value).map_err(|_| refused(word))?;
            if bits < 64 && value >> bits != 0 { Err(refused(word)) } else { Ok(value) }
        };
        let half = |word| number(word, 32).map(|value| u32::try_from(value).unwrap_or(u32::MAX));
        Ok(Self {
            seq: number(0, 64)?,
            parent: words[1].into(),
            period: SettlementPeriod(half(2)?),
            run: half(3)?,
            part: u16::try_from(number(4, 16)?).map_err(|_| refused(4))?,
            count: half(5)?,
            first_key: number(6, 48)?,
            last_key: number(7, 48)?,
            reg_period: SettlementPeriod(half(8)?),
            reg_last_key: number(9, 48)?,
            last_run: half(10)?,
            record_root: words[11].into(),
            account_root: words[12].into(),
            account_count: half(13)?,
            hub_balance: signed(&words[14]).map(Amount::from_micro).ok_or(refused(14))?,
            inbox_to: number(15, 64)?,
            tariff_hash: words[16].into(),
            data_hash: words[17].into(),
            data_kind: match number(18, 8)? {
                0 => DataKind::Calldata,
                1 => DataKind::Blob,
                2 => DataKind::SealedBlob,
                _ => return Err(refused(18)),
            },
            committed_at: number(19, 64)?,
        })
    }

    /// Returns the hash by which the chain knows the batch.
    #[must_use]
    pub fn hash(&self) -> B256 {
        keccak256(self.encode())
    }
}

/// What the hub says of a batch when it commits it; the chain adds the rest of the header.
///
/// # Source
///
/// Settlement protocol §2.9, `BatchIn`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchCommitment {
    /// The period that is settled.
    pub period: SettlementPeriod,
    /// 0 for a regular batch, R for the R-th correction run.
    pub run: u32,
    /// Which part of its period.
    pub part: u16,
    /// Number of records.
    pub count: u32,
    /// Key of the first record.
    pub first_key: u64,
    /// Key of the last record.
    pub last_key: u64,
    /// Root of the tree over the records.
    pub record_root: B256,
    /// Root of the tree over the accounts.
    pub account_root: B256,
    /// Number of accounts.
    pub account_count: u32,
    /// Balance of the hub.
    pub hub_balance: Amount,
    /// Inbox entries below are honoured.
    pub inbox_to: u64,
    /// Hash of the header that the batch was built on.
    pub expected_parent: B256,
}

/// What the chain adds when it accepts a commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Hash of the period's tariff table.
    pub tariff_hash: B256,
    /// Hash of the published data.
    pub data_hash: B256,
    /// Where the data is published.
    pub data_kind: DataKind,
    /// Time of the block, Unix time, s.
    pub committed_at: u64,
}

impl BatchCommitment {
    /// Returns the header that the chain makes of this commitment after `parent`.
    #[must_use]
    pub fn header(&self, parent: &BatchHeader, accepted: &Acceptance) -> BatchHeader {
        let is_regular = self.run == 0;
        let (reg_period, reg_last_key, last_run) = if is_regular {
            (self.period, self.last_key, parent.last_run)
        } else {
            (parent.reg_period, parent.reg_last_key, self.run)
        };
        BatchHeader {
            seq: parent.seq + 1,
            parent: parent.hash(),
            period: self.period,
            run: self.run,
            part: self.part,
            count: self.count,
            first_key: self.first_key,
            last_key: self.last_key,
            reg_period,
            reg_last_key,
            last_run,
            record_root: self.record_root,
            account_root: self.account_root,
            account_count: self.account_count,
            hub_balance: self.hub_balance,
            inbox_to: self.inbox_to,
            tariff_hash: accepted.tariff_hash,
            data_hash: accepted.data_hash,
            data_kind: accepted.data_kind,
            committed_at: accepted.committed_at,
        }
    }
}

/// Returns a sign-extended 64-bit number, or `None` for a larger one.
fn signed(word: &[u8; 32]) -> Option<i64> {
    let (_, low) = word.split_last_chunk::<8>()?;
    let value = i64::from_be_bytes(*low);
    (signed_word(value).0 == *word).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_header() -> impl Strategy<Value = BatchHeader> {
        let numbers = any::<([u64; 3], [u32; 7], u16, i64)>();
        let keys = [0_u64..1 << 48, 0..1 << 48, 0..1 << 48];
        (numbers, keys, any::<[[u8; 32]; 5]>(), 0_u8..3).prop_map(
            |(([seq, inbox_to, committed_at], n, part, hub), keys, hashes, kind)| BatchHeader {
                seq,
                parent: hashes[0].into(),
                period: SettlementPeriod(n[0]),
                run: n[1],
                part,
                count: n[2],
                first_key: keys[0],
                last_key: keys[1],
                reg_period: SettlementPeriod(n[3]),
                reg_last_key: keys[2],
                last_run: n[4],
                record_root: hashes[1].into(),
                account_root: hashes[2].into(),
                account_count: n[5],
                hub_balance: Amount::from_micro(hub),
                inbox_to,
                tariff_hash: hashes[3].into(),
                data_hash: hashes[4].into(),
                data_kind: [DataKind::Calldata, DataKind::Blob, DataKind::SealedBlob]
                    [usize::from(kind)],
                committed_at,
            },
        )
    }

    #[test]
    fn refusals_come_in_order() {
        assert_eq!(BatchHeader::decode(&[0; 639]), Err(HeaderError::Length(639)));
        for word in [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 18, 19] {
            let mut bytes = BatchHeader::GENESIS.encode();
            bytes[32 * word] = 1;
            bytes[32 * 19] = 1;
            assert_eq!(BatchHeader::decode(&bytes), Err(HeaderError::Word { word }));
        }
    }

    proptest! {
        #[test]
        fn headers_come_back(header in any_header()) {
            prop_assert_eq!(BatchHeader::decode(&header.encode()), Ok(header));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 640)) {
            if let Ok(header) = BatchHeader::decode(&bytes) {
                prop_assert_eq!(header.encode().to_vec(), bytes);
            }
        }
    }
}
