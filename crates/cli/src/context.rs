//! What every command is given.

use std::future::Future;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use jiff::Timestamp;

use crate::arguments::Arguments;
use crate::config::{Config, FILE_NAME, Settings};
use crate::error::{Blame, CommandError};
use crate::output::Output;

/// Where results go and where settings come from.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) output: Output,
    config_file: Option<PathBuf>,
}

impl Context {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let output = Output { format: arguments.output };
        Self { output, config_file: arguments.config.clone() }
    }

    /// Returns the configuration file that is named, or the one in the working folder, or nothing.
    pub(crate) fn config_file(&self) -> Option<PathBuf> {
        let usual = Path::new(FILE_NAME);
        self.config_file.clone().or_else(|| usual.is_file().then(|| usual.to_owned()))
    }

    /// Returns the settings of all layers below the flags.
    ///
    /// # Errors
    ///
    /// A usage error that names the first key that is refused and where it was given.
    pub(crate) fn settings(&self) -> Result<Settings, CommandError> {
        Settings::load(self.config_file().as_deref(), std::env::vars_os()).or_usage().map_err(
            |error| error.hint("docs/reference/config.md lists every key and its variable."),
        )
    }

    /// Returns the configuration, with flags on top of the settings.
    ///
    /// # Errors
    ///
    /// A usage error that names the first key that is refused and where it was given.
    pub(crate) fn config(&self, flags: impl FnOnce(&mut Settings)) -> Result<Config, CommandError> {
        let mut settings = self.settings()?;
        flags(&mut settings);
        Config::new(&settings).or_usage()
    }

    /// Returns the time of day, for what is recorded and for what lies in the future.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Runs asynchronous work to its end, on as many threads as there are cores.
    ///
    /// # Errors
    ///
    /// That of the work, or an environment error where the system gives no threads.
    pub(crate) fn block_on<T>(
        &self,
        work: impl Future<Output = Result<T, CommandError>>,
    ) -> Result<T, CommandError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            CommandError::environment(anyhow!(error).context("cannot start worker threads"))
        })?;
        runtime.block_on(work)
    }
}
