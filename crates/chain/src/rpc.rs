//! JSON-RPC: a table of methods over a chain, independent of how requests arrive.
//!
//! One file per family of methods. A family is a function from a method name to its handler; adding a method is
//! adding a line there.
//!
//! Everything that a client sends is bounded: the bytes of a request and the values in it, the requests in a batch,
//! the bytes of a response, the filters and subscriptions that are kept, the blocks that one request seals, the gas
//! that a message uses and the steps that a trace lists. Whoever asks for more gets an error that names the bound.

pub(crate) mod convert;
pub mod error;
pub(crate) mod filters;
mod json;
pub(crate) mod memory;
pub mod params;
pub(crate) mod subscribe;

mod accounts;
mod blocks;
mod constants;
mod debug;
mod execute;
mod fees;
mod logs;
mod overrides;
mod patches;
mod resolve;
mod send;
mod simulate;
mod state;
mod time;
mod traces;
mod txpool;

use std::sync::Mutex;

use serde::Serialize;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use self::subscribe::Subscriptions;
pub use self::{error::RpcError, json::VALUES_MAX, params::Params};
use crate::chain::Chain;

/// Requests in one batch at most.
pub const BATCH_MAX: usize = 1_000;
/// Bytes of the responses to one batch at most; what does not fit is answered with an error.
pub const BATCH_RESPONSE_BYTES_MAX: usize = 64 << 20;

/// Bytes of the id of a request at most: every answer repeats it.
pub const ID_BYTES_MAX: usize = 1_024;

/// What answers one method.
pub(crate) type Handler = fn(&Context<'_>, Params) -> Result<Value, RpcError>;

/// What answers one method whose results can be so large that they are written as text at once.
pub(crate) type TextHandler = fn(&Context<'_>, Params) -> Result<Box<RawValue>, RpcError>;

/// What a handler works with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The chain.
    pub(crate) chain: &'a Chain,
    /// The subscriptions of the client, when it can be told things without asking.
    pub(crate) subscriptions: Option<&'a Mutex<Subscriptions>>,
}

enum AnyHandler {
    Value(Handler),
    Text(TextHandler),
}

/// Returns the handler of a method.
fn handler(method: &str) -> Option<AnyHandler> {
    let value = constants::handler(method)
        .or_else(|| state::handler(method))
        .or_else(|| blocks::handler(method))
        .or_else(|| fees::handler(method))
        .or_else(|| execute::handler(method))
        .or_else(|| send::handler(method))
        .or_else(|| accounts::handler(method))
        .or_else(|| time::handler(method))
        .or_else(|| patches::handler(method))
        .or_else(|| subscribe::handler(method))
        .or_else(|| txpool::handler(method))
        .or_else(|| debug::handler(method));
    let text = || {
        logs::handler(method)
            .or_else(|| filters::handler(method))
            .or_else(|| traces::handler(method))
            .or_else(|| simulate::handler(method))
    };
    value.map(AnyHandler::Value).or_else(|| text().map(AnyHandler::Text))
}

impl Chain {
    /// Answers a JSON-RPC request or batch in its text form. Returns nothing when no answer is due.
    #[must_use]
    pub fn dispatch_text(&self, text: &[u8]) -> Option<Vec<u8>> {
        Context { chain: self, subscriptions: None }.dispatch_text(text)
    }

    /// Answers a JSON-RPC request or batch. Returns nothing when no answer is due: to a request without id.
    #[must_use]
    pub fn dispatch(&self, request: Value) -> Option<Value> {
        let response = Context { chain: self, subscriptions: None }.dispatch(request)?;
        Some(serde_json::from_slice(&response).unwrap_or_default())
    }
}

impl Context<'_> {
    /// Answers a request or batch in its text form. Returns nothing when no answer is due.
    pub(crate) fn dispatch_text(&self, text: &[u8]) -> Option<Vec<u8>> {
        match json::parse(text) {
            Ok(request) => self.dispatch(request),
            Err(error) => Some(failure(&Value::Null, &RpcError::parse(&error))),
        }
    }

    fn dispatch(&self, request: Value) -> Option<Vec<u8>> {
        let refuse = |reason: &str| Some(failure(&Value::Null, &RpcError::invalid_request(reason)));
        match request {
            Value::Array(requests) if requests.is_empty() => refuse("empty batch"),
            Value::Array(requests) if requests.len() > BATCH_MAX => {
                refuse(&format!("{} requests in a batch, at most {BATCH_MAX}", requests.len()))
            }
            Value::Array(requests) => self.dispatch_batch(requests),
            request => self.dispatch_one(request),
        }
    }

    fn dispatch_batch(&self, requests: Vec<Value>) -> Option<Vec<u8>> {
        let mut responses = Vec::new();
        for request in requests {
            let id = request.get("id").cloned();
            let mut response = if responses.len() < BATCH_RESPONSE_BYTES_MAX {
                self.dispatch_one(request)
            } else {
                id.as_ref().map(|id| failure(id, &RpcError::response_too_large()))
            };
            if let (Some(id), Some(found)) = (&id, &response)
                && responses.len() + found.len() > BATCH_RESPONSE_BYTES_MAX
            {
                response = Some(failure(id, &RpcError::response_too_large()));
            }
            if let Some(response) = response {
                responses.push(if responses.is_empty() { b'[' } else { b',' });
                responses.extend(response);
            }
        }
        if responses.is_empty() {
            return None;
        }
        responses.push(b']');
        Some(responses)
    }

    fn dispatch_one(&self, request: Value) -> Option<Vec<u8>> {
        let Value::Object(mut request) = request else {
            return Some(failure(&Value::Null, &RpcError::invalid_request("not an object")));
        };
        let id = request.remove("id");
        let answered = id.clone().unwrap_or_default();
        if !matches!(answered, Value::Null | Value::Number(_) | Value::String(_)) {
            let error = RpcError::invalid_request("id is neither number, string nor null");
            return Some(failure(&Value::Null, &error));
        }
        if answered.as_str().is_some_and(|id| id.len() > ID_BYTES_MAX) {
            let reason = format!("id is longer than {ID_BYTES_MAX} bytes");
            return Some(failure(&Value::Null, &RpcError::invalid_request(&reason)));
        }
        let Some(Value::String(method)) = request.remove("method") else {
            return Some(failure(&answered, &RpcError::invalid_request("no method")));
        };
        let result = self.answer(&method, request.remove("params").unwrap_or_default());
        id.map(|id| match result {
            Ok(result) => success(&id, &result),
            Err(error) => failure(&id, &error),
        })
    }

    fn answer(&self, method: &str, params: Value) -> Result<Box<RawValue>, RpcError> {
        let handler = handler(method).ok_or_else(|| RpcError::method_not_found(method))?;
        let params = Params::new(params)?;
        match handler {
            AnyHandler::Value(handler) => text(&handler(self, params)?),
            AnyHandler::Text(handler) => handler(self, params),
        }
    }
}

/// Returns a result as text.
pub(crate) fn text<T: Serialize + ?Sized>(result: &T) -> Result<Box<RawValue>, RpcError> {
    to_raw_value(result).map_err(RpcError::internal)
}

#[derive(Serialize)]
struct Response<'a> {
    jsonrpc: &'static str,
    id: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RpcError>,
}

fn success(id: &Value, result: &RawValue) -> Vec<u8> {
    respond(&Response { jsonrpc: "2.0", id, result: Some(result), error: None })
}

/// Returns the response that reports an error.
pub(crate) fn failure(id: &Value, error: &RpcError) -> Vec<u8> {
    respond(&Response { jsonrpc: "2.0", id, result: None, error: Some(error) })
}

fn respond(response: &Response<'_>) -> Vec<u8> {
    serde_json::to_vec(response).expect("values, text and errors can be written as JSON")
}
