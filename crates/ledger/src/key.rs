//! Signing keys: from encrypted keystore files, from the environment, or the public test accounts.

use std::fmt;
use std::path::{Path, PathBuf};

use alloy_primitives::{Address, B256, Signature};
use alloy_signer::SignerSync;
use alloy_signer::k256::elliptic_curve::rand_core::OsRng;
use alloy_signer_local::coins_bip39::English;
use alloy_signer_local::{MnemonicBuilder, PrivateKeySigner};
use gridtally_core::explanations;
use zeroize::Zeroizing;

/// The mnemonic that every development chain funds. Its keys are known to everybody.
pub const TEST_MNEMONIC: &str = "test test test test test test test test test test test junk";

/// Largest keystore file that is read, in bytes. Real ones have about 500.
const KEYSTORE_BYTES_MAX: u64 = 64 << 10;
/// Most memory that decrypting a keystore may take, in bytes (usual: 8 MiB to 256 MiB).
const SCRYPT_BYTES_MAX: u64 = 1 << 30;
/// Most rounds of scrypt one after another (usual: 1 to 8).
const SCRYPT_ROUNDS_MAX: u64 = 64;
/// Most iterations of PBKDF2 (usual: 262,144).
const PBKDF2_ITERATIONS_MAX: u64 = 10_000_000;
/// The derived key is cut into a cipher key and a check key of 16 bytes each.
const DERIVED_BYTES_MIN: u64 = 32;
/// Longest derived key (usual: 32).
const DERIVED_BYTES_MAX: u64 = 64;
/// AES works on 16 bytes at a time.
const CIPHER_BLOCK_BYTES: usize = 16;

/// Where a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// An encrypted keystore file (Web3 Secret Storage, version 3), as geth, Foundry and MetaMask
    /// write it.
    Keystore {
        /// The file.
        path: PathBuf,
        /// Where its password is.
        password: PasswordSource,
    },
    /// An environment variable with the key as 64 hexadecimal digits, `0x` or not.
    Variable(String),
    /// An account of [`TEST_MNEMONIC`], 0 to 9. For the embedded chain and demonstrations.
    TestAccount(u32),
}

/// Where the password of a keystore file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// The first line of a file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
}

/// Why there is no key, in order of precedence. No message holds a password or a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// An environment variable is not set, or not text.
    #[error("the environment variable {variable} is not set")]
    VariableMissing {
        /// Its name.
        variable: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is larger than a keystore or a password can be.
    #[error("{path} has {bytes} bytes, more than {limit}")]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// Largest size that is read.
        limit: u64,
    },
    /// The file is not a keystore.
    #[error("{path} is not a keystore file: {reason}")]
    KeystoreInvalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The keystore asks for more work than any honest one.
    #[error("{path} asks for {parameter} = {value}, more than {limit}")]
    KeystoreTooCostly {
        /// The file.
        path: PathBuf,
        /// Which parameter.
        parameter: &'static str,
        /// Its value.
        value: u64,
        /// Largest value that is accepted.
        limit: u64,
    },
    /// The password does not fit, or the file was changed.
    #[error("{path}: the password is wrong or the file is damaged")]
    PasswordWrong {
        /// The file.
        path: PathBuf,
    },
    /// The variable does not hold a key.
    #[error("the environment variable {variable} does not hold a key of 64 hexadecimal digits")]
    KeyInvalid {
        /// Its name.
        variable: String,
    },
    /// Only ten test accounts are funded.
    #[error("test account {index} does not exist, they are 0 to 9")]
    TestAccountUnknown {
        /// The number asked for.
        index: u32,
    },
}

explanations! {
    KeyError {
        VariableMissing: "key-variable-missing" "the environment variable of the key or its password is not set"
            "set it, or set chain.keystore and chain.password_file";
        File: "key-file" "the file of the key or its password cannot be read or written"
            "check the path and the permissions";
        FileTooLarge: "key-file-too-large" "the file is larger than a keystore or a password can be"
            "name the right file";
        KeystoreInvalid: "keystore-invalid" "the file is not a keystore (Web3 Secret Storage, version 3)"
            "export the key again from the wallet";
        KeystoreTooCostly: "keystore-too-costly" "the keystore asks for more work than any honest one"
            "export the key again with the wallet's usual settings";
        PasswordWrong: "key-password-wrong" "the password does not fit, or the keystore was changed"
            "check the password file: its first line is the password";
        KeyInvalid: "key-invalid" "the environment variable does not hold a key"
            "give 64 hexadecimal digits";
        TestAccountUnknown: "key-test-account-unknown" "only the test accounts 0 to 9 are funded"
            "use one of them";
    }
}

/// A signing key. It is never printed, and its memory is overwritten when it is dropped.
///
/// ```
/// use gridtally_ledger::{Key, KeySource};
///
/// let key = Key::load(&KeySource::TestAccount(0))?;
/// assert_eq!(key.address().to_string(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
/// assert!(format!("{key:?}").ends_with("secret: *** }"));
/// # Ok::<(), gridtally_ledger::KeyError>(())
/// ```
#[derive(Clone)]
pub struct Key(PrivateKeySigner);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key {{ address: {}, secret: *** }}", self.address())
    }
}

impl Key {
    /// Loads a key.
    ///
    /// # Errors
    ///
    /// Returns the first [`KeyError`] in the order of its variants.
    pub fn load(source: &KeySource) -> Result<Self, KeyError> {
        match source {
            KeySource::Keystore { path, password } => {
                let password = password.read()?;
                let keystore = read_bounded(path)?;
                check_keystore(path, &keystore)?;
                PrivateKeySigner::decrypt_keystore(path, password.as_bytes())
                    .map(Self)
                    .map_err(|_| KeyError::PasswordWrong { path: path.clone() })
            }
            KeySource::Variable(variable) => {
                let text = read_variable(variable)?;
                let invalid = || KeyError::KeyInvalid { variable: variable.clone() };
                let secret = text.trim().parse::<B256>().map(|secret| Zeroizing::new(secret.0));
                let secret = secret.map_err(|_| invalid())?;
                PrivateKeySigner::from_slice(secret.as_slice()).map(Self).map_err(|_| invalid())
            }
            KeySource::TestAccount(index) => Self::test_account(*index),
        }
    }

    /// Returns an account of [`TEST_MNEMONIC`], whose keys everybody knows.
    ///
    /// # Errors
    ///
    /// Returns [`KeyError::TestAccountUnknown`] where `index` is above 9.
    pub fn test_account(index: u32) -> Result<Self, KeyError> {
        let unknown = KeyError::TestAccountUnknown { index };
        if index > 9 {
            return Err(unknown);
        }
        let builder = MnemonicBuilder::<English>::default().phrase(TEST_MNEMONIC).index(index);
        builder.and_then(|builder| builder.build()).map(Self).map_err(|_| unknown)
    }

    /// Makes a new random key and writes it to `directory/name`, encrypted, readable by its owner.
    ///
    /// # Errors
    ///
    /// Returns the [`KeyError`] of the password, or [`KeyError::File`] where the file exists or
    /// cannot be written; then there is no key.
    pub fn create(
        directory: &Path,
        name: &str,
        password: &PasswordSource,
    ) -> Result<(Self, PathBuf), KeyError> {
        let password = password.read()?;
        let path = directory.join(name);
        let failed = |source| KeyError::File { path: path.clone(), source };
        reserve(&path).map_err(failed)?;
        let signer = PrivateKeySigner::random();
        let secret = Zeroizing::new(signer.to_bytes().0);
        let (signer, _) = PrivateKeySigner::encrypt_keystore(
            directory,
            &mut OsRng,
            secret.as_slice(),
            password.as_bytes(),
            Some(name),
        )
        .map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        Ok((Self(signer), path))
    }

    /// Returns the address that belongs to the key.
    #[must_use]
    pub fn address(&self) -> Address {
        self.0.address()
    }

    /// Signs a 32-byte hash, a transaction's or EIP-712's. The signature has low s.
    ///
    /// # Panics
    ///
    /// Never: a key that exists can sign every hash.
    #[must_use]
    pub fn sign(&self, hash: B256) -> Signature {
        self.0.sign_hash_sync(&hash).expect("a local key signs every hash")
    }
}

impl PasswordSource {
    fn read(&self) -> Result<Zeroizing<String>, KeyError> {
        match self {
            Self::Variable(variable) => read_variable(variable),
            Self::File(path) => {
                let mut text = read_bounded(path)?;
                let length = text.find(['\r', '\n']).unwrap_or(text.len());
                text.truncate(length);
                Ok(text)
            }
        }
    }
}

fn read_variable(variable: &str) -> Result<Zeroizing<String>, KeyError> {
    let missing = |_| KeyError::VariableMissing { variable: variable.to_owned() };
    std::env::var(variable).map(Zeroizing::new).map_err(missing)
}

fn read_bounded(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    use std::io::Read;
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = Zeroizing::new(String::new());
    file.take(KEYSTORE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > KEYSTORE_BYTES_MAX {
        let bytes = std::fs::metadata(path).map_err(failed)?.len();
        return Err(KeyError::FileTooLarge {
            path: path.to_owned(),
            bytes,
            limit: KEYSTORE_BYTES_MAX,
        });
    }
    Ok(text)
}

/// Refuses a keystore whose parameters would take all memory or run for hours.
fn check_keystore(path: &Path, text: &str) -> Result<(), KeyError> {
    let invalid = |reason: String| KeyError::KeystoreInvalid { path: path.to_owned(), reason };
    let keystore: serde_json::Value =
        serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
    let crypto = keystore.get("crypto").or_else(|| keystore.get("Crypto"));
    let crypto = crypto.ok_or_else(|| invalid("it has no member crypto".into()))?;
    let parameters = &crypto["kdfparams"];
    // Which of the two is meant is decided by the members that are there, not by `kdf`: all of
    // them are bounded.
    let limits = [
        ("n", SCRYPT_BYTES_MAX / 128),
        ("r", SCRYPT_BYTES_MAX / 128),
        ("p", SCRYPT_ROUNDS_MAX),
        ("c", PBKDF2_ITERATIONS_MAX),
        ("dklen", DERIVED_BYTES_MAX),
    ];
    let costly = |parameter, value, limit| {
        Err(KeyError::KeystoreTooCostly { path: path.to_owned(), parameter, value, limit })
    };
    for (parameter, limit) in limits {
        match parameters[parameter].as_u64() {
            Some(value) if value > limit => return costly(parameter, value, limit),
            _ => {}
        }
    }
    let number = |name: &str| parameters[name].as_u64().unwrap_or(0);
    let scrypt_bytes = number("n").saturating_mul(number("r")).saturating_mul(128);
    if scrypt_bytes > SCRYPT_BYTES_MAX {
        return costly("n", number("n"), SCRYPT_BYTES_MAX / 128 / number("r"));
    }
    if parameters["n"].is_u64() {
        let (n, r) = (number("n"), number("r"));
        // RFC 7914, section 6.
        if n < 2 || !n.is_power_of_two() || u64::from(n.ilog2()) >= r.saturating_mul(16) {
            return Err(invalid(format!("scrypt does not allow n = {n} with r = {r}")));
        }
    }
    if number("dklen") < DERIVED_BYTES_MIN {
        return Err(invalid(format!("dklen is below {DERIVED_BYTES_MIN}")));
    }
    let vector = crypto["cipherparams"]["iv"].as_str().unwrap_or_default();
    if vector.len() != 2 * CIPHER_BLOCK_BYTES {
        return Err(invalid(format!("iv does not have {CIPHER_BLOCK_BYTES} bytes")));
    }
    Ok(())
}

/// Reserves the name, readable by the owner alone, before anything is written to it.
fn reserve(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYSTORE: &str = r#"{"version":3,"id":"00000000-0000-4000-8000-000000000000","crypto":{
        "cipher":"aes-128-ctr","cipherparams":{"iv":"00000000000000000000000000000000"},
        "ciphertext":"00","kdf":"scrypt","mac":"00",
        "kdfparams":{"dklen":32,"n":8192,"p":1,"r":8,"salt":"00"}}}"#;

    fn check(from: &str, to: &str, expected: &str) {
        assert!(KEYSTORE.contains(from), "{from}");
        let text = KEYSTORE.replace(from, to);
        let result = check_keystore(Path::new("k"), &text);
        let shown = result.map_or_else(|error| error.to_string(), |()| "accepted".into());
        assert_eq!(shown, expected, "{from} -> {to}");
    }

    #[test]
    fn keystores_with_hostile_parameters_are_refused() {
        check("{", "{", "accepted");
        check("8192", "1048576", "accepted");
        check("8192", "2097152", "k asks for n = 2097152, more than 1048576");
        check("8192", "99999999999", "k asks for n = 99999999999, more than 8388608");
        check("\"p\":1", "\"p\":65", "k asks for p = 65, more than 64");
        check("\"p\":1", "\"c\":99999999", "k asks for c = 99999999, more than 10000000");
        let scrypt = |text: &str| format!("k is not a keystore file: scrypt does not allow {text}");
        check("8192", "8193", &scrypt("n = 8193 with r = 8"));
        check("8192", "0", &scrypt("n = 0 with r = 8"));
        check("\"r\":8", "\"r\":0", &scrypt("n = 8192 with r = 0"));
        check("\"dklen\":32", "\"dklen\":16", "k is not a keystore file: dklen is below 32");
        check("\"dklen\":32", "\"x\":32", "k is not a keystore file: dklen is below 32");
        check("\"dklen\":32", "\"dklen\":65", "k asks for dklen = 65, more than 64");
        check("0\"},", "\"},", "k is not a keystore file: iv does not have 16 bytes");
        check("\"crypto\"", "\"c\"", "k is not a keystore file: it has no member crypto");
    }
}
