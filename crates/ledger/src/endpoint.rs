//! JSON-RPC over HTTP: timeouts, bounded answers, and the only place where requests are repeated.
//!
//! Every request that this crate makes may be sent twice without harm (a signed transaction has one
//! hash however often it is sent), so that repeating needs no knowledge of the method.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alloy_primitives::Bytes;
use gridtally_core::explanations;
use reqwest::{StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use tracing::{debug, warn};

/// Longest message of an endpoint that is kept, in characters.
const MESSAGE_LENGTH_MAX: usize = 300;

/// How patient and how trusting requests are.
#[derive(Debug, Clone)]
pub struct EndpointOptions {
    /// Longest time to establish a connection.
    pub connect_timeout: Duration,
    /// Longest time for one attempt, from connecting to the last byte of the answer.
    pub request_timeout: Duration,
    /// How often a request is tried before it fails, at least 1.
    pub attempts: u32,
    /// Pause before the second attempt; doubles with each further one.
    pub pause_first: Duration,
    /// Longest pause between attempts.
    pub pause_max: Duration,
    /// Largest answer that is read, in bytes.
    pub answer_bytes_max: usize,
}

impl Default for EndpointOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            attempts: 5,
            pause_first: Duration::from_millis(200),
            pause_max: Duration::from_secs(5),
            answer_bytes_max: 64 << 20,
        }
    }
}

/// Why a request has no result, in order of precedence.
///
/// `endpoint` is scheme, host and port: paths and user names often hold access keys.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address is not an `http` or `https` URL.
    #[error("not an http or https address: {reason}")]
    AddressInvalid {
        /// What is wrong with it.
        reason: String,
    },
    /// No attempt reached the endpoint, or every connection broke.
    #[error("{endpoint} is unreachable ({method}, {attempts} attempts)")]
    Unreachable {
        /// Where the request went.
        endpoint: String,
        /// What was asked.
        method: &'static str,
        /// How often it was tried.
        attempts: u32,
        /// What the last attempt ended with.
        #[source]
        source: reqwest::Error,
    },
    /// The last attempt got no answer in time.
    #[error("{endpoint} did not answer {method} within {timeout_ms} ms ({attempts} attempts)")]
    Timeout {
        /// Where the request went.
        endpoint: String,
        /// What was asked.
        method: &'static str,
        /// How often it was tried.
        attempts: u32,
        /// Longest time for one attempt.
        timeout_ms: u128,
    },
    /// The HTTP status is not success, after repeating where the status asks for it.
    #[error("{endpoint} answered {method} with HTTP status {status} ({attempts} attempts)")]
    Status {
        /// Where the request went.
        endpoint: String,
        /// What was asked.
        method: &'static str,
        /// The HTTP status.
        status: u16,
        /// How often it was tried.
        attempts: u32,
    },
    /// The answer is larger than allowed.
    #[error("{endpoint} answered {method} with more than {limit} bytes")]
    AnswerTooLarge {
        /// Where the request went.
        endpoint: String,
        /// What was asked.
        method: &'static str,
        /// Largest answer that is read, in bytes.
        limit: usize,
    },
    /// The answer is not JSON-RPC, has another id, or its result is not of the expected form.
    #[error("{endpoint} gave no valid answer to {method}: {reason}")]
    AnswerInvalid {
        /// Where the request went.
        endpoint: String,
        /// What was asked.
        method: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The endpoint understood and answered with a JSON-RPC error.
    #[error("{endpoint} refused {method}: {failure}")]
    Refused {
        /// Where the request went.
        endpoint: String,
        /// What was asked.
        method: &'static str,
        /// The endpoint's reason.
        failure: Box<RpcFailure>,
    },
}

explanations! {
    EndpointError {
        AddressInvalid: "endpoint-address-invalid" "the address of the endpoint is not an http or https URL"
            "write it as http://127.0.0.1:8545";
        Unreachable: "endpoint-unreachable" "nobody answers at the endpoint, or every connection broke"
            "start the chain there, or name another endpoint with --endpoint";
        Timeout: "endpoint-timeout" "the endpoint did not answer in time"
            "try again, or raise chain.request_timeout_ms";
        Status: "endpoint-status" "the endpoint answered with an HTTP status that is not success"
            "check the address and its access key; 429 asks for fewer requests";
        AnswerTooLarge: "endpoint-answer-too-large" "the endpoint's answer exceeds the limit"
            "ask another endpoint";
        AnswerInvalid: "endpoint-answer-invalid" "the endpoint's answer is not JSON-RPC, or not of the expected form"
            "make sure that an Ethereum JSON-RPC endpoint listens there";
        Refused: "endpoint-refused" "the endpoint understood the request and refuses it"
            "do as its own words say; its provider documents its limits";
    }
}

/// A JSON-RPC error object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcFailure {
    /// Error code, -32000 for most failures of execution.
    pub code: i64,
    /// What the endpoint says, cut to 300 characters.
    pub message: String,
    /// Revert data of a failed call, where the endpoint gives them.
    pub data: Option<Bytes>,
}

impl std::error::Error for RpcFailure {}

impl fmt::Display for RpcFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.message, self.code)
    }
}

impl EndpointError {
    /// Returns the JSON-RPC error, if that is what happened.
    #[must_use]
    pub fn refusal(&self) -> Option<&RpcFailure> {
        match self {
            Self::Refused { failure, .. } => Some(failure),
            _ => None,
        }
    }
}

/// One Ethereum JSON-RPC endpoint.
///
/// ```no_run
/// # async fn example() -> Result<(), gridtally_ledger::EndpointError> {
/// use gridtally_ledger::{Endpoint, EndpointOptions};
///
/// let endpoint = Endpoint::new("http://127.0.0.1:8545", EndpointOptions::default())?;
/// let chain_id: alloy_primitives::U64 = endpoint.request("eth_chainId", ()).await?;
/// # Ok(())
/// # }
/// ```
pub struct Endpoint {
    http: reqwest::Client,
    url: Url,
    shown: String,
    options: EndpointOptions,
    id_next: AtomicU64,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("endpoint", &self.shown).finish_non_exhaustive()
    }
}

/// What is asked, as often as it takes.
enum Asked {
    Rpc { id: u64, body: Vec<u8> },
    Document(Url),
}

/// How one attempt ended without a result.
enum Attempt {
    Repeat(EndpointError),
    Final(EndpointError),
}

impl Endpoint {
    /// Returns an endpoint at an `http` or `https` address. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// Returns [`EndpointError::AddressInvalid`] for anything else.
    pub fn new(address: &str, options: EndpointOptions) -> Result<Self, EndpointError> {
        let invalid = |reason: String| EndpointError::AddressInvalid { reason };
        let url = Url::parse(address).map_err(|error| invalid(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid(format!("the scheme is {}", url.scheme())));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let shown = match url.port() {
            Some(port) => format!("{}://{host}:{port}", url.scheme()),
            None => format!("{}://{host}", url.scheme()),
        };
        let mut builder = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            .timeout(options.request_timeout)
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&host) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| invalid(error.without_url().to_string()))?;
        Ok(Self { http, url, shown, options, id_next: AtomicU64::new(1) })
    }

    /// Returns scheme, host and port, which hold no access key.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Sends one request and returns its result.
    ///
    /// Broken connections, timeouts and the HTTP statuses 429, 502, 503 and 504 are repeated with
    /// doubling pauses. `null` is a result like any other: ask for an `Option` where it can come.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`] of the last attempt.
    ///
    /// # Panics
    ///
    /// If `params` cannot be written as JSON, which is a mistake of the caller.
    pub async fn request<R: DeserializeOwned>(
        &self,
        method: &'static str,
        params: impl Serialize,
    ) -> Result<R, EndpointError> {
        let id = self.id_next.fetch_add(1, Ordering::Relaxed);
        let body = serde_json::to_vec(&Request { jsonrpc: "2.0", id, method, params })
            .expect("requests are plain data");
        self.patiently(method, Asked::Rpc { id, body }).await
    }

    /// Gets a document below the address, repeating as [`request`](Self::request) does. `method` is what errors call it.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`] of the last attempt, [`EndpointError::Status`] for a document that does not exist.
    pub(crate) async fn get<R: DeserializeOwned>(
        &self,
        method: &'static str,
        route: &str,
        query: &[(&str, String)],
    ) -> Result<R, EndpointError> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{route}", self.url.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.patiently(method, Asked::Document(url)).await
    }

    /// Tries until there is a result, or a failure that repeating does not help.
    async fn patiently<R: DeserializeOwned>(
        &self,
        method: &'static str,
        asked: Asked,
    ) -> Result<R, EndpointError> {
        let mut pause = self.options.pause_first;
        let mut attempt = 1;
        loop {
            let tried = match &asked {
                Asked::Rpc { id, body } => self.attempt(method, *id, body.clone(), attempt).await,
                Asked::Document(url) => self.get_once(method, url.clone(), attempt).await,
            };
            let error = match tried {
                Ok(result) => return Ok(result),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Repeat(error)) => error,
            };
            if attempt >= self.options.attempts {
                return Err(error);
            }
            if attempt == 1 {
                debug!(method, %error, "request repeated");
            } else {
                warn!(method, attempt, %error, "request repeated");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.options.pause_max);
            attempt += 1;
        }
    }

    async fn get_once<R: DeserializeOwned>(
        &self,
        method: &'static str,
        url: Url,
        attempts: u32,
    ) -> Result<R, Attempt> {
        let failed = |error: reqwest::Error| Attempt::Repeat(self.failed(method, attempts, error));
        let request = self.http.get(url).header("accept", "application/json");
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let answer = self.read(method, &mut response, failed).await?;
        if !status.is_success() {
            return Err(self.status(method, status, attempts));
        }
        serde_json::from_slice(&answer).map_err(|error| {
            Attempt::Final(EndpointError::AnswerInvalid {
                endpoint: self.shown.clone(),
                method,
                reason: shortened(&error.to_string()),
            })
        })
    }

    fn status(&self, method: &'static str, status: StatusCode, attempts: u32) -> Attempt {
        let endpoint = self.shown.clone();
        let error = EndpointError::Status { endpoint, method, status: status.as_u16(), attempts };
        if is_passing(status) { Attempt::Repeat(error) } else { Attempt::Final(error) }
    }

    async fn attempt<R: DeserializeOwned>(
        &self,
        method: &'static str,
        id: u64,
        body: Vec<u8>,
        attempts: u32,
    ) -> Result<R, Attempt> {
        let failed = |error: reqwest::Error| Attempt::Repeat(self.failed(method, attempts, error));
        let mut response = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .map_err(failed)?;
        let status = response.status();
        let answer = self.read(method, &mut response, failed).await?;
        if !status.is_success() {
            // Some endpoints give a JSON-RPC error with a status of its own: the error says more.
            if let Err(error @ EndpointError::Refused { .. }) =
                self.result::<R>(method, id, &answer)
            {
                return Err(Attempt::Final(error));
            }
            return Err(self.status(method, status, attempts));
        }
        self.result(method, id, &answer).map_err(Attempt::Final)
    }

    async fn read(
        &self,
        method: &'static str,
        response: &mut reqwest::Response,
        failed: impl Fn(reqwest::Error) -> Attempt,
    ) -> Result<Vec<u8>, Attempt> {
        let limit = self.options.answer_bytes_max;
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(&failed)? {
            if answer.len() + chunk.len() > limit {
                return Err(Attempt::Final(EndpointError::AnswerTooLarge {
                    endpoint: self.shown.clone(),
                    method,
                    limit,
                }));
            }
            answer.extend_from_slice(&chunk);
        }
        Ok(answer)
    }

    fn result<R: DeserializeOwned>(
        &self,
        method: &'static str,
        id: u64,
        answer: &[u8],
    ) -> Result<R, EndpointError> {
        let invalid = |reason: String| EndpointError::AnswerInvalid {
            endpoint: self.shown.clone(),
            method,
            reason: shortened(&reason),
        };
        let answer: Answer = serde_json::from_slice(answer)
            .map_err(|error| invalid(format!("not JSON-RPC ({error})")))?;
        if let Some(failure) = answer.error {
            // An endpoint that could not read the request does not know its id.
            if answer.id.is_some_and(|found| found != id) {
                return Err(invalid(format!("the answer to another request than {id}")));
            }
            let failure = Box::new(RpcFailure {
                code: failure.code,
                message: shortened(&failure.message),
                data: failure.data.as_ref().and_then(revert_data),
            });
            return Err(EndpointError::Refused { endpoint: self.shown.clone(), method, failure });
        }
        if answer.id != Some(id) {
            return Err(invalid(format!("the answer to another request than {id}")));
        }
        let result = answer.result.ok_or_else(|| invalid("neither result nor error".into()))?;
        serde_json::from_str(result.get())
            .map_err(|error| invalid(format!("result of another form ({error})")))
    }

    fn failed(&self, method: &'static str, attempts: u32, error: reqwest::Error) -> EndpointError {
        let endpoint = self.shown.clone();
        if error.is_timeout() {
            let timeout_ms = self.options.request_timeout.as_millis();
            return EndpointError::Timeout { endpoint, method, attempts, timeout_ms };
        }
        EndpointError::Unreachable { endpoint, method, attempts, source: error.without_url() }
    }
}

#[derive(Serialize)]
struct Request<P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'static str,
    params: P,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Option<serde_json::Value>,
}

/// Keeps `null` apart from a missing member.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// Returns revert data in the forms in which endpoints give them: text, text with a prefix, object.
fn revert_data(data: &serde_json::Value) -> Option<Bytes> {
    let text = match data {
        serde_json::Value::String(text) => text,
        serde_json::Value::Object(members) => members.get("data")?.as_str()?,
        _ => return None,
    };
    text.strip_prefix("Reverted ").unwrap_or(text).parse().ok()
}

fn shortened(message: &str) -> String {
    // Some endpoints announce a reason and then give none.
    let message = message.trim_end_matches([' ', ':']);
    message.chars().filter(|character| !character.is_control()).take(MESSAGE_LENGTH_MAX).collect()
}

fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// A proxy from the environment is not meant for this machine itself.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str, expected: &str) {
        let endpoint =
            Endpoint::new("http://user:secret@127.0.0.1:1/key", EndpointOptions::default())
                .expect("a valid address");
        let text = match endpoint.result::<Option<u64>>("m", 7, answer.as_bytes()) {
            Ok(result) => format!("{result:?}"),
            Err(error) => error.to_string(),
        };
        assert!(!text.contains("secret") && !text.contains("key"), "{text}");
        assert!(text.starts_with(expected), "{answer}: {text}");
    }

    #[test]
    fn answers_are_read_strictly() {
        check(r#"{"jsonrpc":"2.0","id":7,"result":5}"#, "Some(5)");
        check(r#"{"jsonrpc":"2.0","id":7,"result":null}"#, "None");
        let invalid =
            |reason: &str| format!("http://127.0.0.1:1 gave no valid answer to m: {reason}");
        check(r#"{"jsonrpc":"2.0","id":8,"result":5}"#, &invalid("the answer to another request"));
        check(r#"{"jsonrpc":"2.0","id":"7","result":5}"#, &invalid("not JSON-RPC"));
        check(r#"{"jsonrpc":"2.0","id":7}"#, &invalid("neither result nor error"));
        check(r#"{"jsonrpc":"2.0","id":7,"result":"x"}"#, &invalid("result of another form"));
        check("<html>", &invalid("not JSON-RPC"));
        check("", &invalid("not JSON-RPC"));
        check(&"[".repeat(100_000), &invalid("not JSON-RPC"));
        check(
            r#"{"id":7,"error":{"code":3,"message":"execution reverted","data":"0x01"}}"#,
            "http://127.0.0.1:1 refused m: execution reverted (code 3)",
        );
    }

    #[test]
    fn revert_data_come_in_three_forms() {
        let of = |text: &str| revert_data(&serde_json::from_str(text).expect("JSON"));
        let expected = Some(Bytes::from_static(&[0xab]));
        assert_eq!(of(r#""0xab""#), expected);
        assert_eq!(of(r#""Reverted 0xab""#), expected);
        assert_eq!(of(r#"{"data":"0xab"}"#), expected);
        assert_eq!(of(r#""none""#), None);
        assert_eq!(of("[1]"), None);
    }

    #[test]
    fn only_http_addresses_are_accepted() {
        for address in ["", "127.0.0.1:8545", "ws://127.0.0.1", "file:///etc/passwd"] {
            let error = Endpoint::new(address, EndpointOptions::default()).expect_err(address);
            assert!(matches!(error, EndpointError::AddressInvalid { .. }), "{error}");
        }
    }
}
