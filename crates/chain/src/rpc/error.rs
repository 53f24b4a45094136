//! Errors in the form and with the codes that Ethereum clients expect.

use alloy_primitives::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::{
    archive::ArchiveError, engine::EngineError, explanation::Explanation, sealer::SealError,
    state::StateError, submit::SubmitError,
};

/// Declares the codes once: name, number, code word, meaning, remedy.
macro_rules! codes {
    ($($name:ident $number:literal $code:literal $meaning:literal $remedy:literal;)*) => {
        $(#[doc = concat!("`", $code, "`: ", $meaning, ".")] pub const $name: i32 = $number;)*

        /// Every code of an error in a response, with what it says.
        pub const CODES: &[(i32, Explanation)] =
            &[$(($number, Explanation { code: $code, meaning: $meaning, remedy: $remedy }),)*];
    };
}

codes! {
    PARSE_ERROR -32_700 "rpc-parse-error" "the text could not be parsed"
        "send one JSON value, in UTF-8";
    INVALID_REQUEST -32_600 "rpc-invalid-request" "the JSON is not a request"
        "give method, params and id as JSON-RPC 2.0 says; large batches are split";
    METHOD_NOT_FOUND -32_601 "rpc-method-not-found" "there is no such method"
        "take one of docs/reference/json-rpc.md; subscriptions need a WebSocket";
    INVALID_PARAMS -32_602 "rpc-invalid-params" "the parameters are not those of the method"
        "correct the one that the message names";
    INTERNAL_ERROR -32_603 "rpc-internal-error" "something failed in the server"
        "look at the words: a disk that failed, or a bug to report";
    SERVER_ERROR -32_000 "rpc-refused" "the server refuses: the usual code of Ethereum clients"
        "do as the words say; those about transactions stand below";
    RESOURCE_NOT_FOUND -32_001 "rpc-not-found" "what was asked for does not exist or is no longer kept"
        "name a block or transaction of this chain";
    RESPONSE_TOO_LARGE -32_003 "rpc-response-too-large" "the responses to a batch are too large together"
        "split the batch";
    LIMIT_EXCEEDED -32_005 "rpc-limit-exceeded" "what was asked for is more than the server gives at once"
        "ask for less at a time";
    NOT_SEALED_IN_TIME 4 "rpc-not-sealed-in-time" "the transaction is accepted, but not in a block before the wait is over (EIP-7966)"
        "ask for its receipt later";
    REVERTED 3 "rpc-reverted" "the message reverted; the reason is in data, as geth gives it"
        "decode data with the contract's ABI";
    SIMULATION_FAILED -32_015 "rpc-simulated-call-failed" "a simulated call failed without reverting"
        "look at its gas and its code";
    SIMULATION_GAS_EXCEEDED -38_015 "rpc-simulated-gas" "the calls of a simulated block use more than its gas limit"
        "spread them over several blocks";
    SIMULATION_NUMBER_NOT_RISING -38_020 "rpc-simulated-number" "the numbers of simulated blocks do not rise"
        "leave them out, or let them rise";
    SIMULATION_TIME_NOT_RISING -38_021 "rpc-simulated-time" "the times of simulated blocks do not rise"
        "leave them out, or let them rise";
    SIMULATION_TOO_MANY_BLOCKS -38_026 "rpc-simulated-blocks" "too many blocks are simulated"
        "simulate fewer at a time";
}

/// Characters of a message at most. What was sent is often quoted in it, however long it is.
pub const MESSAGE_CHARACTERS_MAX: usize = 1_000;

/// An error as the response carries it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RpcError {
    /// The code.
    pub code: i32,
    /// What happened, for people: at most [`MESSAGE_CHARACTERS_MAX`] characters and `…`.
    message: String,
    /// What happened, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl RpcError {
    /// Returns an error without data. A message that is too long is cut.
    #[must_use]
    pub fn new(code: i32, message: impl Into<String>) -> Self {
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
            SubmitError::NotSealing { .. } => Self::internal(error),
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
