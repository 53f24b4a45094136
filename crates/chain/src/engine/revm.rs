//! The engine: revm over our own state, under the rules of Osaka.

use std::sync::Arc;

use alloy_consensus::{Header, TxEnvelope, transaction::Recovered};
use alloy_eips::{
    eip2935::HISTORY_STORAGE_ADDRESS,
    eip4788::{BEACON_ROOTS_ADDRESS, SYSTEM_ADDRESS},
    eip7002::{WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_TYPE},
    eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_TYPE},
    eip7685::Requests,
};
use alloy_evm::{
    Evm, EvmEnv, ToTxEnv,
    eth::{EthEvm, EthEvmBuilder},
    precompiles::PrecompilesMap,
    rpc::TryIntoTxEnv,
};
use alloy_primitives::{Address, Bytes};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_rpc_types_trace::geth::{GethDebugTracingOptions, GethTrace};
use revm::{
    DatabaseCommit, DatabaseRef,
    context::{BlockEnv, CfgEnv, TxEnv},
    context_interface::{
        block::BlobExcessGasAndPrice,
        result::{EVMError, ExecutionResult, HaltReason, ResultAndState},
    },
    inspector::NoOpInspector,
    primitives::{U256, hardfork::SpecId},
};
use revm_inspectors::{access_list::AccessListInspector, transfer::TransferInspector};

use super::{
    AccessListOutcome, BlockExecution, BlockOutcome, CallOutcome, Engine, EngineError,
    MessageRules, TxOutcome,
    block_state::{BlockState, ReadyCodes},
    tracer::Tracer,
};
use crate::{
    genesis::BLOB_PARAMS,
    state::{StateDiff, StateError, StateRead},
};

/// Gas of a message at most, whatever it asks for: what two blocks of the usual limit may use.
pub const MESSAGE_GAS_MAX: u64 = 120_000_000;

/// The revm virtual machine under Osaka rules.
///
/// There is no beacon chain that ether could be deposited for, so no contract counts as the deposit contract of
/// EIP-6110, and blocks carry no deposit requests.
#[derive(Debug, Clone)]
pub struct RevmEngine {
    chain_id: u64,
    codes: ReadyCodes,
}

impl RevmEngine {
    /// Returns an engine for the chain with this id, under Osaka rules from its first block on.
    #[must_use]
    pub fn new(chain_id: u64) -> Self {
        Self { chain_id, codes: ReadyCodes::default() }
    }

    fn execution(&self, state: Arc<dyn StateRead>, header: Header) -> Execution {
        let state = BlockState::new(state, self.codes.clone());
        let env = environment(self.chain_id, &header);
        Execution { machine: EthEvmBuilder::new(state, env).build(), header, executed: 0 }
    }
}

impl Engine for RevmEngine {
    fn begin_block(
        &self,
        state: Arc<dyn StateRead>,
        header: Header,
    ) -> Result<Box<dyn BlockExecution>, EngineError> {
        let mut execution = self.execution(state, header);
        let parent_hash = execution.header.parent_hash;
        execution.system_call(HISTORY_STORAGE_ADDRESS, parent_hash.into())?;
        let beacon_root = execution.header.parent_beacon_block_root.unwrap_or_default();
        execution.system_call(BEACON_ROOTS_ADDRESS, beacon_root.into())?;
        Ok(Box::new(execution))
    }

    fn call(
        &self,
        state: Arc<dyn StateRead>,
        header: &Header,
        message: &TransactionRequest,
    ) -> Result<CallOutcome, EngineError> {
        self.execution(state, header.clone()).execute_message(message, MessageRules::default())
    }

    fn trace_call(
        &self,
        state: Arc<dyn StateRead>,
        header: &Header,
        message: &TransactionRequest,
        options: &GethDebugTracingOptions,
    ) -> Result<GethTrace, EngineError> {
        let mut execution = self.execution(state, header.clone());
        let env = lenient(execution.environment());
        let tx = message_environment(message, &env)?;
        check_creator(&tx, execution.machine.db())?;
        execution.trace_environment(env, tx, Tracer::new(options)?)
    }

    fn access_list(
        &self,
        state: Arc<dyn StateRead>,
        header: &Header,
        message: &TransactionRequest,
    ) -> Result<AccessListOutcome, EngineError> {
        let mut message = message.clone();
        // What the list saves can change what the code does with its gas, so the message is executed until nothing
        // is added to the list. Each round adds something, or is the last.
        loop {
            let list = message.access_list.clone().unwrap_or_default();
            let mut execution = self.execution(Arc::clone(&state), header.clone());
            let env = lenient(execution.environment());
            let tx = message_environment(&message, &env)?;
            let mut inspector = AccessListInspector::new(list.clone());
            let state = execution.machine.db_mut();
            check_creator(&tx, state)?;
            let mut machine =
                EthEvmBuilder::new(state, env).activate_inspector(&mut inspector).build();
            let result = machine.transact(tx).map_err(refused_or_failed)?.result;
            let found = inspector.into_access_list();
            if found == list {
                let error = match call_outcome(result.clone()) {
                    CallOutcome::Success { .. } => None,
                    CallOutcome::Revert { .. } => Some("execution reverted".to_owned()),
                    CallOutcome::Halt { reason, .. } => Some(reason),
                };
                let gas_used = result.tx_gas_used();
                return Ok(AccessListOutcome { access_list: list, gas_used, error });
            }
            message.access_list = Some(found);
        }
    }
}

struct Execution {
    machine: EthEvm<BlockState, NoOpInspector, PrecompilesMap>,
    header: Header,
    /// Transactions and messages executed so far.
    executed: usize,
}

impl Execution {
    fn environment(&self) -> EvmEnv {
        EvmEnv::new(self.machine.cfg_env().clone(), self.machine.block().clone())
    }

    /// Calls a system contract and returns what it returned.
    fn system_call(&mut self, contract: Address, input: Bytes) -> Result<Bytes, EngineError> {
        let ResultAndState { result, state } = self
            .machine
            .transact_system_call(SYSTEM_ADDRESS, contract, input)
            .map_err(refused_or_failed)?;
        let output = match result {
            ExecutionResult::Success { output, .. } => output.into_data(),
            other => {
                let reason = format!("system contract {contract} failed: {other:?}");
                return Err(EngineError::Failed(reason));
            }
        };
        self.machine.db_mut().commit(state);
        Ok(output)
    }

    fn trace_environment(
        &mut self,
        env: EvmEnv,
        tx: TxEnv,
        mut tracer: Tracer,
    ) -> Result<GethTrace, EngineError> {
        let block = env.block_env.clone();
        let state = self.machine.db_mut();
        let mut machine =
            EthEvmBuilder::new(&mut *state, env).activate_inspector(&mut tracer.inspector).build();
        let outcome = machine.transact(tx.clone()).map_err(refused_or_failed)?;
        drop(machine);
        let trace = tracer.finish(&tx, &block, &outcome, state)?;
        state.commit(outcome.state);
        self.executed += 1;
        Ok(trace)
    }
}

impl BlockExecution for Execution {
    fn execute(&mut self, transaction: &Recovered<TxEnvelope>) -> Result<TxOutcome, EngineError> {
        let ResultAndState { result, state } =
            self.machine.transact(transaction).map_err(refused_or_failed)?;
        self.machine.db_mut().commit(state);
        self.executed += 1;
        Ok(TxOutcome {
            is_success: result.is_success(),
            gas_used: result.tx_gas_used(),
            // What failed leaves no logs.
            logs: if result.is_success() { result.into_logs() } else { Vec::new() },
        })
    }

    fn trace(
        &mut self,
        transaction: &Recovered<TxEnvelope>,
        options: &GethDebugTracingOptions,
    ) -> Result<GethTrace, EngineError> {
        let tracer = Tracer::new(options)?.in_block(
            self.header.hash_slow(),
            self.executed,
            *transaction.inner().hash(),
        );
        self.trace_environment(self.environment(), transaction.to_tx_env(), tracer)
    }

    fn execute_message(
        &mut self,
        message: &TransactionRequest,
        rules: MessageRules,
    ) -> Result<CallOutcome, EngineError> {
        let env = if rules.is_checked { self.environment() } else { lenient(self.environment()) };
        let tx = message_environment(message, &env)?;
        let inspector = TransferInspector::new(false).with_logs(true);
        let state = self.machine.db_mut();
        check_creator(&tx, state)?;
        let mut machine = EthEvmBuilder::new(&mut *state, env)
            .inspector(inspector)
            .set_inspect(rules.logs_transfers)
            .build();
        let outcome = machine.transact(tx).map_err(refused_or_failed)?;
        drop(machine);
        state.commit(outcome.state);
        self.executed += 1;
        Ok(call_outcome(outcome.result))
    }

    fn diff(&self) -> Result<StateDiff, EngineError> {
        Ok(self.machine.db().diff()?)
    }

    fn finish(mut self: Box<Self>) -> Result<BlockOutcome, EngineError> {
        let mut requests = Requests::default();
        for (kind, contract) in [
            (WITHDRAWAL_REQUEST_TYPE, WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS),
            (CONSOLIDATION_REQUEST_TYPE, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS),
        ] {
            let output = self.system_call(contract, Bytes::new())?;
            if !output.is_empty() {
                requests.push_request_with_type(kind, output);
            }
        }
        Ok(BlockOutcome { diff: self.diff()?, requests_hash: requests.requests_hash() })
    }
}

/// Returns what code sees of the block with this header.
fn environment(chain_id: u64, header: &Header) -> EvmEnv {
    let mut rules = CfgEnv::new_with_spec(SpecId::OSAKA).with_chain_id(chain_id);
    // Whether a contract sends (EIP-3607) is checked when a transaction is taken; an impersonated one may.
    rules.disable_eip3607 = true;
    rules.set_max_blobs_per_tx(BLOB_PARAMS.max_blobs_per_tx);
    let excess_blob_gas = header.excess_blob_gas.unwrap_or_default();
    let block = BlockEnv {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee_per_gas.unwrap_or_default(),
        difficulty: U256::ZERO,
        prevrandao: Some(header.mix_hash),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice {
            excess_blob_gas,
            blob_gasprice: BLOB_PARAMS.calc_blob_fee(excess_blob_gas),
        }),
        slot_num: 0,
    };
    EvmEnv::new(rules, block)
}

/// Returns an environment in which a message need not have the right nonce, pays no fees, may come from a contract
/// and may use more gas than a transaction.
fn lenient(mut env: EvmEnv) -> EvmEnv {
    env.cfg_env.disable_nonce_check = true;
    env.cfg_env.disable_base_fee = true;
    env.cfg_env.disable_fee_charge = true;
    env.cfg_env.disable_eip3607 = true;
    env.cfg_env.disable_block_gas_limit = true;
    env.cfg_env.tx_gas_limit_cap = Some(u64::MAX);
    env
}

fn message_environment(message: &TransactionRequest, env: &EvmEnv) -> Result<TxEnv, EngineError> {
    let (found, expected) = (message.chain_id, env.cfg_env.chain_id);
    if let Some(found) = found.filter(|found| *found != expected) {
        let reason = format!("invalid chain id: message has {found}, chain has {expected}");
        return Err(EngineError::Refused(reason));
    }
    let gas = message.gas.unwrap_or(env.block_env.gas_limit).min(MESSAGE_GAS_MAX);
    let message = TransactionRequest { gas: Some(gas), ..message.clone() };
    message.try_into_tx_env(env).map_err(|e| EngineError::Refused(e.to_string()))
}

/// Refuses a message that creates a contract for an account whose nonce cannot rise any more (EIP-2681). The machine
/// creates nothing then, but calls it a success.
fn check_creator(message: &TxEnv, state: &BlockState) -> Result<(), EngineError> {
    if message.kind.is_create()
        && state.basic_ref(message.caller)?.is_some_and(|account| account.nonce == u64::MAX)
    {
        return Err(EngineError::Refused("nonce uint64 overflow".to_owned()));
    }
    Ok(())
}

fn call_outcome(result: ExecutionResult) -> CallOutcome {
    let gas_used = result.tx_gas_used();
    match result {
        ExecutionResult::Success { output, logs, .. } => {
            CallOutcome::Success { output: output.into_data(), gas_used, logs }
        }
        ExecutionResult::Revert { output, .. } => CallOutcome::Revert { output, gas_used },
        ExecutionResult::Halt { reason: HaltReason::OutOfFunds, .. } => {
            CallOutcome::Halt { reason: "insufficient funds for transfer".to_owned(), gas_used }
        }
        ExecutionResult::Halt { reason, .. } => {
            CallOutcome::Halt { reason: reason.to_string(), gas_used }
        }
    }
}

pub(super) fn refused_or_failed(error: EVMError<StateError>) -> EngineError {
    match error {
        EVMError::Transaction(reason) => EngineError::Refused(reason.to_string()),
        // A trace that became too long.
        EVMError::Custom(reason) => EngineError::Refused(reason),
        EVMError::Database(error) => EngineError::State(error),
        other => EngineError::Failed(other.to_string()),
    }
}
