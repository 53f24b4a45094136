//! The ten funded accounts that every developer tool knows.
//!
//! Their keys are public. A chain that holds them must only be reachable from the computer it runs on.

use std::sync::OnceLock;

use alloy_primitives::{Address, B256, b256};
use alloy_signer_local::PrivateKeySigner;

/// The mnemonic from which the accounts are derived, at `m/44'/60'/0'/0/0` to `…/9`.
pub const MNEMONIC: &str = "test test test test test test test test test test test junk";

/// The private keys derived from [`MNEMONIC`], written out because deriving them takes longer than starting a chain.
const PRIVATE_KEYS: [B256; 10] = [
    b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    b256!("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
    b256!("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"),
    b256!("7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"),
    b256!("47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"),
    b256!("8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba"),
    b256!("92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e"),
    b256!("4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356"),
    b256!("dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97"),
    b256!("2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"),
];

/// Returns the signers of the ten funded accounts, in the order of their derivation.
///
/// # Panics
///
/// Never: the keys are constants within the range of the curve.
#[must_use]
pub fn funded_signers() -> &'static [PrivateKeySigner] {
    static SIGNERS: OnceLock<Vec<PrivateKeySigner>> = OnceLock::new();
    SIGNERS.get_or_init(|| {
        let signers = PRIVATE_KEYS.iter().map(|key| {
            PrivateKeySigner::from_bytes(key).expect("the constant is a key of the curve")
        });
        signers.collect()
    })
}

/// Returns the addresses of the ten funded accounts, in the order of their derivation.
#[must_use]
pub fn funded_addresses() -> Vec<Address> {
    funded_signers().iter().map(PrivateKeySigner::address).collect()
}

/// Returns the signer of `address` when it is one of the funded accounts.
#[must_use]
pub fn funded_signer(address: Address) -> Option<&'static PrivateKeySigner> {
    funded_signers().iter().find(|signer| signer.address() == address)
}

#[cfg(test)]
mod tests {
    use alloy_signer_local::{MnemonicBuilder, coins_bip39::English};

    use super::*;

    #[test]
    fn the_keys_are_derived_from_the_mnemonic() {
        for (index, signer) in (0..).zip(funded_signers()) {
            let builder = MnemonicBuilder::<English>::default().phrase(MNEMONIC);
            let derived = builder.index(index).unwrap().build().unwrap();
            assert_eq!(signer.address(), derived.address(), "account {index}");
        }
    }
}
