//! The configuration: what every layer said, checked and typed.

mod archive;
mod setting;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use alloy_primitives::Address;
use gridtally_aggregator::cycle::{Sealing, SettlementMode};
use gridtally_aggregator::store::CHAIN_FOLDER;
use gridtally_core::calendar::Zone;
use gridtally_core::period::SettlementCalendar;
use gridtally_core::quantity::Currency;
use gridtally_ledger::{KeySource, PasswordSource};
use jiff::Timestamp;

use crate::address::address;

pub(crate) use archive::{ArchiveConfig, ArchivePlace};
pub(crate) use setting::{DEFAULTS, FILE_VARIABLE, SettingError, Settings, variable_name};

/// The name of the file that is read from the working folder where no other is named.
pub(crate) const FILE_NAME: &str = "gridtally.toml";

/// Everything that can be configured. `default.toml` says what each key means.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) store_folder: PathBuf,
    pub(crate) currency: Currency,
    pub(crate) zone: Zone,
    pub(crate) calendar: SettlementCalendar,
    /// Nothing: the store's own.
    pub(crate) mode: Option<SettlementMode>,
    /// Nothing: as before.
    pub(crate) sealing: Option<Sealing>,
    pub(crate) batch: BatchConfig,
    pub(crate) chain: ChainConfig,
    pub(crate) archive: ArchiveConfig,
    pub(crate) import: ImportConfig,
}

/// What a deployment of batch settlement fixes for ever.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchConfig {
    /// Nothing: that of the deployment.
    pub(crate) auditor: Option<Address>,
    pub(crate) slash_unit_micro: u64,
    pub(crate) demand_bond_micro: u64,
}

/// Which chain, and how it is asked.
#[derive(Debug, Clone)]
pub(crate) struct ChainConfig {
    /// Nothing: the embedded chain.
    pub(crate) endpoint: Option<String>,
    /// Nothing: the folder `chain` of the store.
    pub(crate) folder: Option<PathBuf>,
    /// The key that settles on an endpoint.
    pub(crate) key: KeySource,
    pub(crate) listen: SocketAddr,
    pub(crate) chain_id: u64,
    /// Nothing: a block as soon as a transaction arrives.
    pub(crate) seal_interval: Option<Duration>,
    pub(crate) request_timeout: Duration,
    pub(crate) attempts: u32,
}

/// Bounds of what is imported.
#[derive(Debug, Clone)]
pub(crate) struct ImportConfig {
    pub(crate) file_bytes_max: u64,
    /// Nothing: any age.
    pub(crate) age_days_max: Option<u64>,
}

impl Config {
    /// Returns the folder of the store's embedded chain.
    pub(crate) fn chain_folder(&self) -> PathBuf {
        self.chain.folder.clone().unwrap_or_else(|| self.store_folder.join(CHAIN_FOLDER))
    }

    /// Checks the settings, in the order of `default.toml`.
    ///
    /// # Errors
    ///
    /// [`SettingError::ValueRefused`] for the first value that is not valid.
    pub(crate) fn new(settings: &Settings) -> Result<Self, SettingError> {
        let store_folder = settings.path("store.folder");
        let currency = settings.parsed("store.currency", "a currency of three capital letters")?;
        let zone = settings.parsed("market.zone", "a time zone such as Europe/Oslo")?;
        let calendar = calendar(settings)?;
        Ok(Self {
            store_folder,
            currency,
            zone,
            calendar,
            mode: match settings.text("settlement.mode") {
                "" => None,
                _ => Some(settings.parsed("settlement.mode", "direct, batch, or empty")?),
            },
            sealing: match settings.text("settlement.records") {
                "" => None,
                _ => Some(settings.parsed("settlement.records", "open, sealed, or empty")?),
            },
            batch: BatchConfig {
                auditor: auditor(settings)?,
                slash_unit_micro: settings.number("batch.slash_unit_micro", 1..1 << 48)?,
                demand_bond_micro: settings.number("batch.demand_bond_micro", 1..1 << 44)?,
            },
            chain: ChainConfig::new(settings)?,
            archive: ArchiveConfig::new(settings)?,
            import: ImportConfig::new(settings)?,
        })
    }
}

impl ChainConfig {
    fn new(settings: &Settings) -> Result<Self, SettingError> {
        let endpoint = http_address(settings, "chain.endpoint")?;
        let listen =
            settings.parsed("chain.listen", "an address with a port such as 127.0.0.1:8545")?;
        let seal_interval_ms = settings.number("chain.seal_interval_ms", 0..86_400_001)?;
        Ok(Self {
            endpoint,
            folder: path(settings, "chain.folder"),
            key: match path(settings, "chain.keystore") {
                Some(keystore) => KeySource::Keystore {
                    path: keystore,
                    password: PasswordSource::File(settings.path("chain.password_file")),
                },
                None => KeySource::Variable(settings.text("chain.key_variable").to_owned()),
            },
            listen,
            chain_id: settings.number("chain.chain_id", 1..1 << 53)?,
            seal_interval: (seal_interval_ms > 0).then(|| Duration::from_millis(seal_interval_ms)),
            request_timeout: Duration::from_millis(
                settings.number("chain.request_timeout_ms", 1..3_600_001)?,
            ),
            attempts: small(settings.number("chain.attempts", 1..101)?),
        })
    }
}

impl ImportConfig {
    fn new(settings: &Settings) -> Result<Self, SettingError> {
        let age_days = settings.number("import.age_days_max", 0..36_526)?;
        Ok(Self {
            file_bytes_max: settings.number("import.file_bytes_max", 1..1 << 50)?,
            age_days_max: (age_days > 0).then_some(age_days),
        })
    }
}

/// Returns how a new store divides time.
fn calendar(settings: &Settings) -> Result<SettlementCalendar, SettingError> {
    let genesis_key = "settlement.genesis_time";
    let genesis: Timestamp = settings.parsed(genesis_key, "a time such as 2000-01-01T00:00:00Z")?;
    let period_length_s = small(settings.number("settlement.period_length_s", 1..604_801)?);
    let slots = settings.number("settlement.slots_per_period", 1..1_025)?;
    if !u64::from(period_length_s).is_multiple_of(slots) {
        let expected = format!("a divisor of the {period_length_s} s of a settlement period");
        return Err(settings.refused("settlement.slots_per_period", &expected));
    }
    if ![600, 900, 1_800, 3_600].contains(&(u64::from(period_length_s) / slots)) {
        let expected = "one that makes slots of 10, 15, 30 or 60 minutes";
        return Err(settings.refused("settlement.slots_per_period", expected));
    }
    let slots = u16::try_from(slots).expect("at most 1024");
    SettlementCalendar::new(genesis, period_length_s, slots)
        .map_err(|error| settings.refused(genesis_key, &error.to_string()))
}

/// Returns the auditor's address, or nothing where it is empty.
fn auditor(settings: &Settings) -> Result<Option<Address>, SettingError> {
    let key = "batch.auditor";
    let text = settings.text(key);
    if text.is_empty() {
        return Ok(None);
    }
    let found =
        address(text).map_err(|reason| settings.refused(key, &format!("an address: {reason}")))?;
    // Contracts write nobody so.
    if found.is_zero() {
        return Err(settings.refused(key, "the address of somebody, or empty"));
    }
    Ok(Some(found))
}

/// Returns an address, or nothing where it is empty.
fn http_address(settings: &Settings, key: &str) -> Result<Option<String>, SettingError> {
    let text = settings.text(key);
    if text.is_empty() {
        return Ok(None);
    }
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return Err(settings.refused(key, "an http or https address, or empty"));
    }
    Ok(Some(text.to_owned()))
}

/// Returns a path, or nothing where it is empty.
fn path(settings: &Settings, key: &str) -> Option<PathBuf> {
    (!settings.text(key).is_empty()).then(|| settings.path(key))
}

/// Narrows a number whose range was checked.
fn small(number: u64) -> u32 {
    u32::try_from(number).expect("the range was checked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_defaults_are_valid() {
        let config = Config::new(&Settings::defaults()).unwrap();
        assert_eq!(config.chain.endpoint, None);
        assert_eq!(config.chain.seal_interval, None);
        assert_eq!(config.import.age_days_max, None);
    }

    #[test]
    fn the_first_bad_value_is_named() {
        let refused = |key: &str, value: toml::Value| {
            let mut settings = Settings::defaults();
            settings.set_flag(key, "--x", value);
            Config::new(&settings).unwrap_err().to_string()
        };
        let cases = [
            ("store.currency", "euro".into(), "a currency of three capital letters"),
            ("market.zone", "Oslo".into(), "a time zone such as Europe/Oslo"),
            ("settlement.period_length_s", 604_801.into(), "a whole number from 1 to 604800"),
            (
                "settlement.slots_per_period",
                97.into(),
                "a divisor of the 86400 s of a settlement period",
            ),
            ("settlement.mode", "both".into(), "direct, batch, or empty"),
            ("settlement.records", "closed".into(), "open, sealed, or empty"),
            (
                "batch.auditor",
                "0x12".into(),
                "an address: write it as 0x and 40 hexadecimal digits",
            ),
            (
                "batch.auditor",
                "0x0000000000000000000000000000000000000000".into(),
                "the address of somebody, or empty",
            ),
            ("batch.slash_unit_micro", 0.into(), "a whole number from 1 to 281474976710655"),
            ("chain.endpoint", "ws://x".into(), "an http or https address, or empty"),
            ("chain.listen", "8545".into(), "an address with a port such as 127.0.0.1:8545"),
            ("chain.chain_id", 0.into(), "a whole number from 1 to 9007199254740991"),
            (
                "archive.place",
                "s3://Batches".into(),
                "a folder, or s3://bucket/folder (no address of object storage: a bucket has 3 to 63 lower-case letters, digits, \
                 dots and hyphens)",
            ),
            ("archive.endpoint", "s3.example".into(), "an http or https address, or empty"),
            ("archive.region", "".into(), "a region such as us-east-1"),
            ("import.age_days_max", (-1).into(), "a whole number from 0 to 36525"),
        ];
        for (key, value, expected) in cases {
            let value: toml::Value = value;
            let message = format!("{key} = {value} in the flag --x is not {expected}");
            assert_eq!(refused(key, value), message);
        }
    }

    /// The seeds of the fuzz target, so that they run without a fuzzer too.
    #[test]
    fn every_seed_is_read_or_refused() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/config");
        let mut valid = Vec::new();
        for seed in std::fs::read_dir(folder).unwrap() {
            let path = seed.unwrap().path();
            let settings = Settings::load(Some(&path), []);
            if settings.is_ok_and(|settings| Config::new(&settings).is_ok()) {
                valid.push(path.file_name().unwrap().to_owned());
            }
        }
        valid.sort_unstable();
        assert_eq!(valid, ["default.toml", "some.toml"]);
    }
}
