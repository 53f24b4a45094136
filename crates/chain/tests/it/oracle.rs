//! Another client imports our blocks with full validation and comes to the same state, receipts and hashes.

use std::{path::Path, process::Command};

use alloy_consensus::{
    EthereumTxEnvelope, SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip4844WithSidecar,
    TxEip7702, TxEnvelope, TxLegacy,
};
use alloy_eips::{
    eip2718::Encodable2718,
    eip2930::{AccessList, AccessListItem},
    eip2935::HISTORY_STORAGE_ADDRESS,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
    eip7594::BlobTransactionSidecarVariant,
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, hex, keccak256};
use alloy_signer::SignerSync;
use gridtally_chain::{
    Chain,
    accounts::{funded_addresses, funded_signers},
};
use serde_json::{Value, json};

use crate::{
    blobs::sidecar,
    code::{self, creation, word},
    support::{ask, chain, genesis},
};

const GAS_LIMIT: u64 = 2_000_000;
const FEE_MAX: u128 = 1_000_000_000_000;
const TIP: u128 = 1_000_000_000;

/// A chain under construction, with the next nonce of each funded account.
struct Builder {
    chain: Chain,
    nonces: [u64; 10],
}

impl Builder {
    fn new() -> Self {
        Self { chain: chain(), nonces: [0; 10] }
    }

    fn next(&mut self, sender: usize) -> u64 {
        self.nonces[sender] += 1;
        self.nonces[sender] - 1
    }

    fn send<T>(&mut self, sender: usize, tx: T)
    where
        T: SignableTransaction<Signature>,
        TxEnvelope: From<alloy_consensus::Signed<T>>,
    {
        let signature = funded_signers()[sender].sign_hash_sync(&tx.signature_hash()).unwrap();
        let envelope = TxEnvelope::from(tx.into_signed(signature));
        self.chain.submit(&envelope.encoded_2718()).unwrap();
    }

    /// Sends a transaction of the everyday kind.
    fn call(&mut self, sender: usize, to: impl Into<TxKind>, value: u64, input: impl Into<Bytes>) {
        let tx = TxEip1559 {
            chain_id: 31_337,
            nonce: self.next(sender),
            gas_limit: GAS_LIMIT,
            max_fee_per_gas: FEE_MAX,
            max_priority_fee_per_gas: TIP,
            to: to.into(),
            value: U256::from(value),
            input: input.into(),
            ..TxEip1559::default()
        };
        self.send(sender, tx);
    }

    /// Creates a contract and returns its address.
    fn create(&mut self, sender: usize, runtime: &[u8]) -> Address {
        let created = funded_addresses()[sender].create(self.nonces[sender]);
        self.call(sender, TxKind::Create, 0, creation(runtime));
        created
    }

    fn send_blobs(&mut self, sender: usize, to: Address, count: usize) {
        let sidecar = BlobTransactionSidecarVariant::from(sidecar(count));
        let tx = TxEip4844 {
            chain_id: 31_337,
            nonce: self.next(sender),
            gas_limit: GAS_LIMIT,
            max_fee_per_gas: FEE_MAX,
            max_priority_fee_per_gas: TIP,
            to,
            value: U256::ZERO,
            access_list: AccessList::default(),
            blob_versioned_hashes: sidecar.versioned_hashes().collect(),
            max_fee_per_blob_gas: FEE_MAX,
            input: Bytes::new(),
        };
        let tx = TxEip4844WithSidecar { tx, sidecar };
        let signature = funded_signers()[sender].sign_hash_sync(&tx.signature_hash()).unwrap();
        let envelope = EthereumTxEnvelope::Eip4844(tx.into_signed(signature));
        self.chain.submit(&envelope.encoded_2718()).unwrap();
    }

    fn delegate(&mut self, sender: usize, to: Address, authorizations: Vec<SignedAuthorization>) {
        let tx = TxEip7702 {
            chain_id: 31_337,
            nonce: self.next(sender),
            gas_limit: GAS_LIMIT,
            max_fee_per_gas: FEE_MAX,
            max_priority_fee_per_gas: TIP,
            to,
            authorization_list: authorizations,
            ..TxEip7702::default()
        };
        self.send(sender, tx);
    }

    /// Seals a block and returns how many of its transactions succeeded and failed.
    fn seal(&self) -> (usize, usize) {
        let block = self.chain.mine().unwrap();
        let succeeded = block.receipts.iter().filter(|receipt| receipt.is_success).count();
        (succeeded, block.receipts.len() - succeeded)
    }
}

fn authorize(signer: usize, address: Address, nonce: u64) -> SignedAuthorization {
    let authorization = Authorization { chain_id: U256::from(31_337), address, nonce };
    let signature =
        funded_signers()[signer].sign_hash_sync(&authorization.signature_hash()).unwrap();
    authorization.into_signed(signature)
}

/// Every type of transaction, as sent by wallets and as they go wrong.
fn transaction_types(builder: &mut Builder) {
    let counter = builder.create(0, &code::COUNTER);
    let failing = builder.create(1, &code::FAILING);
    assert_eq!(builder.seal(), (2, 0));

    let gas_price = FEE_MAX;
    let to = TxKind::Call(counter);
    let (nonce, gas_limit) = (builder.next(0), GAS_LIMIT);
    let legacy = TxLegacy { nonce, gas_price, gas_limit, to, ..TxLegacy::default() };
    builder.send(0, legacy.clone());
    let nonce = builder.next(0);
    builder.send(0, TxLegacy { nonce, chain_id: Some(31_337), ..legacy });
    let slots = vec![B256::ZERO, word(7)];
    let access_list = AccessList(vec![AccessListItem { address: counter, storage_keys: slots }]);
    let nonce = builder.next(2);
    let listed = TxEip2930 {
        chain_id: 31_337,
        nonce,
        gas_price,
        gas_limit,
        to,
        access_list,
        ..TxEip2930::default()
    };
    builder.send(2, listed);
    builder.call(3, counter, 0, Bytes::new());
    builder.call(3, code::NOBODY, 5, Bytes::new());
    // Reverts, runs out of gas, does what no instruction does.
    for kind in 0..3 {
        builder.call(4, failing, 0, word(kind));
    }
    assert_eq!(builder.seal(), (5, 3));

    // More than the target of six, so that blob gas is in excess afterwards.
    builder.send_blobs(5, counter, 1);
    builder.send_blobs(6, counter, 6);
    assert_eq!(builder.seal(), (2, 0));
    builder.send_blobs(5, counter, 1);
    assert_eq!(builder.seal(), (1, 0));
    assert_ne!(builder.chain.head().header.excess_blob_gas, Some(0));

    // Account 9 runs the counter's code: first by another's hand, then by its own, then no longer.
    let delegated = funded_addresses()[9];
    builder.delegate(7, delegated, vec![authorize(9, counter, 0), authorize(9, failing, 7)]);
    builder.call(3, delegated, 1, Bytes::new());
    assert_eq!(builder.seal(), (2, 0));
    builder.nonces[9] = 1;
    builder.delegate(9, delegated, vec![authorize(9, counter, 2)]);
    assert_eq!(builder.seal(), (1, 0));
    builder.nonces[9] = 3;
    builder.delegate(7, delegated, vec![authorize(9, Address::ZERO, 3)]);
    assert_eq!(builder.seal(), (1, 0));
    builder.nonces[9] = 4;
    builder.call(9, counter, 0, Bytes::new());
    assert_eq!(builder.seal(), (1, 0));
}

/// Contracts that come and go, and storage that is cleared.
fn creations(builder: &mut Builder) {
    let factory = builder.create(0, &code::FACTORY);
    let storing = builder.create(1, &code::STORING);
    let destructible = builder.create(2, &code::DESTRUCTIBLE);
    builder.call(3, TxKind::Create, 0, Bytes::from_static(&hex!("60ef5f5360015ff3")));
    builder.call(3, TxKind::Create, 9, Bytes::from_static(&hex!("5f5ffd")));
    builder.call(3, TxKind::Create, 9, Bytes::from_static(&hex!("33ff")));
    assert_eq!(builder.seal(), (4, 2));
    // The second creation at the same address collides; what destroys itself when created can be created again.
    let passing = Bytes::from_static(&hex!("600160015533ff"));
    for init in [creation(&code::COUNTER), passing] {
        builder.call(4, factory, 3, init.clone());
        builder.call(5, factory, 4, init);
    }
    for value in [5, 6, 0] {
        builder.call(6, storing, 0, word(value));
    }
    builder.call(7, destructible, 8, Bytes::new());
    builder.call(7, destructible, 8, Bytes::new());
    builder.seal();
    builder.call(6, storing, 0, word(0));
    builder.call(6, storing, 0, word(1));
    builder.seal();
}

/// What code sees of its block, and the contracts that clients call by themselves.
fn environment(builder: &mut Builder) {
    let environment = builder.create(0, &code::environment());
    let probe = builder.create(1, &code::PROBE);
    assert_eq!(builder.seal(), (2, 0));
    builder.call(2, environment, 3, Bytes::new());
    builder.send_blobs(3, environment, 1);
    for number in [0, 1, 4, 1_000] {
        builder.call(4, probe, 0, code::probed(HISTORY_STORAGE_ADDRESS, word(number).as_slice()));
    }
    builder.call(5, WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, 10, vec![0x11; 56]);
    builder.call(5, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, 10, vec![0x22; 96]);
    builder.seal();
    let block = builder.chain.head();
    assert_ne!(block.header.requests_hash, Some(alloy_eips::eip7685::EMPTY_REQUESTS_HASH));
    ask(&builder.chain, "evm_increaseTime", json!([3_600]));
    builder.call(2, environment, 0, Bytes::new());
    builder.seal();
    builder.seal();
}

/// Every precompiled contract, with input that it takes and input that it refuses.
fn precompiles(builder: &mut Builder) {
    let probe = builder.create(0, &code::PROBE);
    builder.seal();
    for (number, input) in code::precompile_inputs() {
        let mut address = Address::ZERO;
        address[18..].copy_from_slice(&u16::to_be_bytes(number));
        builder.call(1, probe, 0, code::probed(address, &input));
        builder.call(2, probe, 0, code::probed(address, &[0xff; 33]));
    }
    let (succeeded, failed) = builder.seal();
    assert_eq!((succeeded, failed), (2 * code::precompile_inputs().len(), 0));
}

/// Returns the chain in the form that the other client reads.
fn exported(chain: &Chain) -> Value {
    let state = genesis(chain).state();
    let mut alloc = serde_json::Map::new();
    for account in &state.accounts {
        let code = state.codes.iter().find(|code| keccak256(code) == account.code_hash);
        let code = code.cloned().unwrap_or_default();
        let entry = json!({ "nonce": account.nonce, "balance": account.balance, "code": code });
        alloc.insert(account.address.to_string(), entry);
    }
    let blocks = (0..=chain.head().number()).map(|number| {
        Bytes::from(alloy_rlp::encode(chain.block(number).unwrap().unwrap().to_consensus()))
    });
    let blocks: Vec<_> = blocks.collect();
    json!({ "chainId": chain.chain_id(), "alloc": alloc, "blocks": blocks })
}

/// Lets the other client import a chain and returns what it says about each block, or why it refuses one.
fn imported(exported: &Value) -> Result<Vec<Value>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat");
    let modules = folder.join("node_modules");
    assert!(
        modules.exists(),
        "{} is missing: npm ci --prefix {}",
        modules.display(),
        folder.display()
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), exported.to_string()).unwrap();
    let mut node = Command::new("node");
    let output = node.current_dir(folder).arg("oracle.mjs").arg(file.path()).output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    Ok(answer["blocks"].as_array().unwrap().clone())
}

#[test]
fn another_client_comes_to_the_same_blocks() {
    let mut builder = Builder::new();
    transaction_types(&mut builder);
    creations(&mut builder);
    environment(&mut builder);
    precompiles(&mut builder);
    let imported = imported(&exported(&builder.chain)).unwrap();
    assert_eq!(imported.len() as u64, builder.chain.head().number());
    for (number, found) in (1..).zip(&imported) {
        let block = builder.chain.block(number).unwrap().unwrap();
        let expected = json!({
            "hash": block.hash,
            "stateRoot": block.header.state_root,
            "receiptsRoot": block.header.receipts_root,
            "gasUsed": block.header.gas_used,
        });
        assert_eq!(*found, expected, "block {number}");
    }
}

#[test]
fn another_client_refuses_a_changed_block() {
    let mut builder = Builder::new();
    builder.call(0, code::NOBODY, 1, Bytes::new());
    builder.seal();
    let mut exported = exported(&builder.chain);
    let root = hex::encode(builder.chain.head().header.state_root);
    let block = exported["blocks"][1].as_str().unwrap();
    exported["blocks"][1] = json!(block.replace(&root, &"11".repeat(32)));
    let reason = imported(&exported).unwrap_err();
    assert!(reason.contains("invalid block stateRoot"), "{reason}");
}
