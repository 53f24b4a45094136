//! Blob transactions: the form that Osaka asks for, the older form that libraries still send, and the precompile.

use alloy_consensus::{
    EthereumTxEnvelope, SidecarBuilder, SignableTransaction, SimpleCoder, TxEip4844,
    TxEip4844WithSidecar,
};
use alloy_eips::{
    eip2718::Encodable2718,
    eip4844::{BlobTransactionSidecar, c_kzg::ethereum_kzg_settings},
    eip7594::BlobTransactionSidecarVariant,
};
use alloy_primitives::{Address, Bytes, U256};
use alloy_signer::SignerSync;
use gridtally_chain::accounts::funded_signers;
use serde_json::{Value, json};

use crate::{
    code::point_evaluation,
    support::{ask, chain, refusal, send_and_mine},
};

/// Returns a sidecar with proofs of whole blobs, the form from before Osaka.
pub(crate) fn sidecar(blobs: usize) -> BlobTransactionSidecar {
    let data = vec![7; 130_000 * (blobs - 1) + 1];
    let builder: SidecarBuilder<SimpleCoder> = SidecarBuilder::from_slice(&data);
    let sidecar = builder.build_4844_with_settings(ethereum_kzg_settings(0)).unwrap();
    assert_eq!(sidecar.blobs.len(), blobs);
    sidecar
}

/// Returns a signed blob transaction of the first funded account in its network form.
fn encoded(sidecar: BlobTransactionSidecarVariant) -> Value {
    encoded_with_nonce(sidecar, 0)
}

/// Returns a signed blob transaction of the first funded account in its network form.
pub(crate) fn encoded_with_nonce(sidecar: BlobTransactionSidecarVariant, nonce: u64) -> Value {
    let tx = TxEip4844 {
        chain_id: 31_337,
        nonce,
        gas_limit: 100_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1,
        to: Address::ZERO,
        value: U256::ZERO,
        access_list: alloy_eips::eip2930::AccessList::default(),
        blob_versioned_hashes: sidecar.versioned_hashes().collect(),
        max_fee_per_blob_gas: 1_000_000_000,
        input: Bytes::new(),
    };
    let tx = TxEip4844WithSidecar { tx, sidecar };
    let signature = funded_signers()[0].sign_hash_sync(&tx.signature_hash()).unwrap();
    let envelope = EthereumTxEnvelope::Eip4844(tx.into_signed(signature));
    json!([Bytes::from(envelope.encoded_2718())])
}

#[test]
fn old_proofs_are_taken_and_six_blobs_fit() {
    for blobs in [1, 6] {
        let chain = chain();
        let hash = ask(&chain, "eth_sendRawTransaction", encoded(sidecar(blobs).into()));
        let block = chain.mine().unwrap();
        assert_eq!(block.header.blob_gas_used, Some(131_072 * blobs as u64));
        let receipt = ask(&chain, "eth_getTransactionReceipt", json!([hash]));
        assert_eq!((&receipt["status"], &receipt["type"]), (&json!("0x1"), &json!("0x3")));
        let transaction = ask(&chain, "eth_getTransactionByHash", json!([hash]));
        assert_eq!(transaction["blobVersionedHashes"].as_array().unwrap().len(), blobs);
    }
}

#[test]
fn cell_proofs_are_taken() {
    let chain = chain();
    let cells = sidecar(1).try_into_7594(ethereum_kzg_settings(0)).unwrap();
    ask(&chain, "eth_sendRawTransaction", encoded(cells.into()));
    assert_eq!(chain.mine().unwrap().transactions.len(), 1);
}

#[test]
fn a_wrong_proof_is_refused() {
    let chain = chain();
    let mut wrong = sidecar(1);
    wrong.proofs[0] = wrong.commitments[0];
    let error = refusal(&chain, "eth_sendRawTransaction", encoded(wrong.into()));
    assert!(error["message"].as_str().unwrap().starts_with("invalid blobs"), "{error}");
}

#[test]
fn the_precompile_evaluates_a_blob_at_a_point() {
    let mut input = point_evaluation();
    let to = "0x000000000000000000000000000000000000000a";
    let call = |input: Vec<u8>| json!([{ "to": to, "data": Bytes::from(input) }]);
    let chain = chain();
    let output = ask(&chain, "eth_call", call(input.clone()));
    assert!(output.as_str().unwrap().starts_with(&format!("0x{:064x}", 4_096)), "{output}");
    input[70] ^= 1;
    refusal(&chain, "eth_call", call(input));
}

/// They were left out, and the transaction sent without them.
#[test]
fn blobs_without_their_proofs_are_refused_and_with_them_they_are_sent() {
    let chain = chain();
    let sidecar = sidecar(1);
    let from = funded_signers()[0].address();
    let hashes: Vec<_> = sidecar.versioned_hashes().collect();
    let alone = json!({ "from": from, "to": Address::ZERO, "blobs": sidecar.blobs });
    for method in ["eth_sendTransaction", "eth_signTransaction", "eth_fillTransaction"] {
        let error = refusal(&chain, method, json!([alone]));
        assert_eq!(error["code"], -32_602, "{method}: {error}");
        let said = error["message"].as_str().unwrap();
        assert!(said.contains("commitments and proofs"), "{method}: {said}");
    }
    let whole = json!({
        "from": from,
        "to": Address::ZERO,
        "gas": "0x186a0",
        "maxFeePerBlobGas": "0x3b9aca00",
        "blobVersionedHashes": hashes,
        "blobs": sidecar.blobs,
        "commitments": sidecar.commitments,
        "proofs": sidecar.proofs,
    });
    let receipt = send_and_mine(&chain, whole);
    assert_eq!(receipt["blobGasUsed"], "0x20000", "{receipt}");
}
