//! A bucket of S3-compatible object storage as the place of an archive.
//!
//! ```text
//! keep:  GET -- there: compare
//!            \- not:   PUT, If-None-Match: * -- 412: compare     (somebody else was faster)
//!                                           \- done: GET, compare
//! ```
//!
//! Every object has a name that says what is in it, and nobody is believed: what was written is read back. Where a store
//! knows no conditional writes, the first GET alone guards what is there. Requests are signed in their address (Signature
//! Version 4, the payload unsigned), so no error shows one.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use gridtally_core::explanations;
use reqwest::{StatusCode, Url};
use rusty_s3::actions::{GetObject, ListObjectsV2, PutObject, S3Action};
use rusty_s3::{Bucket, Credentials, UrlStyle};
use tracing::{debug, warn};

use crate::archive::BatchArchiveError;
use crate::endpoint::{EndpointOptions, is_loopback};

/// How long a signed address is valid: the clocks of both sides may differ by some minutes anyway.
const SIGNED_FOR: Duration = Duration::from_mins(5);
/// Longest list of names and longest error that are read, in bytes.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Longest error code that is shown.
const CODE_LENGTH_MAX: usize = 64;

/// Where a bucket is, and how it is asked.
#[derive(Clone)]
pub struct BucketOptions {
    /// Address of the object storage, `https`; without, that of AWS in the region.
    pub endpoint: Option<String>,
    /// Region that requests are signed for, `us-east-1` where a store has none.
    pub region: String,
    /// Access key and secret; without, requests are not signed.
    pub credentials: Option<BucketCredentials>,
    /// Lets an `http` endpoint be another machine. What is archived is public, but whoever listens on the way can answer in the
    /// store's place, and use a signed address for some minutes.
    pub is_plain_http_allowed: bool,
    /// Timeouts and repetitions.
    pub patience: EndpointOptions,
}

impl fmt::Debug for BucketOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketOptions").field("region", &self.region).finish_non_exhaustive()
    }
}

/// Who asks. `Debug` shows none of it.
#[derive(Clone)]
pub struct BucketCredentials {
    /// The access key.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// The token of temporary credentials.
    pub session_token: Option<String>,
}

impl fmt::Debug for BucketCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BucketCredentials(***)")
    }
}

/// Bucket and folder in it, `s3://bucket/folder`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketAddress {
    bucket: String,
    /// Empty, or with a slash at its end.
    folder: String,
}

impl FromStr for BucketAddress {
    type Err = BucketError;

    fn from_str(text: &str) -> Result<Self, BucketError> {
        let invalid = |reason: &str| BucketError::AddressInvalid { reason: reason.to_owned() };
        let rest = text.strip_prefix("s3://").ok_or_else(|| invalid("it begins with s3://"))?;
        let (bucket, folder) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || "-.".contains(character)
        };
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(is_plain) {
            return Err(invalid(
                "a bucket has 3 to 63 lower-case letters, digits, dots and hyphens",
            ));
        }
        let folder = folder.trim_matches('/');
        let is_name =
            |character: char| character.is_ascii_alphanumeric() || "-._/".contains(character);
        let is_step = |part: &str| matches!(part, "" | "." | "..");
        if folder.len() > 512
            || !folder.chars().all(is_name)
            || (!folder.is_empty() && folder.split('/').any(is_step))
        {
            return Err(invalid(
                "a folder has at most 512 letters, digits, dots, hyphens, underscores and slashes",
            ));
        }
        let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Ok(Self { bucket: bucket.to_owned(), folder })
    }
}

/// Why a bucket cannot be used, in order of precedence. `place` is bucket and object.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The address of bucket or storage is not one.
    #[error("no address of object storage: {reason}")]
    AddressInvalid {
        /// What is wrong with it.
        reason: String,
    },
    /// The storage is another machine, and is asked without encryption.
    #[error("{endpoint} is another machine, and is not https")]
    PlainHttp {
        /// Scheme, host and port.
        endpoint: String,
    },
    /// Nobody answers, or every connection broke.
    #[error("{place} is unreachable ({attempts} attempts)")]
    Unreachable {
        /// What was asked for.
        place: String,
        /// How often it was tried.
        attempts: u32,
        /// What the last attempt ended with.
        #[source]
        source: reqwest::Error,
    },
    /// The last attempt got no answer in time.
    #[error("{place}: no answer within {timeout_ms} ms ({attempts} attempts)")]
    Timeout {
        /// What was asked for.
        place: String,
        /// How often it was tried.
        attempts: u32,
        /// Longest time for one attempt.
        timeout_ms: u128,
    },
    /// The storage does not let this key do this.
    #[error("{place}: refused, {code}")]
    Denied {
        /// What was asked for.
        place: String,
        /// The storage's own word.
        code: String,
    },
    /// There is no such bucket.
    #[error("{place}: there is no such bucket")]
    BucketMissing {
        /// What was asked for.
        place: String,
    },
    /// The storage answered something else than success.
    #[error("{place}: HTTP status {status}, {code} ({attempts} attempts)")]
    Status {
        /// What was asked for.
        place: String,
        /// The HTTP status.
        status: u16,
        /// The storage's own word.
        code: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The answer is not of the form that the protocol says.
    #[error("{place}: no valid answer: {reason}")]
    AnswerInvalid {
        /// What was asked for.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

explanations! {
    BucketError {
        AddressInvalid: "bucket-address-invalid" "the address of the archive is no bucket, or that of its storage no http or https URL"
            "write s3://bucket/folder, and the storage as https://host";
        PlainHttp: "bucket-plain-http" "object storage on another machine would be asked without encryption"
            "name an https endpoint, or allow it with archive.allow_http";
        Unreachable: "bucket-unreachable" "nobody answers for the object storage, or every connection broke"
            "check archive.endpoint and the network, then do the same again";
        Timeout: "bucket-timeout" "the object storage did not answer in time"
            "do the same again: what is archived already stays";
        Denied: "bucket-denied" "the object storage refuses the key, or what it wants to do; a wrong clock does that too"
            "check the keys and the clock; the key must be allowed to get, put and list objects";
        BucketMissing: "bucket-missing" "there is no such bucket"
            "create it, or correct the address";
        Status: "bucket-status" "the object storage answered with an HTTP status that is not success"
            "read its own word; 301 means another region";
        AnswerInvalid: "bucket-answer-invalid" "the answer is not that of S3-compatible object storage"
            "make sure that archive.endpoint is one";
    }
}

/// A folder in a bucket.
#[derive(Debug)]
pub struct ArchiveBucket {
    http: reqwest::Client,
    bucket: Bucket,
    credentials: Option<Credentials>,
    folder: String,
    patience: EndpointOptions,
}

/// How one attempt ended without a result.
enum Attempt {
    Repeat(BucketError),
    Final(BucketError),
}

/// What a store answered.
struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

/// What is asked.
enum Asked<'a> {
    Get,
    Put { bytes: &'a [u8], is_conditional: bool },
    List { count_max: usize },
}

impl ArchiveBucket {
    /// Returns a folder in a bucket. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// Returns [`BucketError::AddressInvalid`] or [`BucketError::PlainHttp`].
    pub fn new(address: &BucketAddress, options: BucketOptions) -> Result<Self, BucketError> {
        let invalid = |reason: String| BucketError::AddressInvalid { reason };
        let is_own = options.endpoint.is_some();
        let endpoint = options
            .endpoint
            .unwrap_or_else(|| format!("https://s3.{}.amazonaws.com", options.region));
        let url = Url::parse(&endpoint).map_err(|error| invalid(error.to_string()))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        if url.scheme() == "http" && !is_loopback(&host) && !options.is_plain_http_allowed {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            return Err(BucketError::PlainHttp { endpoint: format!("http://{host}{port}") });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("keys stand in variables, not in the address".to_owned()));
        }
        // A dot in the name of a bucket is none of the storage's certificate.
        let is_in_path = is_own || address.bucket.contains('.');
        let style = if is_in_path { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket = Bucket::new(url, style, address.bucket.clone(), options.region);
        let bucket = bucket.map_err(|error| invalid(error.to_string()))?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(options.patience.connect_timeout)
            .timeout(options.patience.request_timeout)
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&host) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| invalid(error.without_url().to_string()))?;
        let credentials = options.credentials.map(|held| match held.session_token {
            Some(token) => Credentials::new_with_token(held.access_key, held.secret_key, token),
            None => Credentials::new(held.access_key, held.secret_key),
        });
        let (folder, patience) = (address.folder.clone(), options.patience);
        Ok(Self { http, bucket, credentials, folder, patience })
    }

    /// Returns what errors call an object.
    pub(crate) fn shown(&self, name: &str) -> String {
        format!("s3://{}/{}{name}", self.bucket.name(), self.folder)
    }

    pub(crate) async fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), BatchArchiveError> {
        if self.is_there(name, bytes).await? {
            return Ok(());
        }
        let put = |is_conditional| self.ask(name, Asked::Put { bytes, is_conditional }, 0);
        let mut answer = put(true).await?;
        if answer.status == StatusCode::NOT_IMPLEMENTED {
            debug!(name, "no conditional writes here");
            answer = put(false).await?;
        }
        // 412: somebody else was faster, or an attempt that seemed to fail had been carried out.
        if answer.status != StatusCode::PRECONDITION_FAILED && !answer.status.is_success() {
            return Err(self.refusal(name, &answer, self.patience.attempts).into());
        }
        if self.is_there(name, bytes).await? {
            return Ok(());
        }
        let reason = "an object that was written is not there".to_owned();
        Err(BucketError::AnswerInvalid { place: self.shown(name), reason }.into())
    }

    /// Whether the object is there; then it must be this.
    async fn is_there(&self, name: &str, bytes: &[u8]) -> Result<bool, BatchArchiveError> {
        match self.read(name, bytes.len()).await? {
            Some(found) if found == bytes => Ok(true),
            Some(_) => Err(BatchArchiveError::Differs { place: self.shown(name) }),
            None => Ok(false),
        }
    }

    /// Returns the bytes of an object, more than `length_max` only to show that there are too many, or `None` where it does not
    /// exist.
    pub(crate) async fn read(
        &self,
        name: &str,
        length_max: usize,
    ) -> Result<Option<Vec<u8>>, BatchArchiveError> {
        let answer = self.ask(name, Asked::Get, length_max).await?;
        if answer.status.is_success() {
            return Ok(Some(answer.body));
        }
        match answer.code().as_str() {
            "NoSuchKey" => Ok(None),
            // Stores in the image of S3 leave the word out.
            "" if answer.status == StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refusal(name, &answer, self.patience.attempts).into()),
        }
    }

    /// Returns names of objects that begin so, in order, at most `count_max`.
    pub(crate) async fn names(
        &self,
        prefix: &str,
        count_max: usize,
    ) -> Result<Vec<String>, BucketError> {
        let answer = self.ask(prefix, Asked::List { count_max }, DOCUMENT_BYTES_MAX).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(prefix, &answer, self.patience.attempts));
        }
        let invalid = |reason: &str| BucketError::AnswerInvalid {
            place: self.shown(prefix),
            reason: reason.to_owned(),
        };
        let text = std::str::from_utf8(&answer.body).map_err(|_| invalid("no text"))?;
        let listed = ListObjectsV2::parse_response(text);
        let listed = listed.map_err(|_| invalid("no list of objects"))?;
        let mut names = Vec::new();
        for object in listed.contents.into_iter().take(count_max) {
            let name = object.key.strip_prefix(&self.folder).map(str::to_owned);
            let name = name.filter(|name| name.starts_with(prefix));
            names.push(name.ok_or_else(|| invalid("a name that was not asked for"))?);
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Asks until there is an answer that repeating does not change.
    async fn ask(
        &self,
        name: &str,
        asked: Asked<'_>,
        body_max: usize,
    ) -> Result<Answer, BucketError> {
        let mut pause = self.patience.pause_first;
        let mut attempt = 1;
        loop {
            let error = match self.attempt(name, &asked, body_max, attempt).await {
                Ok(answer) => return Ok(answer),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Repeat(error)) => error,
            };
            if attempt >= self.patience.attempts {
                return Err(error);
            }
            warn!(attempt, %error, "request repeated");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.patience.pause_max);
            attempt += 1;
        }
    }

    async fn attempt(
        &self,
        name: &str,
        asked: &Asked<'_>,
        body_max: usize,
        attempts: u32,
    ) -> Result<Answer, Attempt> {
        let object = format!("{}{name}", self.folder);
        let credentials = self.credentials.as_ref();
        let request = match *asked {
            Asked::Get => {
                let action = GetObject::new(&self.bucket, credentials, &object);
                self.http.get(action.sign(SIGNED_FOR))
            }
            Asked::Put { bytes, is_conditional } => {
                let mut action = PutObject::new(&self.bucket, credentials, &object);
                if is_conditional {
                    action.headers_mut().insert("if-none-match", "*");
                }
                let request = self.http.put(action.sign(SIGNED_FOR)).body(bytes.to_vec());
                if is_conditional { request.header("if-none-match", "*") } else { request }
            }
            Asked::List { count_max } => {
                let mut action = ListObjectsV2::new(&self.bucket, credentials);
                action.with_prefix(object.as_str());
                action.with_max_keys(count_max);
                self.http.get(action.sign(SIGNED_FOR))
            }
        };
        let failed = |error: reqwest::Error| Attempt::Repeat(self.failed(name, attempts, error));
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let is_wanted = status.is_success() && body_max > 0;
        let limit = if is_wanted { body_max } else { DOCUMENT_BYTES_MAX };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            // One byte more shows that it is too long; nobody needs the rest.
            let room = (limit + 1).saturating_sub(body.len());
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() > limit {
                break;
            }
        }
        let answer = Answer { status, body };
        if is_passing(status) {
            return Err(Attempt::Repeat(self.refusal(name, &answer, attempts)));
        }
        if status == StatusCode::FORBIDDEN || status == StatusCode::UNAUTHORIZED {
            return Err(Attempt::Final(self.refusal(name, &answer, attempts)));
        }
        Ok(answer)
    }

    fn refusal(&self, name: &str, answer: &Answer, attempts: u32) -> BucketError {
        let (place, code) = (self.shown(name), answer.code());
        match answer.status {
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => BucketError::Denied { place, code },
            _ if code == "NoSuchBucket" => BucketError::BucketMissing { place },
            status => BucketError::Status { place, status: status.as_u16(), code, attempts },
        }
    }

    fn failed(&self, name: &str, attempts: u32, error: reqwest::Error) -> BucketError {
        let place = self.shown(name);
        if error.is_timeout() {
            let timeout_ms = self.patience.request_timeout.as_millis();
            return BucketError::Timeout { place, attempts, timeout_ms };
        }
        BucketError::Unreachable { place, attempts, source: error.without_url() }
    }
}

impl Answer {
    /// Returns the word for what went wrong, or nothing where there is none.
    fn code(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        let letters = code.map_or("", |(code, _)| code).chars();
        letters.filter(char::is_ascii_alphanumeric).take(CODE_LENGTH_MAX).collect()
    }
}

/// 409 is a conditional write that met another one.
fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::CONFLICT
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(endpoint: Option<&str>) -> BucketOptions {
        BucketOptions {
            endpoint: endpoint.map(str::to_owned),
            region: "us-east-1".to_owned(),
            credentials: Some(BucketCredentials {
                access_key: "AKIDEXAMPLE".to_owned(),
                secret_key: "secret-of-the-key".to_owned(),
                session_token: Some("token".to_owned()),
            }),
            is_plain_http_allowed: false,
            patience: EndpointOptions::default(),
        }
    }

    #[test]
    fn addresses_are_read_strictly() {
        let read = |text: &str| text.parse::<BucketAddress>();
        let plain = read("s3://batches").unwrap();
        assert_eq!((plain.bucket.as_str(), plain.folder.as_str()), ("batches", ""));
        let deep = read("s3://batches/a/b_c.d/").unwrap();
        assert_eq!(deep.folder, "a/b_c.d/");
        for wrong in [
            "",
            "batches",
            "s3://",
            "s3://ab",
            "s3://Batches",
            "s3://bat_ches",
            "S3://batches",
            "s3://batches/a//b",
            "s3://batches/../b",
            "s3://batches/a b",
            "s3://batches/é",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read(&format!("s3://batches/{}", "a".repeat(513))).is_err());
    }

    #[test]
    fn only_this_machine_is_asked_without_encryption() {
        let address: BucketAddress = "s3://batches/a".parse().unwrap();
        let at = |endpoint| ArchiveBucket::new(&address, options(Some(endpoint)));
        for endpoint in ["http://127.0.0.1:9000", "http://[::1]:9000", "https://example.org"] {
            assert!(at(endpoint).is_ok(), "{endpoint}");
        }
        let refused = at("http://example.org:9000").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "http://example.org:9000 is another machine, and is not https"
        );
        let allowed =
            BucketOptions { is_plain_http_allowed: true, ..options(Some("http://example.org")) };
        assert!(ArchiveBucket::new(&address, allowed).is_ok());
        for wrong in ["ftp://example.org", "example.org", "https://key:secret@example.org"] {
            let error = at(wrong).unwrap_err();
            assert!(matches!(error, BucketError::AddressInvalid { .. }), "{wrong}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn without_an_endpoint_it_is_that_of_the_region() {
        let host = |address: &str| {
            let address: BucketAddress = address.parse().unwrap();
            let bucket = ArchiveBucket::new(&address, options(None)).unwrap();
            bucket.bucket.base_url().to_string()
        };
        assert_eq!(host("s3://batches"), "https://batches.s3.us-east-1.amazonaws.com/");
        // No certificate has such a name.
        assert_eq!(
            host("s3://batches.example"),
            "https://s3.us-east-1.amazonaws.com/batches.example/"
        );
    }

    #[test]
    fn nothing_shows_the_keys() {
        let address: BucketAddress = "s3://batches/a".parse().unwrap();
        let options = options(None);
        let shown = format!("{options:?} {:?}", options.credentials);
        let bucket = ArchiveBucket::new(&address, options).unwrap();
        let shown = format!("{shown} {bucket:?}");
        assert!(!shown.contains("secret-of-the-key") && !shown.contains("token"), "{shown}");
    }
}
