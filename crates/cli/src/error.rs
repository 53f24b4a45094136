//! How a command fails: what went wrong, whose fault it is, and what to do about it.

use std::fmt;
use std::io;
use std::process::ExitCode;

use gridtally_core::explanation::Explanation;
use gridtally_ledger::{EndpointError, RpcFailure};
use serde::Serialize;

use crate::explained;

/// The code of JSON-RPC for what failed inside an endpoint.
const INTERNAL_ERROR: i64 = -32_603;

/// Whose fault it is; the number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ErrorKind {
    /// What was given was understood and is refused; a verification found a difference.
    Refused = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// A file, a folder, a port or an endpoint is not as needed.
    Environment = 3,
    /// Whoever read our output has left. Nothing is wrong.
    ReaderLeft = 0,
}

/// Why a command ended early.
///
/// The message is lower case without a full stop and names the values; the hint is a sentence on what to do in this very
/// command. What always helps stands in `docs/reference/refusals.md`, and is found there.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) kind: ErrorKind,
    pub(crate) source: anyhow::Error,
    pub(crate) hint: Option<String>,
}

impl CommandError {
    /// Returns a refusal of what was given.
    pub(crate) fn refused(source: impl Into<anyhow::Error>) -> Self {
        Self { kind: ErrorKind::Refused, source: source.into(), hint: None }
    }

    /// Returns a mistake on the command line or in the configuration.
    pub(crate) fn usage(source: impl Into<anyhow::Error>) -> Self {
        Self { kind: ErrorKind::Usage, source: source.into(), hint: None }
    }

    /// Returns a failure of the machine or the network.
    pub(crate) fn environment(source: impl Into<anyhow::Error>) -> Self {
        Self { kind: ErrorKind::Environment, source: source.into(), hint: None }
    }

    /// Returns what failed at a chain: the environment where the endpoint did, otherwise a refusal.
    pub(crate) fn of_chain<E: std::error::Error + Send + Sync + 'static>(error: E) -> Self {
        if is_unreachable(&error) { Self::environment(error) } else { Self::refused(error) }
    }

    /// Adds what to do, as a sentence.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns the code that the process ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }

    /// Returns the code of the error in `docs/reference/refusals.md` or `rejections.md`, where it stands there.
    pub(crate) fn code(&self) -> Option<&'static str> {
        self.explanation().map(|said| said.code)
    }

    /// Returns what to do, as sentences: what always helps, then the hint.
    pub(crate) fn advice(&self) -> Option<String> {
        let message = self.message();
        let remedy = self.explanation().map(|said| said.remedy);
        // A rejection gives its own.
        let remedy = remedy.filter(|remedy| !message.ends_with(remedy)).map(sentence);
        match (remedy, &self.hint) {
            (Some(remedy), Some(hint)) => Some(format!("{remedy} {hint}")),
            (remedy, hint) => remedy.or_else(|| hint.clone()),
        }
    }

    fn explanation(&self) -> Option<Explanation> {
        explained::explanation(&self.source)
    }

    /// Returns the message with all its causes on one line, each control character escaped.
    ///
    /// A cause that its parent already quotes is left out.
    pub(crate) fn message(&self) -> String {
        let mut message = String::new();
        for cause in self.source.chain() {
            let cause = escaped(&cause.to_string());
            if message.contains(&cause) {
                continue;
            }
            if !message.is_empty() {
                message.push_str(": ");
            }
            message.push_str(&cause);
        }
        message
    }
}

/// Returns whether an endpoint, a file or the disk failed, rather than what was given: then it is worth trying again.
pub(crate) fn is_unreachable(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // A chain whose disk is full takes no transaction, whatever is in it.
        let failure = error.downcast_ref::<Box<RpcFailure>>();
        let is_internal = failure.is_some_and(|failure| failure.code == INTERNAL_ERROR);
        if is_internal || error.is::<EndpointError>() || error.is::<io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Returns words of a list as a sentence.
fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), characters.as_str())
}

/// A text from outside must not steer the terminal.
fn escaped(text: &str) -> String {
    let escape = |character: char| -> String {
        if character.is_control() { character.escape_default().collect() } else { character.into() }
    };
    text.chars().map(escape).collect()
}

impl fmt::Display for CommandError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message();
        write!(formatter, "error: {message}")?;
        // A rejection names its code itself, before its remedy.
        if let Some(code) = self.code().map(|code| format!("[{code}]"))
            && !message.contains(&code)
        {
            write!(formatter, " {code}")?;
        }
        if let Some(advice) = self.advice() {
            write!(formatter, "\nhint: {advice}")?;
        }
        Ok(())
    }
}

/// Writing a result failed: the reader left, or the disk behind standard output is full.
impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::BrokenPipe => ErrorKind::ReaderLeft,
            _ => ErrorKind::Environment,
        };
        let source = anyhow::Error::new(error).context("cannot write the result");
        Self { kind, source, hint: None }
    }
}

/// Says whose fault an error is, where it is passed on.
pub(crate) trait Blame<T> {
    /// What was given is refused.
    fn or_refused(self) -> Result<T, CommandError>;
    /// The command line or the configuration is wrong.
    fn or_usage(self) -> Result<T, CommandError>;
    /// The machine or the network failed.
    fn or_environment(self) -> Result<T, CommandError>;
}

impl<T, E: Into<anyhow::Error>> Blame<T> for Result<T, E> {
    fn or_refused(self) -> Result<T, CommandError> {
        self.map_err(CommandError::refused)
    }

    fn or_usage(self) -> Result<T, CommandError> {
        self.map_err(CommandError::usage)
    }

    fn or_environment(self) -> Result<T, CommandError> {
        self.map_err(CommandError::environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;
    use gridtally_aggregator::store::StoreError;
    use gridtally_core::rejection::{Reason, Rejection};
    use gridtally_ledger::{BatchArchiveError, CallKind, HubError, SendError};

    #[test]
    fn causes_stand_on_one_line_and_are_not_repeated() {
        let inner = anyhow!("no such file").context("store: no such file").context("cannot open");
        let error = CommandError::environment(inner).hint("Create it.");
        assert_eq!(error.to_string(), "error: cannot open: store: no such file\nhint: Create it.");
    }

    #[test]
    fn what_stands_in_the_list_is_told_with_code_and_remedy() {
        let error = gridtally_ledger::KeyError::TestAccountUnknown { index: 10 };
        let error = CommandError::usage(error).hint("Use 0 here.");
        let told = "error: test account 10 does not exist, they are 0 to 9 [key-test-account-unknown]\n\
                    hint: Use one of them. Use 0 here.";
        assert_eq!(error.to_string(), told);
        // A rejection says both itself.
        let rejection = Rejection::new(Reason::FileEmpty, "").in_file("a.csv");
        let error = CommandError::refused(StoreError::from(rejection));
        let told = "error: a.csv: the file is empty [file-empty]; export it again";
        assert_eq!((error.to_string().as_str(), error.code()), (told, Some("file-empty")));
    }

    #[test]
    fn a_full_disk_is_the_environments_fault_wherever_it_is_met() {
        let failure = |code, message: &str| {
            let failure = RpcFailure { code, message: message.to_owned(), data: None };
            SendError::NotAccepted { kind: CallKind::Settle, failure: Box::new(failure) }
        };
        let full = failure(-32_603, "no block can be sealed: No space left on device");
        assert_eq!(CommandError::of_chain(full).kind, ErrorKind::Environment);
        // An error that passes on another one without words of its own hides what it is.
        let passed_on = HubError::from(failure(-32_603, "no block can be sealed"));
        assert_eq!(CommandError::of_chain(passed_on).kind, ErrorKind::Environment);
        let refused = failure(-32_000, "nonce too low");
        assert_eq!(CommandError::of_chain(refused).kind, ErrorKind::Refused);
        let (path, source) = ("a.blob".into(), io::ErrorKind::StorageFull.into());
        let kept = BatchArchiveError::Io { path, source };
        assert_eq!(CommandError::of_chain(kept).kind, ErrorKind::Environment);
    }

    #[test]
    fn control_characters_are_escaped() {
        let error = CommandError::refused(anyhow!("bad \u{1b}[2Jname\nsecond"));
        assert_eq!(error.message(), "bad \\u{1b}[2Jname\\nsecond");
    }

    #[test]
    fn a_reader_that_left_is_no_error() {
        let error = CommandError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(error.kind, ErrorKind::ReaderLeft);
        assert_eq!(
            CommandError::from(io::Error::from(io::ErrorKind::StorageFull)).kind,
            ErrorKind::Environment
        );
    }
}
