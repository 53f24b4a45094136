//! The state that a block works on: the one below, with what the block has changed so far.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, map::AddressMap};
use revm::{
    Database, DatabaseCommit, DatabaseRef,
    database_interface::DBErrorMarker,
    state::{Account as TouchedAccount, AccountInfo, Bytecode},
};

use crate::state::{Account, AccountDiff, SlotDiff, StateDiff, StateError, StateRead};

/// Contract codes that are kept ready to run; a contract has at most 24 KB.
const READY_CODES_MAX: usize = 1_024;

/// Contract codes that were run lately, analyzed for their jump targets.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadyCodes(Arc<Mutex<HashMap<B256, Bytecode>>>);

impl ReadyCodes {
    /// Returns the code with this hash, reading it from `state` when it is not ready.
    fn get(&self, state: &dyn StateRead, code_hash: B256) -> Result<Bytecode, StateError> {
        if let Some(code) = self.ready().get(&code_hash) {
            return Ok(code.clone());
        }
        let bytes = state.code(code_hash)?.ok_or(StateError::UnknownCode { code_hash })?;
        let code = runnable(bytes);
        let mut ready = self.ready();
        if ready.len() >= READY_CODES_MAX {
            ready.clear();
        }
        ready.insert(code_hash, code.clone());
        Ok(code)
    }

    fn ready(&self) -> std::sync::MutexGuard<'_, HashMap<B256, Bytecode>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Code that begins like a delegation and is none can be put into an account by a patch. Running it must fail as
/// running any invalid instruction does, so it is taken for a contract.
fn runnable(bytes: Bytes) -> Bytecode {
    Bytecode::new_raw_checked(bytes.clone()).unwrap_or_else(|_| Bytecode::new_legacy(bytes))
}

/// A state below with changes on top, in the form in which the virtual machine reads and changes it.
#[derive(Clone)]
pub(super) struct BlockState {
    below: Arc<dyn StateRead>,
    ready: ReadyCodes,
    accounts: BTreeMap<Address, Changed>,
    codes: HashMap<B256, Bytecode>,
}

/// What has become of one account.
#[derive(Debug, Clone, Default)]
struct Changed {
    /// The account now; nothing when it does not exist (any more).
    account: Option<Account>,
    /// Whether the storage below no longer counts.
    is_cleared: bool,
    slots: BTreeMap<B256, U256>,
}

impl BlockState {
    pub(super) fn new(below: Arc<dyn StateRead>, ready: ReadyCodes) -> Self {
        Self { below, ready, accounts: BTreeMap::new(), codes: HashMap::new() }
    }

    /// Returns everything that differs from the state below, in ascending order.
    pub(super) fn diff(&self) -> Result<StateDiff, StateError> {
        let mut diff = StateDiff::default();
        for (address, changed) in &self.accounts {
            diff.accounts.extend(self.account_diff(*address, changed)?);
        }
        for account in &diff.accounts {
            // Most contracts that change were there before, and so was their code.
            if let Some(code) = self.codes.get(&account.code_hash)
                && self.below.code(account.code_hash)?.is_none()
            {
                diff.codes.push(code.original_bytes());
            }
        }
        diff.codes.sort_unstable();
        diff.codes.dedup();
        Ok(diff)
    }

    fn account_diff(
        &self,
        address: Address,
        changed: &Changed,
    ) -> Result<Option<AccountDiff>, StateError> {
        let before = self.below.account(address)?;
        let Some(account) = changed.account else {
            return Ok(before.map(|_| AccountDiff {
                address,
                exists: false,
                nonce: 0,
                balance: U256::ZERO,
                code_hash: KECCAK256_EMPTY,
                clears_storage: false,
                storage: Vec::new(),
            }));
        };
        let clears_storage = changed.is_cleared && self.below.has_storage(address)?;
        let mut storage = Vec::new();
        for (slot, value) in &changed.slots {
            let before =
                if changed.is_cleared { U256::ZERO } else { self.below.storage(address, *slot)? };
            if before != *value {
                storage.push(SlotDiff { slot: *slot, value: *value });
            }
        }
        if before == Some(account) && storage.is_empty() && !clears_storage {
            return Ok(None);
        }
        let Account { nonce, balance, code_hash } = account;
        Ok(Some(AccountDiff {
            address,
            exists: true,
            nonce,
            balance,
            code_hash,
            clears_storage,
            storage,
        }))
    }

    fn keep(&mut self, address: Address, touched: TouchedAccount) {
        if !touched.is_touched() {
            return;
        }
        let changed = self.accounts.entry(address).or_default();
        if touched.is_selfdestructed() || touched.is_created() {
            // Only what was created in the same transaction is destroyed (EIP-6780); either way the storage begins
            // anew.
            *changed = Changed { is_cleared: true, ..Changed::default() };
            if touched.is_selfdestructed() {
                return;
            }
        }
        // Accounts that are touched and empty go away (EIP-161).
        changed.account = (!touched.info.is_empty()).then_some(Account {
            nonce: touched.info.nonce,
            balance: touched.info.balance,
            code_hash: touched.info.code_hash,
        });
        let slots = touched.storage.into_iter().filter(|(_, value)| value.is_changed());
        changed.slots.extend(slots.map(|(slot, value)| (B256::from(slot), value.present_value)));
        if let Some(code) = touched.info.code
            && !code.is_empty()
        {
            self.codes.entry(touched.info.code_hash).or_insert(code);
        }
    }
}

impl DatabaseRef for BlockState {
    type Error = StateError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        let account = match self.accounts.get(&address) {
            Some(changed) => changed.account,
            None => self.below.account(address)?,
        };
        Ok(account.map(|Account { nonce, balance, code_hash }| AccountInfo {
            nonce,
            balance,
            code_hash,
            account_id: None,
            code: None,
        }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, StateError> {
        if code_hash == KECCAK256_EMPTY {
            return Ok(Bytecode::default());
        }
        match self.codes.get(&code_hash) {
            Some(code) => Ok(code.clone()),
            None => self.ready.get(self.below.as_ref(), code_hash),
        }
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        let slot = B256::from(slot);
        if let Some(changed) = self.accounts.get(&address) {
            if let Some(value) = changed.slots.get(&slot) {
                return Ok(*value);
            }
            if changed.is_cleared {
                return Ok(U256::ZERO);
            }
        }
        self.below.storage(address, slot)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StateError> {
        match self.below.block_hash(number) {
            // A message may be executed in a block that is imagined to be far ahead of the chain.
            Err(StateError::UnknownBlock { .. }) => Ok(B256::ZERO),
            known => known,
        }
    }
}

impl Database for BlockState {
    type Error = StateError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        self.basic_ref(address)
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, StateError> {
        self.code_by_hash_ref(code_hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, StateError> {
        self.storage_ref(address, slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, StateError> {
        self.block_hash_ref(number)
    }
}

impl DatabaseCommit for BlockState {
    fn commit(&mut self, changes: AddressMap<TouchedAccount>) {
        #[expect(
            clippy::iter_over_hash_type,
            reason = "accounts change independently of each other"
        )]
        for (address, touched) in changes {
            self.keep(address, touched);
        }
    }
}

impl DBErrorMarker for StateError {}

impl fmt::Debug for BlockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockState").field("accounts", &self.accounts).finish_non_exhaustive()
    }
}
