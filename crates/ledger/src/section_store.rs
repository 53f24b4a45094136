//! The store of sections: what a sealed batch hides, kept by the hub alone.
//!
//! A folder beside the archive of batches, with a file for each sealed batch. It is written before the batch is committed, and only
//! replaced where a section is erased. Everything in it is personal data, the section keys above all: nobody but the hub reads it,
//! and nothing of it goes into the archive, which is public.
//!
//! ```text
//! <hash of the parent>-<record root>.sections
//!
//! "gridtally sections 1\n"
//! period u32 | run u32 | part u16 | count u32 | first key u64 | last key u64 | record root | account root
//! account count u32 | hub balance i64 | inbox to u64 | hash of the parent
//! hash of each record leaf | element of each section | hash of each account leaf           32 bytes each
//! of each section, by participant number:
//!     0                                                                                    erased
//!     1 | key | first u32 | records u32 | balance i64 | payable u64 | the records
//!         of each record: its leaf without tag, 34 bytes | length u8 | signature
//! keccak256 of everything before
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use alloy_primitives::{B256, keccak256};
use alloy_signer::k256::elliptic_curve::rand_core::{OsRng, RngCore};
use gridtally_core::explanations;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_core::quantity::Amount;
use gridtally_settlement::{
    AccountLeaf, BLOB_LENGTH, BatchCommitment, BatchHeader, BlobBytes, LEAVES_MAX, Opened, Record,
    RecordLeaf, SEALED_ACCOUNTS_MAX, SECTION_RECORDS_MAX, SealedBatch, SealedSection, SectionKey,
    Tree, range_path, section_element,
};

const MAGIC: &[u8] = b"gridtally sections 1\n";
const ENDING: &str = ".sections";
/// How the name of a file begins that is still being written, or whose writer died.
const INCOMPLETE: &str = ".incomplete-";
const HASH_LENGTH: usize = 32;
const LEAF_LENGTH: usize = RecordLeaf::LENGTH - 1;
const SIGNATURE_LENGTH_MAX: usize = 65;
const PRESENT: u8 = 1;
const ERASED: u8 = 0;
/// Bytes of the commitment.
const COMMITMENT_LENGTH: usize = 4 + 4 + 2 + 4 + 8 + 8 + 32 + 32 + 4 + 8 + 8 + 32;
const SECTION_HEAD_LENGTH: usize = 1 + 32 + 4 + 4 + 8 + 8;
/// Bytes of the longest file.
const FILE_LENGTH_MAX: usize = MAGIC.len()
    + COMMITMENT_LENGTH
    + LEAVES_MAX as usize * (HASH_LENGTH + LEAF_LENGTH + 1 + SIGNATURE_LENGTH_MAX)
    + SEALED_ACCOUNTS_MAX * (2 * HASH_LENGTH + SECTION_HEAD_LENGTH)
    + HASH_LENGTH;

/// Why the store of sections cannot be used, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum SectionStoreError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// A file is not what was written.
    #[error("{} is damaged, or was exchanged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// There is another batch under the same name.
    #[error("{} holds another batch already", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// The batch, or the participant's section in it, is not here.
    #[error("there is no section of participant {participant} in batch {seq} here")]
    Missing {
        /// Number of the batch.
        seq: u64,
        /// Whose.
        participant: u32,
    },
}

explanations! {
    SectionStoreError {
        Io: "section-store-io" "a file of the store of sections cannot be read or written"
            "check the path, the permissions and the room on the disk";
        Damaged: "section-store-damaged" "a file of the store of sections is not what was written"
            "restore the file from a copy: without it, nobody can answer for the batch";
        Taken: "section-store-taken" "the store of sections holds another batch of the same name"
            "never use one store for two hubs; move the file away only if its batch is not on the chain";
        Missing: "section-missing" "the section is not in the store: it was erased, or was never here"
            "name a batch that this hub sealed, and a participant whose section was not erased";
    }
}

/// A participant's part of a sealed batch, as the hub keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KeptSection {
    key: SectionKey,
    first: u32,
    leaves: Vec<RecordLeaf>,
    signatures: Vec<Option<Vec<u8>>>,
    account: AccountLeaf,
}

/// A sealed batch as the hub keeps it: what is public of it, and the sections that were not erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBatch {
    commitment: BatchCommitment,
    record_tree: Tree,
    account_tree: Tree,
    elements: Vec<B256>,
    sections: Vec<Option<KeptSection>>,
}

impl KeptBatch {
    /// Returns what is kept of a batch; of each record, in order, what its meter signed.
    #[must_use]
    pub fn new(sealed: &SealedBatch, signatures: &[Option<Vec<u8>>]) -> Self {
        let of_range = |first: u32, count: usize| {
            let first = usize::try_from(first).unwrap_or(usize::MAX);
            let of_record = |place: usize| {
                let signature = signatures.get(first.saturating_add(place)).cloned().flatten();
                signature.filter(|signature| signature.len() <= SIGNATURE_LENGTH_MAX)
            };
            (0..count).map(of_record).collect()
        };
        let numbers = (0..sealed.commitment.account_count).map(ParticipantNumber);
        let sections = numbers.map(|participant| {
            let SealedSection { key, first, leaves, account, .. } = sealed.section(participant)?;
            let signatures = of_range(first, leaves.len());
            Some(KeptSection { key, first, leaves, signatures, account })
        });
        let accounts = sealed.account_tree.count();
        Self {
            commitment: sealed.commitment.clone(),
            record_tree: sealed.record_tree.clone(),
            account_tree: sealed.account_tree.clone(),
            elements: sealed.elements.iter().copied().take(accounts).collect(),
            sections: sections.collect(),
        }
    }

    /// Returns what was, or will be, committed.
    #[must_use]
    pub const fn commitment(&self) -> &BatchCommitment {
        &self.commitment
    }

    /// Returns the tree over the salted records.
    #[must_use]
    pub const fn record_tree(&self) -> &Tree {
        &self.record_tree
    }

    /// Returns the tree over the salted accounts.
    #[must_use]
    pub const fn account_tree(&self) -> &Tree {
        &self.account_tree
    }

    /// Returns the keys of all sections, or `None` where one was erased.
    #[must_use]
    pub fn keys(&self) -> Option<Vec<SectionKey>> {
        self.sections.iter().map(|section| Some(section.as_ref()?.key.clone())).collect()
    }

    /// Returns the blobs that were published.
    ///
    /// # Panics
    ///
    /// Never: a blob has the length of a blob.
    #[must_use]
    pub fn blobs(&self) -> Vec<BlobBytes> {
        let elements: Vec<&B256> = self.elements.iter().chain(self.account_tree.leaves()).collect();
        let packed = elements.chunks(BLOB_LENGTH / HASH_LENGTH).map(|elements| {
            let mut blob = vec![0; BLOB_LENGTH];
            for (place, element) in blob.chunks_exact_mut(HASH_LENGTH).zip(elements) {
                place.copy_from_slice(element.as_slice());
            }
            BlobBytes::try_from(blob).expect("a vector of this length")
        });
        packed.collect()
    }

    /// Returns what is delivered to a participant, or `None` without an account or where the section was erased.
    #[must_use]
    pub fn section(&self, participant: ParticipantNumber) -> Option<SealedSection> {
        let number = usize::try_from(participant.0).ok()?;
        let kept = self.sections.get(number)?.as_ref()?;
        let range = range_of(kept)?;
        let path =
            if range.is_empty() { Vec::new() } else { range_path(&self.record_tree, range)? };
        Some(SealedSection {
            key: kept.key.clone(),
            first: kept.first,
            leaves: kept.leaves.clone(),
            path,
            account: kept.account,
            account_path: self.account_tree.path(number)?,
        })
    }

    /// Returns the signatures of a section, a place for each record.
    #[must_use]
    pub fn signatures(&self, participant: ParticipantNumber) -> Option<&[Option<Vec<u8>>]> {
        let number = usize::try_from(participant.0).ok()?;
        Some(&self.sections.get(number)?.as_ref()?.signatures)
    }

    /// Returns a record with its salt and path, and its signature; `None` where its section was erased.
    #[must_use]
    pub fn open_record(&self, index: u32) -> Option<(Opened<RecordLeaf>, Option<&[u8]>)> {
        let place = usize::try_from(index).ok()?;
        let mut kept = self.sections.iter().flatten();
        let kept = kept.find(|kept| range_of(kept).is_some_and(|range| range.contains(&place)))?;
        let in_section = usize::try_from(index.checked_sub(kept.first)?).ok()?;
        let leaf = *kept.leaves.get(in_section)?;
        let salt = Some(kept.key.salt(index));
        let path = self.record_tree.path(place)?;
        let signature = kept.signatures.get(in_section)?.as_deref();
        Some((Opened { index, leaf, salt, path }, signature))
    }

    /// Returns an account with its salt and path, or `None` where its section was erased.
    #[must_use]
    pub fn open_account(&self, participant: ParticipantNumber) -> Option<Opened<AccountLeaf>> {
        let number = usize::try_from(participant.0).ok()?;
        let kept = self.sections.get(number)?.as_ref()?;
        let (leaf, salt) = (kept.account, Some(kept.key.account_salt()));
        let path = self.account_tree.path(number)?;
        Some(Opened { index: participant.0, leaf, salt, path })
    }

    /// Returns whose sections were erased.
    pub fn erased(&self) -> impl Iterator<Item = ParticipantNumber> + '_ {
        let numbered = (0..).map(ParticipantNumber).zip(&self.sections);
        numbered.filter(|(_, section)| section.is_none()).map(|(participant, _)| participant)
    }

    /// Returns whether a participant's section was here, and was erased.
    #[must_use]
    pub fn is_erased(&self, participant: ParticipantNumber) -> bool {
        let number = usize::try_from(participant.0).unwrap_or(usize::MAX);
        matches!(self.sections.get(number), Some(None))
    }

    /// Whether these are the records of the batch, as far as its sections were not erased.
    #[must_use]
    pub fn holds(&self, records: &[Record]) -> bool {
        let is_same = |kept: &KeptSection| {
            let there = range_of(kept).and_then(|range| records.get(range));
            there.is_some_and(|there| there.iter().eq(kept.leaves.iter().map(|leaf| &leaf.record)))
        };
        records.len() == self.record_tree.count() && self.sections.iter().flatten().all(is_same)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let of = &self.commitment;
        out.extend(of.period.0.to_be_bytes());
        out.extend(of.run.to_be_bytes());
        out.extend(of.part.to_be_bytes());
        out.extend(of.count.to_be_bytes());
        out.extend(of.first_key.to_be_bytes());
        out.extend(of.last_key.to_be_bytes());
        out.extend(of.record_root);
        out.extend(of.account_root);
        out.extend(of.account_count.to_be_bytes());
        out.extend(of.hub_balance.micro().to_be_bytes());
        out.extend(of.inbox_to.to_be_bytes());
        out.extend(of.expected_parent);
        for hashes in [self.record_tree.leaves(), &self.elements, self.account_tree.leaves()] {
            hashes.iter().for_each(|hash| out.extend(hash));
        }
        for section in &self.sections {
            let Some(kept) = section else {
                out.push(ERASED);
                continue;
            };
            out.push(PRESENT);
            out.extend(kept.key.bytes());
            out.extend(kept.first.to_be_bytes());
            out.extend(u32::try_from(kept.leaves.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend(kept.account.balance.micro().to_be_bytes());
            out.extend(kept.account.payable_micro.to_be_bytes());
            for (leaf, signature) in kept.leaves.iter().zip(&kept.signatures) {
                out.extend(&leaf.preimage()[1..]);
                let signature = signature.as_deref().unwrap_or_default();
                out.push(u8::try_from(signature.len()).unwrap_or(0));
                out.extend(signature);
            }
        }
        out.extend(keccak256(&out));
        out
    }

    /// Reads a file, or returns `None` where anything in it is not as it was written.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(HASH_LENGTH)?)?;
        if keccak256(content) != B256::from_slice(sum) {
            return None;
        }
        let mut reader = Reader(content.strip_prefix(MAGIC)?);
        let commitment = reader.commitment()?;
        let records = usize::try_from(commitment.count.min(LEAVES_MAX)).ok()?;
        let accounts = usize::try_from(commitment.account_count).ok()?;
        if accounts > SEALED_ACCOUNTS_MAX {
            return None;
        }
        let record_tree = Tree::new(reader.hashes(records)?)?;
        let elements = reader.hashes(accounts)?;
        let account_tree = Tree::new(reader.hashes(accounts)?)?;
        let roots = (record_tree.root(), account_tree.root());
        if roots != (commitment.record_root, commitment.account_root) {
            return None;
        }
        let mut sections = Vec::with_capacity(accounts);
        for number in 0..commitment.account_count {
            let section = match reader.byte()? {
                ERASED => None,
                PRESENT => Some(reader.section(ParticipantNumber(number))?),
                _ => return None,
            };
            sections.push(section);
        }
        let kept = Self { commitment, record_tree, account_tree, elements, sections };
        (reader.0.is_empty() && kept.is_consistent()).then_some(kept)
    }

    /// Whether each section is the one of which the hashes are public.
    fn is_consistent(&self) -> bool {
        self.sections.iter().enumerate().all(|(number, kept)| {
            let Some(kept) = kept else { return true };
            let committed = range_of(kept).and_then(|range| self.record_tree.leaves().get(range));
            // Also keeps the indices within the batch.
            let Some(committed) = committed else { return false };
            let indexed = (kept.first..).zip(&kept.leaves);
            let hashes: Vec<B256> =
                indexed.map(|(index, leaf)| kept.key.sealed_hash(index, leaf)).collect();
            committed == hashes.as_slice()
                && self.elements.get(number) == Some(&section_element(&hashes))
                && self.account_tree.leaves().get(number)
                    == Some(&kept.key.sealed_account_hash(&kept.account))
        })
    }
}

fn range_of(kept: &KeptSection) -> Option<Range<usize>> {
    let first = usize::try_from(kept.first).ok()?;
    Some(first..first.checked_add(kept.leaves.len())?)
}

/// What is left to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn number_32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn number_64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn amount(&mut self) -> Option<Amount> {
        self.array().map(i64::from_be_bytes).map(Amount::from_micro)
    }

    fn hash(&mut self) -> Option<B256> {
        self.array().map(B256::new)
    }

    fn hashes(&mut self, count: usize) -> Option<Vec<B256>> {
        let bytes = self.take(count.checked_mul(HASH_LENGTH)?)?;
        Some(bytes.chunks_exact(HASH_LENGTH).map(B256::from_slice).collect())
    }

    fn commitment(&mut self) -> Option<BatchCommitment> {
        Some(BatchCommitment {
            period: SettlementPeriod(self.number_32()?),
            run: self.number_32()?,
            part: self.array().map(u16::from_be_bytes)?,
            count: self.number_32()?,
            first_key: self.number_64()?,
            last_key: self.number_64()?,
            record_root: self.hash()?,
            account_root: self.hash()?,
            account_count: self.number_32()?,
            hub_balance: self.amount()?,
            inbox_to: self.number_64()?,
            expected_parent: self.hash()?,
        })
    }

    fn section(&mut self, participant: ParticipantNumber) -> Option<KeptSection> {
        let key = SectionKey::new(self.array()?);
        let (first, count) = (self.number_32()?, usize::try_from(self.number_32()?).ok()?);
        if count > SECTION_RECORDS_MAX {
            return None;
        }
        let (balance, payable_micro) = (self.amount()?, self.number_64()?);
        let (mut leaves, mut signatures) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let record = Record::unpack(&self.array::<{ Record::LENGTH }>()?).ok()?;
            let (amount, balance_after) = (self.amount()?, self.amount()?);
            leaves.push(RecordLeaf { record, amount, balance_after, hub_after: self.amount()? });
            let length = usize::from(self.byte()?);
            if length > SIGNATURE_LENGTH_MAX {
                return None;
            }
            let signature = self.take(length)?.to_vec();
            signatures.push(Some(signature).filter(|signature| !signature.is_empty()));
        }
        let account = AccountLeaf { participant, balance, payable_micro };
        Some(KeptSection { key, first, leaves, signatures, account })
    }
}

/// A folder with the sections of sealed batches, which nobody but its owner can read.
#[derive(Debug, Clone)]
pub struct SectionStore {
    folder: PathBuf,
}

impl SectionStore {
    /// Returns the store in a folder, which is made with the first file.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns as many new section keys, from the operating system's random numbers.
    #[must_use]
    pub fn new_keys(count: usize) -> Vec<SectionKey> {
        let mut bytes = [0; 32];
        let keys = (0..count).map(|_| {
            OsRng.fill_bytes(&mut bytes);
            SectionKey::new(bytes)
        });
        keys.collect()
    }

    /// Keeps a batch. When this returns, it is on disk; one that is there already is left as it is.
    ///
    /// # Errors
    ///
    /// Returns a [`SectionStoreError`], [`SectionStoreError::Taken`] where a file of this name holds something else.
    pub fn keep(&self, batch: &KeptBatch) -> Result<(), SectionStoreError> {
        let of = batch.commitment();
        let path = self.path(&of.expected_parent, &of.record_root);
        match self.read(&path)? {
            Some(found) if found == *batch => return Ok(()),
            Some(_) => return Err(SectionStoreError::Taken { path }),
            None => {}
        }
        let written = self.written(&batch.encode())?;
        match written.persist_noclobber(&path) {
            Ok(_) => self.sync(),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(SectionStoreError::Taken { path })
            }
            Err(error) => Err(SectionStoreError::Io { path, source: error.error }),
        }
    }

    /// Returns the batch of a header, or `None` where it is not here.
    ///
    /// # Errors
    ///
    /// Returns a [`SectionStoreError`].
    pub fn batch(&self, header: &BatchHeader) -> Result<Option<KeptBatch>, SectionStoreError> {
        self.read(&self.path(&header.parent, &header.record_root))
    }

    /// Returns the files that are not what was written.
    ///
    /// # Errors
    ///
    /// Returns [`SectionStoreError::Io`].
    pub fn damaged(&self) -> Result<Vec<PathBuf>, SectionStoreError> {
        let mut damaged = Vec::new();
        for name in self.names()? {
            match self.read(&self.folder.join(name)) {
                Err(SectionStoreError::Damaged { path }) => damaged.push(path),
                read => drop(read?),
            }
        }
        damaged.sort_unstable();
        Ok(damaged)
    }

    /// Returns whether there is a file for the batch of a header.
    #[must_use]
    pub fn has(&self, header: &BatchHeader) -> bool {
        self.path(&header.parent, &header.record_root).is_file()
    }

    /// Returns the batches that were to be committed on a parent, whether or not they came to the chain.
    ///
    /// # Errors
    ///
    /// Returns a [`SectionStoreError`].
    pub fn batches_on(&self, parent: &B256) -> Result<Vec<KeptBatch>, SectionStoreError> {
        let on_it =
            self.names()?.into_iter().filter(|name| name.starts_with(&format!("{parent}-")));
        let batches = on_it.map(|name| self.read(&self.folder.join(name)));
        batches.filter_map(Result::transpose).collect()
    }

    /// Returns whether no batch was ever kept here.
    ///
    /// # Errors
    ///
    /// Returns a [`SectionStoreError`].
    pub fn is_empty(&self) -> Result<bool, SectionStoreError> {
        Ok(self.names()?.is_empty())
    }

    /// Deletes the files of batches that are not among `standing` and were not to be committed on one of `open_parents`, and those
    /// that were never written to their end. What an attempt left behind that died, or a batch that was cancelled, is personal data
    /// too. Returns how many files they were. Nobody else may be writing.
    ///
    /// # Errors
    ///
    /// Returns a [`SectionStoreError`].
    pub fn forget_attempts<'a>(
        &self,
        standing: impl IntoIterator<Item = &'a BatchHeader>,
        open_parents: &[B256],
    ) -> Result<usize, SectionStoreError> {
        let named = |of: &BatchHeader| format!("{}-{}{ENDING}", of.parent, of.record_root);
        let standing: BTreeSet<String> = standing.into_iter().map(named).collect();
        let may_stand =
            |name: &str| open_parents.iter().any(|parent| name.starts_with(&format!("{parent}-")));
        let dead = self.names_where(|name| {
            let is_batch = name.ends_with(ENDING) && !standing.contains(name) && !may_stand(name);
            is_batch || name.starts_with(INCOMPLETE)
        })?;
        let mut count = 0;
        for name in dead {
            let path = self.folder.join(name);
            fs::remove_file(&path).map_err(|source| SectionStoreError::Io { path, source })?;
            count += 1;
        }
        if count > 0 {
            self.sync()?;
        }
        Ok(count)
    }

    /// Returns the names of all files with batches.
    fn names(&self) -> Result<Vec<String>, SectionStoreError> {
        self.names_where(|name| name.ends_with(ENDING) && !name.starts_with(INCOMPLETE))
    }

    fn names_where(
        &self,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>, SectionStoreError> {
        let failed = |source| SectionStoreError::Io { path: self.folder.clone(), source };
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            names.extend(name.into_string().ok().filter(|name| is_wanted(name)));
        }
        Ok(names)
    }

    /// Erases participants' sections of a batch: their keys, their records and what was signed. The file is replaced as a whole, all of
    /// them or none; when this returns, that is on disk. What is public of the section stays, and nobody can tell any more what it was.
    ///
    /// Nothing of it can be shown after that: where the batch is pending, a demand would cost the hub the batch, and where it is the
    /// newest one, the hub would not know the account on which the next is built.
    ///
    /// # Errors
    ///
    /// Returns a [`SectionStoreError`], [`SectionStoreError::Missing`] where there is nothing to erase.
    pub fn erase(
        &self,
        header: &BatchHeader,
        participants: &[ParticipantNumber],
    ) -> Result<(), SectionStoreError> {
        let missing = |participant: ParticipantNumber| SectionStoreError::Missing {
            seq: header.seq,
            participant: participant.0,
        };
        let Some(&first) = participants.first() else { return Ok(()) };
        let mut batch = self.batch(header)?.ok_or_else(|| missing(first))?;
        for &participant in participants {
            let number = usize::try_from(participant.0).unwrap_or(usize::MAX);
            let section = batch.sections.get_mut(number).and_then(Option::take);
            drop(section.ok_or_else(|| missing(participant))?);
        }
        let path = self.path(&header.parent, &header.record_root);
        let persisted = self.written(&batch.encode())?.persist(&path);
        persisted.map_err(|error| SectionStoreError::Io { path, source: error.error })?;
        self.sync()
    }

    fn path(&self, parent: &B256, record_root: &B256) -> PathBuf {
        self.folder.join(format!("{parent}-{record_root}{ENDING}"))
    }

    /// Returns a file of the folder that has no name yet, with its content on disk. Nobody else can read it.
    fn written(&self, bytes: &[u8]) -> Result<tempfile::NamedTempFile, SectionStoreError> {
        let failed = |source| SectionStoreError::Io { path: self.folder.clone(), source };
        make_private(&self.folder).map_err(failed)?;
        let mut file = tempfile::Builder::new();
        let mut file = file.prefix(INCOMPLETE).tempfile_in(&self.folder).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        Ok(file)
    }

    fn sync(&self) -> Result<(), SectionStoreError> {
        let failed = |source| SectionStoreError::Io { path: self.folder.clone(), source };
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    fn read(&self, path: &Path) -> Result<Option<KeptBatch>, SectionStoreError> {
        let failed = |source| SectionStoreError::Io { path: path.to_owned(), source };
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        file.take(FILE_LENGTH_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        let batch = KeptBatch::decode(&bytes).filter(|batch| {
            let of = batch.commitment();
            self.path(&of.expected_parent, &of.record_root) == path
        });
        batch.map(Some).ok_or_else(|| SectionStoreError::Damaged { path: path.to_owned() })
    }
}

/// Makes a folder that its owner alone can enter, or makes one so that is there.
fn make_private(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent)?;
        }
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made,
        }
        let mode = fs::metadata(folder)?.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    }
    #[cfg(not(unix))]
    fs::create_dir_all(folder)
}
