//! The meters' signatures of a batch in the archive: the chain does not publish them, and whoever lost them cannot answer.
//!
//! ```text
//! for each record, in order:  length u8 | signature        length 0 without one, 64 on P-256, 65 on secp256k1
//! ```
//!
//! A file is named by the record root and the hash of its content. So a later, fuller set stands beside the first one, and
//! nothing is overwritten. Whether a signature is one of the meter's is for its reader to check.

use alloy_primitives::{B256, keccak256};
use gridtally_settlement::LEAVES_MAX;

use crate::archive::{BatchArchive, BatchArchiveError};

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
    pub async fn keep_signatures(
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
        self.keep(&name, &content).await
    }

    /// Returns the signatures that are kept for a record of a batch with so many records.
    ///
    /// # Errors
    ///
    /// Returns a [`BatchArchiveError`], [`BatchArchiveError::Differs`] for a file that is damaged or of another batch.
    pub async fn signatures(
        &self,
        record_root: B256,
        count: u32,
        index: u32,
    ) -> Result<Vec<Vec<u8>>, BatchArchiveError> {
        let prefix = format!("{record_root}-");
        let mut found = Vec::new();
        let names = self.names(&prefix, SETS_MAX).await?;
        for name in names.iter().filter(|name| name.ends_with(ENDING)).take(SETS_MAX) {
            let stated = name.trim_start_matches(&prefix).trim_end_matches(ENDING);
            let Some(content) = self.read(name, FILE_LENGTH_MAX).await? else { continue };
            let is_named = keccak256(&content).to_string() == stated;
            let one = if is_named { one_of(&content, count, index) } else { None };
            found.extend(one.ok_or_else(|| self.differs(name))?);
        }
        Ok(found)
    }
}

/// Returns the signature of one record in a set, if it has one, or `None` where the set is not of so many records.
fn one_of(content: &[u8], count: u32, index: u32) -> Option<Option<Vec<u8>>> {
    let (mut rest, mut found) = (content, None);
    for place in 0..count {
        let (&length, after) = rest.split_first()?;
        let length = usize::from(length);
        if length != 0 && !is_length(length) {
            return None;
        }
        let (signature, after) = after.split_at_checked(length)?;
        if place == index && length > 0 {
            found = Some(signature.to_vec());
        }
        rest = after;
    }
    rest.is_empty().then_some(found)
}

const fn is_length(length: usize) -> bool {
    matches!(length, 64 | 65)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn signatures_come_back_and_a_fuller_set_stands_beside_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive");
        let archive = BatchArchive::new(&path);
        let root = B256::repeat_byte(7);
        assert_eq!(archive.signatures(root, 3, 0).await.unwrap(), Vec::<Vec<u8>>::new());
        archive.keep_signatures(root, &[None, Some(vec![1; 63])]).await.unwrap();
        assert!(!path.exists(), "nothing to keep");
        let first = [None, Some(vec![1; 65]), None];
        let fuller = [Some(vec![2; 64]), Some(vec![1; 65]), None];
        for set in [&first, &first, &fuller] {
            archive.keep_signatures(root, set).await.unwrap();
        }
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
        assert_eq!(archive.signatures(root, 3, 0).await.unwrap(), [vec![2; 64]]);
        assert_eq!(archive.signatures(root, 3, 1).await.unwrap(), [vec![1; 65], vec![1; 65]]);
        assert_eq!(archive.signatures(root, 3, 2).await.unwrap(), Vec::<Vec<u8>>::new());
        assert_eq!(archive.signatures(B256::ZERO, 3, 1).await.unwrap(), Vec::<Vec<u8>>::new());
        for count in [2, 4] {
            let differs = archive.signatures(root, count, 0).await;
            assert!(matches!(differs, Err(BatchArchiveError::Differs { .. })), "{count} records");
        }
    }

    #[tokio::test]
    async fn a_changed_or_cut_file_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let archive = BatchArchive::new(folder.path());
        let root = B256::repeat_byte(7);
        archive.keep_signatures(root, &[Some(vec![1; 65]), Some(vec![2; 64])]).await.unwrap();
        let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let whole = fs::read(&path).unwrap();
        let mut changed = whole.clone();
        changed[5] ^= 1;
        for content in
            [changed, whole[..70].to_vec(), Vec::new(), [whole.clone(), vec![0]].concat()]
        {
            fs::write(&path, content).unwrap();
            let refused = archive.signatures(root, 2, 0).await.unwrap_err().to_string();
            assert!(refused.contains(&path.display().to_string()), "{refused}");
        }
        fs::write(&path, whole).unwrap();
        assert_eq!(archive.signatures(root, 2, 1).await.unwrap(), [vec![2; 64]]);
    }
}
