//! Headers and leaves of batches in the archive: whoever has them proves a record without computing the ledger again.

use alloy_primitives::B256;
use gridtally_settlement::{BatchHeader, LEAVES_MAX, RecordLeaf, Tree};

use crate::archive::{BatchArchive, BatchArchiveError};
use crate::batch_answer::record_leaf;

/// Bytes of a leaf: its preimage without the tag.
const LEAF_LENGTH: usize = RecordLeaf::LENGTH - 1;
/// Bytes of the longest file.
const LEAVES_LENGTH_MAX: usize = LEAVES_MAX as usize * LEAF_LENGTH;

impl BatchArchive {
    /// Keeps a header that the chain made. When this returns, it is stored.
    ///
    /// # Errors
    ///
    /// As [`keep_blobs`](Self::keep_blobs).
    pub async fn keep_header(&self, header: &BatchHeader) -> Result<(), BatchArchiveError> {
        self.keep(&header_name(header.hash()), &header.encode()).await
    }

    /// Returns the header with this hash, or `None` where it is not here.
    ///
    /// # Errors
    ///
    /// Returns a [`BatchArchiveError`].
    pub async fn header(&self, hash: B256) -> Result<Option<BatchHeader>, BatchArchiveError> {
        let name = header_name(hash);
        let Some(bytes) = self.read(&name, BatchHeader::LENGTH).await? else { return Ok(None) };
        let header = BatchHeader::decode(&bytes).ok().filter(|header| header.hash() == hash);
        header.map(Some).ok_or_else(|| self.differs(&name))
    }

    /// Keeps the leaves over the records of a batch. When this returns, they are stored.
    ///
    /// # Errors
    ///
    /// As [`keep_blobs`](Self::keep_blobs).
    pub async fn keep_leaves(
        &self,
        record_root: B256,
        leaves: &[RecordLeaf],
    ) -> Result<(), BatchArchiveError> {
        let content: Vec<u8> =
            leaves.iter().flat_map(|leaf| leaf.preimage()[1..].to_vec()).collect();
        self.keep(&leaves_name(record_root), &content).await
    }

    /// Returns the leaves under a record root with their tree, or `None` where they are not here.
    ///
    /// # Errors
    ///
    /// Returns a [`BatchArchiveError`], [`BatchArchiveError::Differs`] where they are not under this root.
    pub async fn leaves(
        &self,
        record_root: B256,
    ) -> Result<Option<(Vec<RecordLeaf>, Tree)>, BatchArchiveError> {
        let name = leaves_name(record_root);
        let Some(content) = self.read(&name, LEAVES_LENGTH_MAX).await? else { return Ok(None) };
        let packed = content.chunks_exact(LEAF_LENGTH);
        if !packed.remainder().is_empty() {
            return Err(self.differs(&name));
        }
        let leaves: Vec<RecordLeaf> = packed.map(record_leaf).collect();
        let tree = Tree::new(leaves.iter().map(RecordLeaf::hash).collect());
        let tree = tree.filter(|tree| tree.root() == record_root);
        let tree = tree.ok_or_else(|| self.differs(&name))?;
        Ok(Some((leaves, tree)))
    }
}

fn header_name(hash: B256) -> String {
    format!("{hash}.header")
}

fn leaves_name(record_root: B256) -> String {
    format!("{record_root}.leaves")
}
