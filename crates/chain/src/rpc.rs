//! JSON-RPC: a table of methods over a chain, independent of how requests arrive.
//!
//! One file per family of methods. A family is a function from a method name to its handler; adding a method is
//! adding a line there.

pub(crate) mod convert;
pub mod error;
pub mod params;

mod blocks;
mod constants;
mod execute;
mod fees;
mod logs;
mod resolve;
mod send;
mod state;
mod time;

use serde_json::{Value, json};

pub use self::{error::RpcError, params::Params};
use crate::chain::Chain;

/// Requests in one batch at most.
pub const BATCH_MAX: usize = 1_000;
/// Bytes of the responses to one batch at most; what does not fit is answered with an error.
pub const BATCH_RESPONSE_BYTES_MAX: usize = 64 << 20;

/// What answers one method.
pub type Handler = fn(&Context<'_>, Params) -> Result<Value, RpcError>;

/// What a handler works with.
#[derive(Debug)]
pub struct Context<'a> {
    /// The chain.
    pub chain: &'a Chain,
}

/// Returns the handler of a method.
fn handler(method: &str) -> Option<Handler> {
    constants::handler(method)
        .or_else(|| state::handler(method))
        .or_else(|| blocks::handler(method))
        .or_else(|| logs::handler(method))
        .or_else(|| fees::handler(method))
        .or_else(|| execute::handler(method))
        .or_else(|| send::handler(method))
        .or_else(|| time::handler(method))
}

impl Chain {
    /// Answers a JSON-RPC request or batch in its text form. Returns nothing when no answer is due.
    #[must_use]
    pub fn dispatch_text(&self, text: &[u8]) -> Option<Vec<u8>> {
        let response = match serde_json::from_slice::<Value>(text) {
            Ok(request) => self.dispatch(request)?,
            Err(error) => failure(&Value::Null, &RpcError::parse(&error)),
        };
        Some(serde_json::to_vec(&response).unwrap_or_default())
    }

    /// Answers a JSON-RPC request or batch. Returns nothing when no answer is due: to a request without id.
    #[must_use]
    pub fn dispatch(&self, request: Value) -> Option<Value> {
        match request {
            Value::Array(requests) if requests.is_empty() => {
                Some(failure(&Value::Null, &RpcError::invalid_request("empty batch")))
            }
            Value::Array(requests) if requests.len() > BATCH_MAX => {
                let reason = format!("{} requests in a batch, at most {BATCH_MAX}", requests.len());
                Some(failure(&Value::Null, &RpcError::invalid_request(&reason)))
            }
            Value::Array(requests) => {
                let responses: Vec<_> =
                    requests.into_iter().filter_map(|request| self.dispatch_one(request)).collect();
                (!responses.is_empty()).then_some(Value::Array(responses))
            }
            request => self.dispatch_one(request),
        }
    }

    fn dispatch_one(&self, request: Value) -> Option<Value> {
        let Value::Object(mut request) = request else {
            return Some(failure(&Value::Null, &RpcError::invalid_request("not an object")));
        };
        let id = request.remove("id");
        let answered = id.clone().unwrap_or_default();
        if !matches!(answered, Value::Null | Value::Number(_) | Value::String(_)) {
            let error = RpcError::invalid_request("id is neither number, string nor null");
            return Some(failure(&Value::Null, &error));
        }
        let Some(Value::String(method)) = request.get("method") else {
            return Some(failure(&answered, &RpcError::invalid_request("no method")));
        };
        let result = match handler(method) {
            Some(handler) => {
                let params = request.get("params").cloned().unwrap_or_default();
                Params::new(params).and_then(|params| handler(&Context { chain: self }, params))
            }
            None => Err(RpcError::method_not_found(method)),
        };
        id.map(|id| match result {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err(error) => failure(&id, &error),
        })
    }
}

/// Returns the response that reports an error.
#[must_use]
pub fn failure(id: &Value, error: &RpcError) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}
