//! Small contracts in bytecode, and input for the precompiled ones.

use alloy_eips::eip4844::c_kzg;
use alloy_primitives::{Address, B256, Bytes, U256, address, hex, keccak256};
use alloy_signer::SignerSync;
use gridtally_chain::accounts::funded_signers;

use crate::blobs::sidecar;

/// Counts its calls in slot 0 and under its caller, and logs the count.
///
/// `SLOAD(0) + 1  DUP SSTORE(0)  DUP SSTORE(CALLER)  DUP MSTORE(0)  LOG1(0, 32, count)`
pub(crate) const COUNTER: [u8; 19] = hex!("5f54600101 805f55 803355 805f52 60205fa1 00");

/// Reverts with four bytes; with input 1 it never ends, with input 2 it meets an invalid instruction.
pub(crate) const FAILING: [u8; 33] =
    hex!("5f35 80600114601b57 600214601f57 63deadbeef5f526004601cfd 5b601b56 5bfe");

/// Creates a contract with its input as code, always with the same salt, and keeps its address in slot 0.
///
/// `CALLDATACOPY(0, 0, size)  CREATE2(CALLVALUE, 0, size, 0)  SSTORE(0)`
pub(crate) const FACTORY: [u8; 12] = hex!("365f5f37 5f365f34f5 5f55 00");

/// Keeps the first word of its input in slot 5.
pub(crate) const STORING: [u8; 6] = hex!("5f35 6005 55 00");

/// Destroys itself in favor of its caller.
pub(crate) const DESTRUCTIBLE: [u8; 2] = hex!("33ff");

/// Calls the address in the first word of its input with the rest; keeps whether it succeeded in slot 0 and the hash
/// of what was returned in slot 1, and logs what was returned.
pub(crate) const PROBE: [u8; 35] =
    hex!("6020360380 60205f37 5f5f915f 5f35 5afa 5f55 3d5f5f3e 5f353d5fa1 3d5f20600155 00");

/// Returns code that logs everything it sees of its transaction and its block.
pub(crate) fn environment() -> Vec<u8> {
    let number_minus = |distance: u8| vec![0x60, distance, 0x43, 0x03, 0x40];
    let mut words: Vec<Vec<u8>> = [
        // Number, time, randomness, gas limit, chain id, own balance, base fee, blob fee.
        0x43, 0x42, 0x44, 0x45, 0x46, 0x47, 0x48,
        0x4a, // Coinbase, gas price, origin, value, gas.
        0x41, 0x3a, 0x32, 0x34, 0x5a,
    ]
    .map(|instruction| vec![instruction])
    .to_vec();
    words.extend([
        number_minus(1),
        number_minus(3),
        number_minus(0),
        // First blob hash, leading zeros of the number, a transient slot, own code hash, the coinbase's balance.
        hex!("5f49").to_vec(),
        hex!("431e").to_vec(),
        hex!("435f5d5f5c").to_vec(),
        hex!("303f").to_vec(),
        hex!("4131").to_vec(),
        // Memory copied, then its size.
        hex!("60205f6104005e59").to_vec(),
    ]);
    let mut code = Vec::new();
    let mut offset = 0_u16;
    for word in words {
        code.extend(word);
        code.push(0x61);
        code.extend(offset.to_be_bytes());
        code.push(0x52);
        offset += 32;
    }
    code.push(0x61);
    code.extend(offset.to_be_bytes());
    code.extend(hex!("5fa000"));
    code
}

/// Returns code that creates a contract with this code.
pub(crate) fn creation(runtime: &[u8]) -> Bytes {
    let length = u8::try_from(runtime.len()).unwrap();
    let prefix = [0x60, length, 0x80, 0x60, 9, 0x5f, 0x39, 0x5f, 0xf3];
    [prefix.as_slice(), runtime].concat().into()
}

/// Returns the input with which [`PROBE`] calls `address`.
pub(crate) fn probed(address: Address, input: &[u8]) -> Bytes {
    [address.into_word().as_slice(), input].concat().into()
}

/// Returns a number as a word.
pub(crate) fn word(number: u64) -> B256 {
    B256::from(U256::from(number))
}

/// Returns the numbers of the precompiled contracts, each with input that it takes.
pub(crate) fn precompile_inputs() -> Vec<(u16, Vec<u8>)> {
    let with_tail = |length: usize, tail: u8| {
        let mut input = vec![0; length];
        input[length - 1] = tail;
        input
    };
    let mut map_to_g2 = vec![0; 128];
    (map_to_g2[63], map_to_g2[127]) = (1, 2);
    let mut blake2 = with_tail(213, 1);
    blake2[3] = 12;
    vec![
        (0x01, signature()),
        (0x02, b"abc".to_vec()),
        (0x03, b"abc".to_vec()),
        (0x04, b"abc".to_vec()),
        (0x05, [word(1).0, word(1).0, word(1).0].concat().into_iter().chain([3, 5, 7]).collect()),
        (
            0x05,
            [word(40).0, word(32).0, word(40).0].concat().into_iter().chain([0xab; 112]).collect(),
        ),
        (0x06, [word(1).0, word(2).0, word(1).0, word(2).0].concat()),
        (0x07, [word(1).0, word(2).0, word(9).0].concat()),
        (0x08, pairing()),
        (0x09, blake2),
        (0x0a, point_evaluation()),
        (0x0b, vec![0; 256]),
        (0x0c, vec![0; 160]),
        (0x0d, vec![0; 512]),
        (0x0e, vec![0; 288]),
        (0x0f, vec![0; 384]),
        (0x10, with_tail(64, 1)),
        (0x11, map_to_g2),
        (0x100, p256()),
    ]
}

fn signature() -> Vec<u8> {
    let hash = keccak256("gridtally");
    let signature = funded_signers()[0].sign_hash_sync(&hash).unwrap();
    let v = word(27 + u64::from(signature.v()));
    let (r, s) = (signature.r().to_be_bytes::<32>(), signature.s().to_be_bytes::<32>());
    [hash.0, v.0, r, s].concat()
}

/// Generators of both groups, then the first negated: the product of the pairings is one.
fn pairing() -> Vec<u8> {
    let second = hex!(
        "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
        "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
        "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
        "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
    );
    let negated = hex!("30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd45");
    [word(1).as_slice(), word(2).as_slice(), &second, word(1).as_slice(), &negated, &second]
        .concat()
}

/// A blob with the proof of its value at a point (EIP-4844).
pub(crate) fn point_evaluation() -> Vec<u8> {
    let sidecar = sidecar(1);
    let z = [3_u8; 32];
    let blob = c_kzg::Blob::from_bytes(sidecar.blobs[0].as_slice()).unwrap();
    let settings = c_kzg::ethereum_kzg_settings(0);
    let (proof, y) = settings.compute_kzg_proof(&blob, &z.into()).unwrap();
    let mut input = sidecar.versioned_hash_for_blob(0).unwrap().to_vec();
    input.extend_from_slice(&z);
    input.extend_from_slice(y.as_slice());
    input.extend_from_slice(sidecar.commitments[0].as_slice());
    input.extend_from_slice(proof.to_bytes().as_slice());
    input
}

/// Hash, signature and public key on the curve secp256r1 (EIP-7951, RIP-7212).
fn p256() -> Vec<u8> {
    hex!(
        "4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4d"
        "a73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac"
        "36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d60"
        "4aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff3"
        "7618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e"
    )
    .to_vec()
}

/// An address that nobody has the key of.
pub(crate) const NOBODY: Address = address!("00000000000000000000000000000000c0ffee00");
