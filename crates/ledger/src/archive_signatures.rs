//! The meters' signatures of a batch in the archive: the chain does not publish them, and whoever lost them cannot answer.
//!
//! ```text
//! for each record, in order:  length u8 | signature        length 0 without one, 64 on P-256, 65 on secp256k1
//! ```
//!
//! A file is named by the record root and the hash of its content. So a later, fuller set stands beside the first one, and
//! nothing is overwritten. Whether a signature is one of the meter's is for its reader to check.

use std::fs;
use std::io;
use std::path::Path;

use alloy_primitives::{B256, keccak256};
use gridtally_settlement::LEAVES_MAX;

use crate::archive::{BatchArchive, BatchArchiveError, read};

/// The longest signature.
const SIGNATURE_LENGTH_MAX: usize = 65;
/// Bytes of the longest file.
const FILE_LENGTH_MAX: usize = LEAVES_MAX as usize * (1 + SIGNATURE_LENGTH_MAX);
/// Sets of one batch that are read at most.
const SETS_MAX: usize = 16;
const ENDING: &str = ".signatures";

impl BatchArchive {
    /// Keeps the signatures of a batch, one place for each record; nothing where there is none at all. When this returns, they
    /// are on disk.
    ///
    /// # Errors
    ///
    /// As [`keep_blobs`](Self::keep_blobs).
    pub fn keep_signatures(
        &self,
        record_root: B256,
        signatures: &[Option<Vec<u8>>],
    ) -> Result<(), BatchArchiveError> {
        let mut content = Vec::new();
        let mut is_any = false;
        for signature in signatures {
            let bytes = signature.as_deref().filter(|bytes| is_length(bytes.len()));
            let bytes = bytes.unwrap_or_default();
            is_any |= !bytes.is_empty();
            content.push(u8::try_from(bytes.len()).unwrap_or(0));
            content.extend_from_slice(bytes);
        }
        if !is_any {
            return Ok(());
        }
        let name = format!("{record_root}-{}{ENDING}", keccak256(&content));
        self.keep(&self.folder().join(name), &content)
    }

    /// Returns the signatures that are kept for a record of a batch with so many records.
    ///
    /// # Errors
    ///
    /// Returns a [`BatchArchiveError`], [`BatchArchiveError::Differs`] for a file that is damaged or of another batch.
    pub fn signatures(
        &self,
        record_root: B256,
        count: u32,
        index: u32,
    ) -> Result<Vec<Vec<u8>>, BatchArchiveError> {
        let folder = self.folder();
        let failed = |source| BatchArchiveError::Io { path: folder.to_owned(), source };
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let prefix = format!("{record_root}-");
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if name.starts_with(&prefix) && name.ends_with(ENDING) {
                names.push(name);
            }
        }
        names.sort_unstable();
        let mut found = Vec::new();
        for name in names.iter().take(SETS_MAX) {
            let path = folder.join(name);
            let stated = name.trim_start_matches(&prefix).trim_end_matches(ENDING);
            found.extend(one_of(&path, stated, count, index)?);
        }
        Ok(found)
    }
}

/// Returns the signature of one record in a file.
fn one_of(
    path: &Path,
    stated: &str,
    count: u32,
    index: u32,
) -> Result<Option<Vec<u8>>, BatchArchiveError> {
    let Some(content) = read(path, FILE_LENGTH_MAX)? else { return Ok(None) };
    let differs = || BatchArchiveError::Differs { path: path.to_owned() };
    if keccak256(&content).to_string() != stated {
        return Err(differs());
    }
    let (mut rest, mut found) = (content.as_slice(), None);
    for place in 0..count {
        let (&length, after) = rest.split_first().ok_or_else(differs)?;
        let length = usize::from(length);
        if length != 0 && !is_length(length) {
            return Err(differs());
        }
        let (signature, after) = after.split_at_checked(length).ok_or_else(differs)?;
        if place == index && length > 0 {
            found = Some(signature.to_vec());
        }
        rest = after;
    }
    if rest.is_empty() { Ok(found) } else { Err(differs()) }
}

const fn is_length(length: usize) -> bool {
    matches!(length, 64 | 65)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_come_back_and_a_fuller_set_stands_beside_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let archive = BatchArchive::new(folder.path().join("archive"));
        let root = B256::repeat_byte(7);
        assert_eq!(archive.signatures(root, 3, 0).unwrap(), Vec::<Vec<u8>>::new());
        archive.keep_signatures(root, &[None, Some(vec![1; 63])]).unwrap();
        assert!(!archive.folder().exists(), "nothing to keep");
        let first = [None, Some(vec![1; 65]), None];
        let fuller = [Some(vec![2; 64]), Some(vec![1; 65]), None];
        for set in [&first, &first, &fuller] {
            archive.keep_signatures(root, set).unwrap();
        }
        assert_eq!(fs::read_dir(archive.folder()).unwrap().count(), 2);
        assert_eq!(archive.signatures(root, 3, 0).unwrap(), [vec![2; 64]]);
        assert_eq!(archive.signatures(root, 3, 1).unwrap(), [vec![1; 65], vec![1; 65]]);
        assert_eq!(archive.signatures(root, 3, 2).unwrap(), Vec::<Vec<u8>>::new());
        assert_eq!(archive.signatures(B256::ZERO, 3, 1).unwrap(), Vec::<Vec<u8>>::new());
        for count in [2, 4] {
            let differs = archive.signatures(root, count, 0);
            assert!(matches!(differs, Err(BatchArchiveError::Differs { .. })), "{count} records");
        }
    }

    #[test]
    fn a_changed_or_cut_file_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let archive = BatchArchive::new(folder.path());
        let root = B256::repeat_byte(7);
        archive.keep_signatures(root, &[Some(vec![1; 65]), Some(vec![2; 64])]).unwrap();
        let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let whole = fs::read(&path).unwrap();
        let mut changed = whole.clone();
        changed[5] ^= 1;
        for content in
            [changed, whole[..70].to_vec(), Vec::new(), [whole.clone(), vec![0]].concat()]
        {
            fs::write(&path, content).unwrap();
            let refused = archive.signatures(root, 2, 0).unwrap_err().to_string();
            assert!(refused.contains(&path.display().to_string()), "{refused}");
        }
        fs::write(&path, whole).unwrap();
        assert_eq!(archive.signatures(root, 2, 1).unwrap(), [vec![2; 64]]);
    }
}
