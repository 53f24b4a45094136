//! States and blocks that a message only assumes.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, B256, U256, map::B256HashMap};
use alloy_rpc_types_eth::{
    BlockOverrides,
    state::{AccountOverride, StateOverride},
};

use super::{Params, RpcError, resolve::Target};
use crate::state::{StateDiff, StateRead, overlay::OverlayState};

impl Target {
    /// Returns the target with what the next two parameters assume about state and block.
    ///
    /// # Errors
    ///
    /// Returns an error when the assumptions contradict each other or are not supported.
    pub(crate) fn with_params(self, params: &mut Params) -> Result<Self, RpcError> {
        self.with(params.optional()?, params.optional()?)
    }

    /// Returns the target with what is assumed about state and block.
    ///
    /// # Errors
    ///
    /// Returns an error when the assumptions contradict each other or are not supported.
    pub(crate) fn with(
        mut self,
        state: Option<StateOverride>,
        block: Option<BlockOverrides>,
    ) -> Result<Self, RpcError> {
        let hashes = block.as_ref().is_some_and(|block| block.block_hash.is_some());
        if state.is_none() && !hashes {
            if let Some(block) = block {
                self.assume_block(&block)?;
            }
            return Ok(self);
        }
        let mut overlay = OverlayState::new(Arc::clone(&self.state), &StateDiff::default());
        // In order of the address, so that the first of several errors is always the same.
        for (address, account) in state.unwrap_or_default().into_iter().collect::<BTreeMap<_, _>>()
        {
            assume_account(&mut overlay, address, account)?;
        }
        if let Some(block) = block {
            for (number, hash) in block.block_hash.iter().flatten() {
                overlay.set_block_hash(*number, *hash);
            }
            self.assume_block(&block)?;
        }
        self.state = Arc::new(overlay);
        Ok(self)
    }

    fn assume_block(&mut self, block: &BlockOverrides) -> Result<(), RpcError> {
        let number = |name: &str, value: U256| {
            u64::try_from(value)
                .map_err(|_| RpcError::invalid_params(format!("{name} is above 2^64 - 1")))
        };
        if block.blob_base_fee.is_some() {
            return Err(RpcError::invalid_params("blobBaseFee cannot be assumed"));
        }
        let header = &mut self.header;
        if let Some(value) = block.number {
            header.number = number("number", value)?;
        }
        if let Some(value) = block.base_fee {
            header.base_fee_per_gas = Some(number("baseFee", value)?);
        }
        header.timestamp = block.time.unwrap_or(header.timestamp);
        header.gas_limit = block.gas_limit.unwrap_or(header.gas_limit);
        header.beneficiary = block.coinbase.unwrap_or(header.beneficiary);
        // Difficulty is what its place in the header means since the merge: randomness.
        let difficulty = block.difficulty.map(B256::from);
        header.mix_hash = block.random.or(difficulty).unwrap_or(header.mix_hash);
        Ok(())
    }
}

fn assume_account(
    overlay: &mut OverlayState,
    address: Address,
    assumed: AccountOverride,
) -> Result<(), RpcError> {
    if assumed.move_precompile_to.is_some() {
        return Err(RpcError::invalid_params("movePrecompileToAddress is not supported"));
    }
    let slots = match (assumed.state, assumed.state_diff) {
        (Some(_), Some(_)) => {
            let reason = format!("account {address} has both state and stateDiff");
            return Err(RpcError::invalid_params(reason));
        }
        (Some(all), None) => {
            overlay.clear_storage(address);
            all
        }
        (None, some) => some.unwrap_or_default(),
    };
    let mut account = overlay.account(address)?.unwrap_or_default();
    account.balance = assumed.balance.unwrap_or(account.balance);
    account.nonce = assumed.nonce.unwrap_or(account.nonce);
    if let Some(code) = assumed.code {
        account.code_hash = overlay.add_code(code);
    }
    overlay.set_account(address, account);
    set_slots(overlay, address, &slots);
    Ok(())
}

fn set_slots(overlay: &mut OverlayState, address: Address, slots: &B256HashMap<B256>) {
    #[expect(clippy::iter_over_hash_type, reason = "every slot is set once, in any order")]
    for (slot, value) in slots {
        overlay.set_storage(address, *slot, U256::from_be_bytes(value.0));
    }
}
