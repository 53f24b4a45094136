//! From the block that a request names to the block and the state it means.

use std::sync::Arc;

use alloy_consensus::Header;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::Address;

use super::{Context, RpcError, error::RESOURCE_NOT_FOUND};
use crate::{
    block::SealedBlock,
    chain::Core,
    sealer::{Draft, Selection, complete},
    state::StateRead,
};

/// A state to execute messages on, with the header of the block they see.
pub(crate) struct Target {
    /// The header that the message sees.
    pub(crate) header: Header,
    /// The state that the message sees.
    pub(crate) state: Arc<dyn StateRead>,
}

impl Context<'_> {
    fn core(&self) -> &Arc<Core> {
        &self.chain.core
    }

    /// Returns the number that a request means. The chain has no forks, so safe and finalized are the latest.
    pub(crate) fn number(&self, number: BlockNumberOrTag) -> u64 {
        match number {
            BlockNumberOrTag::Number(number) => number,
            BlockNumberOrTag::Earliest => 0,
            BlockNumberOrTag::Latest
            | BlockNumberOrTag::Safe
            | BlockNumberOrTag::Finalized
            | BlockNumberOrTag::Pending => self.chain.head().number(),
        }
    }

    /// Returns the sealed block that a request means, the latest for pending; nothing when there is none.
    ///
    /// # Errors
    ///
    /// Returns an error when the log cannot be read.
    pub(crate) fn find(&self, id: BlockId) -> Result<Option<Arc<SealedBlock>>, RpcError> {
        let head = self.chain.head();
        let number = match id {
            BlockId::Hash(hash) => {
                if hash.block_hash == head.hash {
                    return Ok(Some(head));
                }
                let Some(number) = self.core().archive.number(hash.block_hash) else {
                    return Ok(None);
                };
                number
            }
            BlockId::Number(number) => self.number(number),
        };
        if number == head.number() {
            return Ok(Some(head));
        }
        Ok(self.chain.block(number)?)
    }

    /// Returns the sealed block that a request means, the latest for pending.
    ///
    /// # Errors
    ///
    /// Returns an error when there is no such block or the log cannot be read.
    pub(crate) fn block(&self, id: BlockId) -> Result<Arc<SealedBlock>, RpcError> {
        self.find(id)?.ok_or_else(|| RpcError::new(RESOURCE_NOT_FOUND, "header not found"))
    }

    /// Returns the state and header that a message on this block sees.
    ///
    /// # Errors
    ///
    /// Returns an error when there is no such block or its state is no longer kept.
    pub(crate) fn target(&self, id: BlockId) -> Result<Target, RpcError> {
        if id.is_pending() {
            let draft = self.pending()?;
            let state = self.chain.state_at(draft.header.number - 1)?.with(&draft.diff);
            return Ok(Target { header: draft.header, state: Arc::new(state) });
        }
        let block = self.block(id)?;
        let state = Arc::new(self.chain.state_at(block.number())?);
        Ok(Target { header: block.header.clone(), state })
    }

    /// Returns the nonce after the transactions of an account that are in blocks or wait for one.
    ///
    /// # Errors
    ///
    /// Returns an error when the state cannot be read.
    pub(crate) fn next_nonce(&self, address: Address) -> Result<u64, RpcError> {
        loop {
            let head = self.chain.head();
            let account = self.chain.state_at(head.number())?.view().account(address)?;
            let nonce = account.unwrap_or_default().nonce;
            let next = self.core().pool().next_nonce(address, nonce);
            // Otherwise what waited may have been put into a block between the two looks.
            if self.chain.head().hash == head.hash {
                return Ok(next);
            }
        }
    }

    /// Returns the block that would be sealed now.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be executed.
    pub(crate) fn pending(&self) -> Result<Draft, RpcError> {
        let core = self.core();
        let head = core.head();
        let timestamp = core.time.peek(head.header.timestamp);
        Ok(core.draft(&head, timestamp, Selection::Waiting)?)
    }

    /// Returns the block that would be sealed now in the form of a sealed one. Its state root is the parent's.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be executed.
    pub(crate) fn pending_block(&self) -> Result<SealedBlock, RpcError> {
        let Draft { header, transactions, receipts, .. } = self.pending()?;
        let state_root = header.state_root;
        Ok(complete(header, state_root, transactions, receipts))
    }
}
