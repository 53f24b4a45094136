//! The first block: rules, system contracts, funded accounts.

use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, Header,
    constants::{EMPTY_RECEIPTS, EMPTY_TRANSACTIONS, EMPTY_WITHDRAWALS},
};
use alloy_eips::{
    eip2935::{HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CODE},
    eip4788::{BEACON_ROOTS_ADDRESS, BEACON_ROOTS_CODE},
    eip7002::{WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_PREDEPLOY_CODE},
    eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_CODE},
    eip7685::EMPTY_REQUESTS_HASH,
    eip7840::BlobParams,
};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};

use crate::state::{AccountDiff, StateDiff};

/// Blobs per block and their price under Osaka rules.
pub const BLOB_PARAMS: BlobParams = BlobParams::osaka();

/// Base fee of the first block in wei per gas.
pub const BASE_FEE_INITIAL: u64 = 1_000_000_000;

/// What each funded account starts with: 10,000 ETH in wei.
pub const FUNDED_BALANCE: U256 = U256::from_limbs([0x19e0_c9ba_b240_0000, 542, 0, 0]);

/// Text in the `extraData` of every block.
pub const EXTRA_DATA: &[u8] = b"gridtally";

/// What a chain starts from. Two chains with the same genesis have the same first block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// Chain id (EIP-155).
    pub chain_id: u64,
    /// Time of the first block in seconds since 1970.
    pub timestamp: u64,
    /// Gas limit of the first block.
    pub gas_limit: u64,
    /// Accounts that start with [`FUNDED_BALANCE`].
    pub funded: Vec<Address>,
}

impl Genesis {
    /// Returns what the first block puts into the state.
    #[must_use]
    pub fn state(&self) -> StateDiff {
        let contract = |address, code: &Bytes| account(address, 1, U256::ZERO, keccak256(code));
        let mut accounts = vec![
            contract(BEACON_ROOTS_ADDRESS, &BEACON_ROOTS_CODE),
            contract(HISTORY_STORAGE_ADDRESS, &HISTORY_STORAGE_CODE),
            contract(WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, &WITHDRAWAL_REQUEST_PREDEPLOY_CODE),
            contract(
                CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
                &CONSOLIDATION_REQUEST_PREDEPLOY_CODE,
            ),
        ];
        let funded = self.funded.iter();
        accounts.extend(funded.map(|a| account(*a, 0, FUNDED_BALANCE, KECCAK256_EMPTY)));
        accounts.sort_unstable_by_key(|account| account.address);
        let codes = vec![
            BEACON_ROOTS_CODE.clone(),
            HISTORY_STORAGE_CODE.clone(),
            WITHDRAWAL_REQUEST_PREDEPLOY_CODE.clone(),
            CONSOLIDATION_REQUEST_PREDEPLOY_CODE.clone(),
        ];
        StateDiff { accounts, codes }
    }

    /// Returns the header of the first block, given the root of [`Self::state`].
    #[must_use]
    pub fn header(&self, state_root: B256) -> Header {
        Header {
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            state_root,
            transactions_root: EMPTY_TRANSACTIONS,
            receipts_root: EMPTY_RECEIPTS,
            gas_limit: self.gas_limit,
            timestamp: self.timestamp,
            // The chain id makes the first block of two chains differ even when everything else is equal.
            extra_data: Bytes::from(format!("gridtally {}", self.chain_id).into_bytes()),
            base_fee_per_gas: Some(BASE_FEE_INITIAL),
            withdrawals_root: Some(EMPTY_WITHDRAWALS),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(EMPTY_REQUESTS_HASH),
            ..Header::default()
        }
    }
}

fn account(address: Address, nonce: u64, balance: U256, code_hash: B256) -> AccountDiff {
    AccountDiff {
        address,
        exists: true,
        nonce,
        balance,
        code_hash,
        clears_storage: false,
        storage: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn funded_accounts_start_with_ten_thousand_ether() {
        assert_eq!(FUNDED_BALANCE, U256::from(10_000) * U256::from(10).pow(U256::from(18)));
    }
}
