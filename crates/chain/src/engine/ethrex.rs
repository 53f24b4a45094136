//! The engine: the virtual machine of ethrex over our own state.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use alloy_consensus::{Header, TxEnvelope, transaction::Recovered};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{B256, Bytes, KECCAK256_EMPTY, U256};
use alloy_rpc_types_eth::TransactionRequest;
use ethrex_common::{
    Address as H160, H256, NativeCrypto,
    constants::EMPTY_TRIE_HASH,
    types::{
        AccountState, AccountUpdate, BlobSchedule, BlockHeader, ChainConfig, Code, CodeMetadata,
        ForkBlobSchedule, requests::compute_requests_hash,
    },
};
use ethrex_vm::{Evm, EvmError, ExecutionResult, VmDatabase};

use super::{
    AccessListOutcome, BlockExecution, BlockOutcome, CallOutcome, Engine, EngineError, TxOutcome,
    convert::{
        address, b256, ethrex_header, ethrex_transaction, from_u256, generic_transaction, h160,
        h256, log, to_u256,
    },
};
use crate::{
    genesis::BLOB_PARAMS,
    state::{Account, AccountDiff, SlotDiff, StateDiff, StateRead},
};

/// Contract codes that are kept ready to run; a contract has at most 24 KB.
const READY_CODES_MAX: usize = 1024;

/// The ethrex virtual machine under Osaka rules.
#[derive(Debug, Clone)]
pub struct EthrexEngine {
    config: ChainConfig,
    codes: Arc<Mutex<HashMap<H256, Code>>>,
}

impl EthrexEngine {
    /// Returns an engine for the chain with this id, under Osaka rules from its first block on.
    #[must_use]
    pub fn new(chain_id: u64) -> Self {
        Self { config: osaka(chain_id), codes: Arc::default() }
    }

    /// Returns the engine's chain configuration.
    #[must_use]
    pub fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// Returns a virtual machine over `state`, for what the [`Engine`] trait does not offer.
    #[must_use]
    pub fn machine(&self, state: Arc<dyn StateRead>) -> Evm {
        Evm::new_for_l1(self.database(state), Arc::new(NativeCrypto))
    }

    fn database(&self, state: Arc<dyn StateRead>) -> StateDatabase {
        StateDatabase { state, config: self.config, codes: Arc::clone(&self.codes) }
    }
}

impl Engine for EthrexEngine {
    fn begin_block(
        &self,
        state: Arc<dyn StateRead>,
        header: Header,
    ) -> Result<Box<dyn BlockExecution>, EngineError> {
        let mut machine = self.machine(Arc::clone(&state));
        let header = ethrex_header(&header)?;
        machine.apply_system_calls(&header).map_err(failed)?;
        Ok(Box::new(Execution { state, machine, header, gas_spent: 0, receipts: Vec::new() }))
    }

    fn call(
        &self,
        state: Arc<dyn StateRead>,
        header: &Header,
        message: &TransactionRequest,
    ) -> Result<CallOutcome, EngineError> {
        let message = generic_transaction(message)?;
        let result = self
            .machine(state)
            .simulate_tx_from_generic(&message, &ethrex_header(header)?)
            .map_err(refused)?;
        Ok(match result {
            ExecutionResult::Success { gas_used, output, logs, .. } => CallOutcome::Success {
                output: Bytes::from(output),
                gas_used,
                logs: logs.into_iter().map(log).collect(),
            },
            ExecutionResult::Revert { gas_used, output } => {
                CallOutcome::Revert { output: Bytes::from(output), gas_used }
            }
            ExecutionResult::Halt { reason, gas_used } => CallOutcome::Halt { reason, gas_used },
        })
    }

    fn access_list(
        &self,
        state: Arc<dyn StateRead>,
        header: &Header,
        message: &TransactionRequest,
    ) -> Result<AccessListOutcome, EngineError> {
        let message = generic_transaction(message)?;
        let (gas_used, list, error) = self
            .machine(state)
            .create_access_list(&message, &ethrex_header(header)?)
            .map_err(refused)?;
        let items = list.into_iter().map(|(account, slots)| AccessListItem {
            address: address(account),
            storage_keys: slots.into_iter().map(b256).collect(),
        });
        Ok(AccessListOutcome { access_list: AccessList(items.collect()), gas_used, error })
    }
}

struct Execution {
    state: Arc<dyn StateRead>,
    machine: Evm,
    header: BlockHeader,
    gas_spent: u64,
    receipts: Vec<ethrex_common::types::Receipt>,
}

impl BlockExecution for Execution {
    fn execute(&mut self, transaction: &Recovered<TxEnvelope>) -> Result<TxOutcome, EngineError> {
        let sender = h160(transaction.signer());
        let transaction = ethrex_transaction(transaction.inner())?;
        let (receipt, report) = self
            .machine
            .execute_tx(&transaction, &self.header, &mut self.gas_spent, sender)
            .map_err(refused)?;
        let outcome = TxOutcome {
            is_success: receipt.succeeded,
            gas_used: report.gas_spent,
            logs: receipt.logs.iter().cloned().map(log).collect(),
        };
        self.receipts.push(receipt);
        Ok(outcome)
    }

    fn finish(mut self: Box<Self>) -> Result<BlockOutcome, EngineError> {
        let requests =
            self.machine.extract_requests(&self.receipts, &self.header).map_err(failed)?;
        let encoded: Vec<_> = requests.iter().map(|request| request.encode()).collect();
        let updates = self.machine.get_state_transitions().map_err(failed)?;
        let diff = state_diff(self.state.as_ref(), updates)?;
        Ok(BlockOutcome { diff, requests_hash: b256(compute_requests_hash(&encoded)) })
    }
}

/// Returns the engine's updates as a diff in ascending order, with whole accounts.
fn state_diff(
    state: &dyn StateRead,
    updates: Vec<AccountUpdate>,
) -> Result<StateDiff, EngineError> {
    let mut diff = StateDiff::default();
    for update in updates {
        let account_address = address(update.address);
        let account = match &update.info {
            Some(info) => Account {
                nonce: info.nonce,
                balance: to_u256(info.balance),
                code_hash: b256(info.code_hash),
            },
            None => state.account(account_address)?.unwrap_or_default(),
        };
        if let Some(code) = &update.code {
            diff.codes.push(Bytes::copy_from_slice(code.code()));
        }
        let slots = update
            .added_storage
            .iter()
            .map(|(slot, value)| SlotDiff { slot: b256(*slot), value: to_u256(*value) });
        let mut storage: Vec<_> = slots.collect();
        storage.sort_unstable_by_key(|slot| slot.slot);
        let exists = !update.removed;
        diff.accounts.push(if exists {
            AccountDiff {
                address: account_address,
                exists,
                nonce: account.nonce,
                balance: account.balance,
                code_hash: account.code_hash,
                clears_storage: update.removed_storage,
                storage,
            }
        } else {
            AccountDiff {
                address: account_address,
                exists,
                nonce: 0,
                balance: U256::ZERO,
                code_hash: KECCAK256_EMPTY,
                clears_storage: false,
                storage: Vec::new(),
            }
        });
    }
    diff.accounts.sort_unstable_by_key(|account| account.address);
    diff.codes.sort_unstable();
    diff.codes.dedup();
    Ok(diff)
}

/// Our state in the form in which the virtual machine reads it.
#[derive(Clone)]
pub struct StateDatabase {
    state: Arc<dyn StateRead>,
    config: ChainConfig,
    codes: Arc<Mutex<HashMap<H256, Code>>>,
}

impl VmDatabase for StateDatabase {
    fn get_account_state(&self, account: H160) -> Result<Option<AccountState>, EvmError> {
        let account_address = address(account);
        let Some(account) = self.state.account(account_address).map_err(database)? else {
            return Ok(None);
        };
        // The machine only asks whether there is storage, so any other root stands for "there is".
        let has_storage = account.code_hash != KECCAK256_EMPTY
            && self.state.has_storage(account_address).map_err(database)?;
        Ok(Some(AccountState {
            nonce: account.nonce,
            balance: from_u256(account.balance),
            storage_root: if has_storage { H256::zero() } else { *EMPTY_TRIE_HASH },
            code_hash: h256(account.code_hash),
        }))
    }

    fn get_storage_slot(
        &self,
        account: H160,
        slot: H256,
    ) -> Result<Option<ethrex_common::U256>, EvmError> {
        let value = self.state.storage(address(account), b256(slot)).map_err(database)?;
        Ok(Some(from_u256(value)))
    }

    fn get_block_hash(&self, number: u64) -> Result<H256, EvmError> {
        self.state.block_hash(number).map(h256).map_err(database)
    }

    fn get_chain_config(&self) -> Result<ChainConfig, EvmError> {
        Ok(self.config)
    }

    fn get_account_code(&self, code_hash: H256) -> Result<Code, EvmError> {
        let hash = b256(code_hash);
        if hash == KECCAK256_EMPTY {
            return Ok(Code::default());
        }
        let mut ready = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = ready.get(&code_hash) {
            return Ok(code.clone());
        }
        let code = Code::from_bytecode_unchecked(self.code(hash)?.0, code_hash);
        if ready.len() >= READY_CODES_MAX {
            ready.clear();
        }
        ready.insert(code_hash, code.clone());
        Ok(code)
    }

    fn get_code_metadata(&self, code_hash: H256) -> Result<CodeMetadata, EvmError> {
        let length = self.code(b256(code_hash))?.len();
        Ok(CodeMetadata { length: length as u64 })
    }
}

impl StateDatabase {
    fn code(&self, code_hash: B256) -> Result<Bytes, EvmError> {
        let code = self.state.code(code_hash).map_err(database)?;
        code.ok_or_else(|| EvmError::DB(format!("no code with hash {code_hash}")))
    }
}

fn database(error: crate::state::StateError) -> EvmError {
    EvmError::DB(error.to_string())
}

fn refused(error: EvmError) -> EngineError {
    match error {
        EvmError::Transaction(reason) => EngineError::Refused(reason),
        other => failed(other),
    }
}

fn failed(error: EvmError) -> EngineError {
    EngineError::Failed(error.to_string())
}

/// Returns the configuration of a chain that follows Osaka rules from its first block on.
fn osaka(chain_id: u64) -> ChainConfig {
    let genesis = Some(0);
    let blobs = ForkBlobSchedule {
        base_fee_update_fraction: u64::try_from(BLOB_PARAMS.update_fraction)
            .expect("the update fraction of Osaka is a small constant"),
        max: u32::try_from(BLOB_PARAMS.max_blob_count)
            .expect("the blob count of Osaka is a small constant"),
        target: u32::try_from(BLOB_PARAMS.target_blob_count)
            .expect("the blob count of Osaka is a small constant"),
    };
    ChainConfig {
        chain_id,
        homestead_block: genesis,
        eip150_block: genesis,
        eip155_block: genesis,
        eip158_block: genesis,
        byzantium_block: genesis,
        constantinople_block: genesis,
        petersburg_block: genesis,
        istanbul_block: genesis,
        muir_glacier_block: genesis,
        berlin_block: genesis,
        london_block: genesis,
        arrow_glacier_block: genesis,
        gray_glacier_block: genesis,
        merge_netsplit_block: genesis,
        shanghai_time: genesis,
        cancun_time: genesis,
        prague_time: genesis,
        osaka_time: genesis,
        terminal_total_difficulty: Some(0),
        terminal_total_difficulty_passed: true,
        blob_schedule: BlobSchedule { osaka: blobs, ..BlobSchedule::default() },
        deposit_contract_address: H160::zero(),
        ..ChainConfig::default()
    }
}
