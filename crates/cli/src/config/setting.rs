//! Settings in layers: committed defaults, one file, variables, flags. The last one wins and is remembered.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Value;
use toml::de::{DeTable, DeValue};

/// The committed defaults: every key that exists, with its type and its comment.
pub(crate) const DEFAULTS: &str = include_str!("default.toml");

/// What all variables begin with.
pub(crate) const VARIABLE_PREFIX: &str = "GRIDTALLY_";

/// Names the configuration file, as `--config` does.
pub(crate) const FILE_VARIABLE: &str = "GRIDTALLY_CONFIG";

/// Largest configuration file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The committed defaults.
    Default,
    /// A line of a file, from 1.
    File { path: PathBuf, line: usize },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("the defaults"),
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::Variable(name) => write!(formatter, "the variable {name}"),
            Self::Flag(name) => write!(formatter, "the flag {name}"),
        }
    }
}

/// A value and where it was given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// Why the configuration is refused, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    FileUnreadable { path: PathBuf, source: std::io::Error },
    /// The file is larger than any configuration.
    #[error("the configuration {} has more than {FILE_BYTES_MAX} bytes", path.display())]
    FileTooLarge { path: PathBuf },
    /// The file is not TOML.
    #[error("{}:{line}: {reason}", path.display())]
    Syntax { path: PathBuf, line: usize, reason: String },
    /// No such key.
    #[error("unknown key {key} in {origin}")]
    KeyUnknown { key: String, origin: Origin },
    /// No such variable, although it begins like ours.
    #[error("unknown variable {name}")]
    VariableUnknown { name: String },
    /// The value has another type than the default, or lies outside its range.
    #[error("{key} = {value} in {origin} is not {expected}")]
    ValueRefused { key: String, value: String, origin: Origin, expected: String },
}

/// All settings by key: `section.name`.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    settings: BTreeMap<String, Setting>,
    /// Relative paths of the file start here.
    folder: PathBuf,
}

impl Settings {
    /// Reads the defaults, then the file where one is given, then the variables.
    ///
    /// # Errors
    ///
    /// In the order of [`SettingError`], layer by layer.
    pub(crate) fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, SettingError> {
        let mut settings = Self::defaults();
        if let Some(path) = file {
            settings.read_file(path)?;
        }
        settings.read_variables(variables)?;
        Ok(settings)
    }

    /// Returns the committed defaults alone.
    pub(crate) fn defaults() -> Self {
        let table: toml::Table = DEFAULTS.parse().expect("a test reads the committed defaults");
        let mut settings = BTreeMap::new();
        for (section, keys) in table {
            let Value::Table(keys) = keys else { continue };
            for (name, value) in keys {
                settings.insert(
                    format!("{section}.{name}"),
                    Setting { value, origin: Origin::Default },
                );
            }
        }
        Self { settings, folder: PathBuf::from(".") }
    }

    /// Returns the value of a key that exists.
    pub(crate) fn get(&self, key: &str) -> &Setting {
        self.settings.get(key).expect("only keys of the committed defaults are asked for")
    }

    /// Returns a path; a relative one from the file starts at the file's folder, any other at the working folder.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        let setting = self.get(key);
        let path = PathBuf::from(setting.value.as_str().unwrap_or_default());
        match setting.origin {
            Origin::File { .. } => self.folder.join(path),
            _ => path,
        }
    }

    /// Returns a text.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.get(key).value.as_str().unwrap_or_default()
    }

    /// Reads a text as a value of its type.
    ///
    /// # Errors
    ///
    /// [`SettingError::ValueRefused`], which names key, value and origin.
    pub(crate) fn parsed<T: std::str::FromStr>(
        &self,
        key: &str,
        expected: &str,
    ) -> Result<T, SettingError> {
        self.text(key).parse().map_err(|_| self.refused(key, expected))
    }

    /// Returns a whole number within a range.
    ///
    /// # Errors
    ///
    /// [`SettingError::ValueRefused`], which names key, value and origin.
    pub(crate) fn number(&self, key: &str, range: Range<u64>) -> Result<u64, SettingError> {
        let number = self.get(key).value.as_integer().and_then(|number| u64::try_from(number).ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            self.refused(key, &format!("a whole number from {} to {}", range.start, range.end - 1))
        })
    }

    /// Returns whether something is switched on.
    pub(crate) fn switch(&self, key: &str) -> bool {
        self.get(key).value.as_bool().unwrap_or_default()
    }

    /// Returns the refusal of a value.
    pub(crate) fn refused(&self, key: &str, expected: &str) -> SettingError {
        let Setting { value, origin } = self.get(key).clone();
        let (key, expected) = (key.to_owned(), expected.to_owned());
        SettingError::ValueRefused { key, value: value.to_string(), origin, expected }
    }

    /// Puts the value of a flag above all others.
    pub(crate) fn set_flag(&mut self, key: &str, flag: &'static str, value: impl Into<Value>) {
        let setting =
            self.settings.get_mut(key).expect("only keys of the committed defaults are set");
        *setting = Setting { value: value.into(), origin: Origin::Flag(flag) };
    }

    /// Returns the committed defaults with their comments, and these settings in place of the values.
    pub(crate) fn to_file(&self) -> String {
        let (mut text, mut section) = (String::new(), "");
        for line in DEFAULTS.lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            }
            match line.split_once(" = ").filter(|_| !line.starts_with('#')) {
                Some((name, _)) => {
                    let value = &self.get(&format!("{section}.{name}")).value;
                    text.push_str(&format!("{name} = {value}\n"));
                }
                None => text.push_str(&format!("{line}\n")),
            }
        }
        text
    }

    fn read_file(&mut self, path: &Path) -> Result<(), SettingError> {
        let unreadable = |source| SettingError::FileUnreadable { path: path.to_owned(), source };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(SettingError::FileTooLarge { path: path.to_owned() });
        }
        let line_of =
            |offset: usize| 1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count();
        let table = DeTable::parse(&text).map_err(|error| SettingError::Syntax {
            path: path.to_owned(),
            line: line_of(error.span().map_or(0, |span| span.start)),
            reason: error.message().to_owned(),
        })?;
        self.folder = path.parent().map(Path::to_owned).unwrap_or_default();
        for (section, keys) in table.get_ref() {
            let origin = |line| Origin::File { path: path.to_owned(), line };
            let DeValue::Table(keys) = keys.get_ref() else {
                let origin = origin(line_of(section.span().start));
                return Err(SettingError::KeyUnknown {
                    key: section.get_ref().to_string(),
                    origin,
                });
            };
            if keys.is_empty() && !self.has_section(section.get_ref()) {
                let origin = origin(line_of(section.span().start));
                return Err(SettingError::KeyUnknown {
                    key: section.get_ref().to_string(),
                    origin,
                });
            }
            for (name, value) in keys {
                let key = format!("{}.{}", section.get_ref(), name.get_ref());
                let origin = origin(line_of(name.span().start));
                let shown = text.get(value.span()).unwrap_or_default();
                self.put(&key, shown, origin)?;
            }
        }
        Ok(())
    }

    fn has_section(&self, section: &str) -> bool {
        self.settings.keys().any(|key| key.split('.').next() == Some(section))
    }

    fn read_variables(
        &mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(), SettingError> {
        let known: BTreeMap<String, String> =
            self.settings.keys().map(|key| (variable_name(key), key.clone())).collect();
        let mut given: Vec<(OsString, OsString)> = variables.into_iter().collect();
        given.sort();
        for (name, value) in given {
            let name = name.to_string_lossy().into_owned();
            if !name.starts_with(VARIABLE_PREFIX) || name == FILE_VARIABLE {
                continue;
            }
            let origin = Origin::Variable(name.clone());
            let Some(key) = known.get(&name) else {
                return Err(SettingError::VariableUnknown { name });
            };
            let value = value.to_string_lossy().into_owned();
            let is_text = self.get(key).value.is_str();
            let shown = if is_text { Value::String(value).to_string() } else { value };
            self.put(key, &shown, origin)?;
        }
        Ok(())
    }

    /// Puts a value, written as TOML, over the one before it.
    fn put(&mut self, key: &str, shown: &str, origin: Origin) -> Result<(), SettingError> {
        let Some(setting) = self.settings.get_mut(key) else {
            return Err(SettingError::KeyUnknown { key: key.to_owned(), origin });
        };
        let value = shown.parse::<Value>().ok();
        let value = value.filter(|value| value.same_type(&setting.value));
        let Some(value) = value else {
            let expected = match setting.value {
                Value::String(_) => "a text in quotes",
                Value::Integer(_) => "a whole number",
                Value::Boolean(_) => "true or false",
                _ => "of the type of the default",
            };
            let (key, value) = (key.to_owned(), shown.to_owned());
            return Err(SettingError::ValueRefused {
                key,
                value,
                origin,
                expected: expected.to_owned(),
            });
        };
        *setting = Setting { value, origin };
        Ok(())
    }
}

/// Returns the variable of a key: `chain.listen` is `GRIDTALLY_CHAIN_LISTEN`.
pub(crate) fn variable_name(key: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", key.replace('.', "_").to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// Loads a file with this text, and variables; shows what differs from the defaults.
    fn check(text: &str, variables: &[(&str, &str)], expected: &Expect) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gridtally.toml");
        std::fs::write(&path, text).unwrap();
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let shown = match Settings::load(Some(&path), variables) {
            Ok(settings) => settings
                .settings
                .iter()
                .filter(|(_, setting)| setting.origin != Origin::Default)
                .map(|(key, setting)| {
                    format!("{key} = {} from {}\n", setting.value, setting.origin)
                })
                .collect(),
            Err(error) => format!("{error}\n"),
        };
        expected.assert_eq(&shown.replace(&folder.path().display().to_string(), ""));
    }

    #[test]
    fn the_last_layer_wins_and_is_remembered() {
        check(
            "[chain]\nchain_id = 5\nlisten = '127.0.0.1:1'\n",
            &[("GRIDTALLY_CHAIN_LISTEN", "127.0.0.1:2"), ("HOME", "/")],
            &expect![[r#"
                chain.chain_id = 5 from /gridtally.toml:2
                chain.listen = "127.0.0.1:2" from the variable GRIDTALLY_CHAIN_LISTEN
            "#]],
        );
    }

    /// Returns the lines from one to another.
    fn section_start<'a>(text: &'a str, from: &str, until: &str) -> &'a str {
        let text = &text[text.find(from).unwrap()..];
        &text[..text.find(until).unwrap()]
    }

    #[test]
    fn a_written_file_reads_as_the_same_settings() {
        let mut settings = Settings::defaults();
        assert_eq!(settings.to_file(), DEFAULTS);
        settings.set_flag("chain.listen", "--listen", "127.0.0.1:1");
        check(
            section_start(&settings.to_file(), "[chain]", "# Chain id"),
            &[],
            &expect![[r#"
                chain.endpoint = "" from /gridtally.toml:3
                chain.folder = "" from /gridtally.toml:5
                chain.listen = "127.0.0.1:1" from /gridtally.toml:7
            "#]],
        );
    }

    #[test]
    fn unknown_keys_are_refused_by_name_and_place() {
        check(
            "[chain]\n\nlissten = 'x'\n",
            &[],
            &expect![[r#"
            unknown key chain.lissten in /gridtally.toml:3
        "#]],
        );
        check(
            "chain = 1\n",
            &[],
            &expect![[r#"
            unknown key chain in /gridtally.toml:1
        "#]],
        );
        check(
            "[chian]\n",
            &[],
            &expect![[r#"
            unknown key chian in /gridtally.toml:1
        "#]],
        );
        check(
            "[chain.listen]\nport = 1\n",
            &[],
            &expect![[r#"
            chain.listen = [chain.listen] in /gridtally.toml:1 is not a text in quotes
        "#]],
        );
        check(
            "",
            &[("GRIDTALLY_CHAIN_LISSTEN", "x")],
            &expect![[r#"
                unknown variable GRIDTALLY_CHAIN_LISSTEN
            "#]],
        );
    }

    #[test]
    fn bad_values_are_refused_by_key_and_place() {
        check(
            "[chain]\nchain_id = 'one'\n",
            &[],
            &expect![[r#"
            chain.chain_id = 'one' in /gridtally.toml:2 is not a whole number
        "#]],
        );
        check(
            "[chain]\nchain_id = 1.5\n",
            &[],
            &expect![[r#"
            chain.chain_id = 1.5 in /gridtally.toml:2 is not a whole number
        "#]],
        );
        check(
            "",
            &[("GRIDTALLY_CHAIN_CHAIN_ID", "one")],
            &expect![[r#"
            chain.chain_id = one in the variable GRIDTALLY_CHAIN_CHAIN_ID is not a whole number
        "#]],
        );
        check(
            "[archive]\nallow_http = 'yes'\n",
            &[],
            &expect![[r#"
            archive.allow_http = 'yes' in /gridtally.toml:2 is not true or false
        "#]],
        );
        check(
            "[chain\n",
            &[],
            &expect![[r#"
            /gridtally.toml:1: unclosed table, expected `]`
        "#]],
        );
        check(
            "[chain]\nchain_id = 1\nchain_id = 2\n",
            &[],
            &expect![[r#"
            /gridtally.toml:3: duplicate key
        "#]],
        );
    }

    #[test]
    fn variables_of_texts_need_no_quotes() {
        check(
            "",
            &[("GRIDTALLY_MARKET_ZONE", "Europe/Berlin \"'")],
            &expect![[r#"
            market.zone = """Europe/Berlin "'""" from the variable GRIDTALLY_MARKET_ZONE
        "#]],
        );
    }

    #[test]
    fn relative_paths_start_at_the_file_that_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gridtally.toml");
        std::fs::write(&path, "[store]\nfolder = 'data'\n").unwrap();
        let settings = Settings::load(Some(&path), []).unwrap();
        assert_eq!(settings.path("store.folder"), folder.path().join("data"));
        assert_eq!(settings.path("chain.password_file"), PathBuf::from(""));
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        let mut settings = Settings::defaults();
        settings.set_flag("chain.chain_id", "--chain-id", 0);
        let error = settings.number("chain.chain_id", 1..10).unwrap_err();
        let expected =
            "chain.chain_id = 0 in the flag --chain-id is not a whole number from 1 to 9";
        assert_eq!(error.to_string(), expected);
    }
}
