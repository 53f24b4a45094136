//! Errors in the form and with the codes that Ethereum clients expect.

use alloy_primitives::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::{
    archive::ArchiveError, engine::EngineError, sealer::SealError, state::StateError,
    submit::SubmitError,
};

/// The text could not be parsed.
pub const PARSE_ERROR: i64 = -32_700;
/// The request is not one.
pub const INVALID_REQUEST: i64 = -32_600;
/// There is no such method.
pub const METHOD_NOT_FOUND: i64 = -32_601;
/// The parameters are not those of the method.
pub const INVALID_PARAMS: i64 = -32_602;
/// Something failed in the server.
pub const INTERNAL_ERROR: i64 = -32_603;
/// The server refuses: the usual code of Ethereum clients.
pub const SERVER_ERROR: i64 = -32_000;
/// What was asked for does not exist or is no longer kept.
pub const RESOURCE_NOT_FOUND: i64 = -32_001;
/// What was asked for is more than the server gives at once.
pub const LIMIT_EXCEEDED: i64 = -32_005;
/// The responses to a batch are too large together.
pub const RESPONSE_TOO_LARGE: i64 = -32_003;
/// The transaction is accepted, but not in a block before the wait is over (EIP-7966).
pub const NOT_SEALED_IN_TIME: i64 = 4;
/// The message reverted; the reason is in `data`, as geth gives it.
pub const REVERTED: i64 = 3;

/// Characters of a message at most. What was sent is often quoted in it, however long it is.
pub const MESSAGE_CHARACTERS_MAX: usize = 1_000;

/// An error as the response carries it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RpcError {
    /// The code.
    pub code: i64,
    /// What happened, for people: at most [`MESSAGE_CHARACTERS_MAX`] characters and `…`.
    message: String,
    /// What happened, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl RpcError {
    /// Returns an error without data. A message that is too long is cut.
    #[must_use]
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: cut(message.into()), data: None }
    }

    /// Adds what happened, for programs.
    #[must_use]
    pub fn with_data(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }

    /// Returns the message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the error for text that is not JSON.
    #[must_use]
    pub fn parse(error: &serde_json::Error) -> Self {
        Self::new(PARSE_ERROR, format!("parse error: {error}"))
    }

    /// Returns the error for JSON that is not a request.
    #[must_use]
    pub fn invalid_request(reason: &str) -> Self {
        Self::new(INVALID_REQUEST, format!("invalid request: {reason}"))
    }

    /// Returns the error for a method that does not exist.
    #[must_use]
    pub fn method_not_found(method: &str) -> Self {
        let method: String = method.chars().take(64).collect();
        Self::new(METHOD_NOT_FOUND, format!("the method {method} does not exist/is not available"))
    }

    /// Returns the error for parameters that are not those of the method.
    #[must_use]
    pub fn invalid_params(reason: impl std::fmt::Display) -> Self {
        Self::new(INVALID_PARAMS, format!("invalid params: {reason}"))
    }

    /// Returns the error for more than the server gives at once; the reason names the bound.
    #[must_use]
    pub fn limit_exceeded(reason: impl Into<String>) -> Self {
        Self::new(LIMIT_EXCEEDED, reason)
    }

    /// Returns the error for a request whose response no longer fits into that to its batch.
    #[must_use]
    pub fn response_too_large() -> Self {
        let max = super::BATCH_RESPONSE_BYTES_MAX;
        Self::new(RESPONSE_TOO_LARGE, format!("response too large: {max} bytes for a batch"))
    }

    /// Returns an error of the server's usual code.
    #[must_use]
    pub fn server(reason: impl std::fmt::Display) -> Self {
        Self::new(SERVER_ERROR, reason.to_string())
    }

    /// Returns the error for something that failed in the server.
    #[must_use]
    pub fn internal(reason: impl std::fmt::Display) -> Self {
        Self::new(INTERNAL_ERROR, reason.to_string())
    }

    /// Returns the error for a message that reverted with `output`.
    #[must_use]
    pub fn reverted(output: &Bytes) -> Self {
        let message = match alloy_sol_types::decode_revert_reason(output) {
            Some(reason) => {
                format!(
                    "execution reverted: {}",
                    reason.strip_prefix("revert: ").unwrap_or(&reason)
                )
            }
            None => "execution reverted".to_owned(),
        };
        Self::new(REVERTED, message).with_data(Value::String(output.to_string()))
    }
}

fn cut(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARACTERS_MAX) {
        message.truncate(end);
        message.push('…');
    }
    message
}

impl From<ArchiveError> for RpcError {
    fn from(error: ArchiveError) -> Self {
        Self::internal(error)
    }
}

impl From<StateError> for RpcError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::UnknownBlock { .. } => Self::new(RESOURCE_NOT_FOUND, "header not found"),
            StateError::RootMismatch { .. } => Self::internal(error),
            StateError::Pruned { .. }
            | StateError::Reverted { .. }
            | StateError::UnknownCode { .. }
            | StateError::ProofTooLarge { .. } => Self::server(error),
        }
    }
}

impl From<EngineError> for RpcError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::State(error) => error.into(),
            EngineError::Refused(reason) => Self::server(reason),
            EngineError::Failed(_) => Self::internal(error),
        }
    }
}

impl From<SubmitError> for RpcError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::State(error) => error.into(),
            SubmitError::Unreadable(_) => Self::invalid_params(error),
            _ => Self::server(error),
        }
    }
}

impl From<SealError> for RpcError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::State(error) => error.into(),
            SealError::ReadOnly => Self::server(error),
            SealError::UnknownBlock { .. } => Self::new(RESOURCE_NOT_FOUND, error.to_string()),
            _ => Self::internal(error),
        }
    }
}
