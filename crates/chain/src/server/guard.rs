//! Who may ask a chain that is served to its own computer.
//!
//! Everything that a browser shows can send requests to this computer, and what the chain lets its owner do without
//! a key - take blocks back, move the time, spend from the funded accounts - a page of a stranger must not do. That
//! such a page cannot read the answer does not help: the request would have been carried out. So requests are refused
//! by the names that the browser, not the page, puts into them:
//!
//! - **Host.** A page can make the name of its own server stand for `127.0.0.1` and then counts as of the same origin
//!   (DNS rebinding). A request therefore has to name an IP address or `localhost`.
//! - **Origin.** Programs other than browsers send none. Pages of this computer may ask (the developer's own
//!   application), extensions may (MetaMask asks for the page that it serves, after its user has agreed), Remix may,
//!   and those that the owner names. Other pages may not; neither may pages whose origin is `null`, since any page
//!   can frame one.
//!
//! A chain that is served to anyone ([`Exposure::Anyone`]) is not guarded: its owner has said that whoever reaches it
//! may use it.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Exposure, ServeOptions};
use crate::explanation::explanations;

/// Origins of Remix, the editor for contracts that runs in the browser.
const REMIX: [&str; 4] = [
    "https://remix.ethereum.org",
    "http://remix.ethereum.org",
    "https://remix-alpha.ethereum.org",
    "https://remix-beta.ethereum.org",
];
/// Schemes of the pages of browser extensions.
const EXTENSIONS: [&str; 3] = ["chrome-extension", "moz-extension", "safari-web-extension"];

/// Why a request is refused, in order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It names a host that is neither an IP address nor `localhost`.
    #[error("host {0:?} is not this computer")]
    Host(String),
    /// It comes from a page that may not ask.
    #[error("pages of origin {0:?} may not ask this chain unless its owner allows them")]
    Origin(String),
}

explanations! {
    Refusal {
        Host: "request-host" "the request names a host that is neither an IP address nor localhost (status 403)"
            "ask http://127.0.0.1 instead";
        Origin: "request-origin" "the request comes from a page that may not ask (status 403)"
            "start the chain with --allow-origin and the page's origin";
    }
}

/// Decides who may ask.
#[derive(Debug)]
pub(super) struct Guard {
    options: ServeOptions,
}

/// Which page may read an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AllowedOrigin {
    /// The request comes from no page.
    None,
    /// Any page may read it.
    Every,
    /// Pages of the origin that asked may.
    One(HeaderValue),
}

impl Guard {
    pub(super) fn new(options: ServeOptions) -> Self {
        Self { options }
    }

    /// Returns the page that may read the answer to a request with these headers.
    ///
    /// # Errors
    ///
    /// Returns the [`Refusal`] of a request that must not be answered.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<AllowedOrigin, Refusal> {
        if self.options.exposure == Exposure::Anyone {
            return Ok(AllowedOrigin::Every);
        }
        // HTTP/2 has the host elsewhere, and browsers speak it only where there is encryption.
        if let Some(host) = headers.get(header::HOST)
            && !host.to_str().is_ok_and(is_this_computer_or_address)
        {
            return Err(Refusal::Host(shown(host)));
        }
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(AllowedOrigin::None) };
        if origin.to_str().is_ok_and(|origin| self.may_ask(origin)) {
            Ok(AllowedOrigin::One(origin.clone()))
        } else {
            Err(Refusal::Origin(shown(origin)))
        }
    }

    fn may_ask(&self, origin: &str) -> bool {
        if REMIX.contains(&origin) || self.options.origins.iter().any(|allowed| allowed == origin) {
            return true;
        }
        match origin.split_once("://") {
            Some(("http" | "https", host)) => is_this_computer(host),
            Some((scheme, _)) => EXTENSIONS.contains(&scheme),
            None => false,
        }
    }
}

impl AllowedOrigin {
    /// Writes into the headers of an answer which page may read it.
    pub(super) fn allow(self, headers: &mut HeaderMap) {
        let origin = match self {
            Self::None => return,
            Self::Every => HeaderValue::from_static("*"),
            Self::One(origin) => {
                headers.append(header::VARY, HeaderValue::from_static("origin"));
                origin
            }
        };
        let private_network = HeaderName::from_static("access-control-allow-private-network");
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*")),
            (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS")),
            (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400")),
            // Browsers ask this before a page of the internet may reach this computer.
            (private_network, HeaderValue::from_static("true")),
        ] {
            headers.insert(name, value);
        }
    }
}

fn shown(value: &HeaderValue) -> String {
    value.to_str().unwrap_or("not text").chars().take(128).collect()
}

/// Returns whether a host with or without port names this computer.
fn is_this_computer(host: &str) -> bool {
    let name = without_port(host);
    is_localhost(name) || address(name).is_some_and(super::is_loopback)
}

/// Returns whether a host with or without port names this computer or is an address, which no name stands for.
fn is_this_computer_or_address(host: &str) -> bool {
    let name = without_port(host);
    is_localhost(name) || address(name).is_some()
}

/// Returns whether a name is that of this computer: browsers look it up nowhere.
fn is_localhost(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

fn address(name: &str) -> Option<std::net::IpAddr> {
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.parse().ok()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(options: ServeOptions, host: &str, origin: &str) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::HOST, host), (header::ORIGIN, origin)] {
            if !value.is_empty() {
                headers.insert(name, value.parse().unwrap());
            }
        }
        match Guard::new(options).admit(&headers) {
            Ok(AllowedOrigin::None) => "no page".to_owned(),
            Ok(AllowedOrigin::Every) => "every page".to_owned(),
            Ok(AllowedOrigin::One(origin)) => origin.to_str().unwrap().to_owned(),
            Err(refusal) => refusal.to_string(),
        }
    }

    #[test]
    fn a_name_that_stands_for_this_computer_is_refused() {
        let admit = |host| admit(ServeOptions::default(), host, "");
        for host in
            ["", "127.0.0.1:8545", "localhost", "LOCALHOST:1", "[::1]:8545", "a.localhost:80"]
        {
            assert_eq!(admit(host), "no page", "{host}");
        }
        for host in ["evil.example:8545", "localhost.evil.example", "127.0.0.1.evil.example", ":1"]
        {
            assert_eq!(admit(host), format!("host {host:?} is not this computer"));
        }
    }

    #[test]
    fn pages_of_strangers_are_refused() {
        let admit = |origin| admit(ServeOptions::default(), "127.0.0.1:8545", origin);
        for origin in [
            "http://localhost:3000",
            "https://127.0.0.1",
            "http://[::1]:5173",
            "https://remix.ethereum.org",
            "chrome-extension://nkbihfbeogaeaoehlefnkodbefgpgknn",
            "moz-extension://0d3bfa4b",
        ] {
            assert_eq!(admit(origin), origin);
        }
        for origin in [
            "null",
            "https://evil.example",
            "http://localhost.evil.example",
            "https://remix.ethereum.org.evil.example",
            "https://192.168.1.2",
            "file://",
            "localhost",
        ] {
            assert!(admit(origin).contains("may not ask"), "{origin}: {}", admit(origin));
        }
    }

    #[test]
    fn the_owner_may_allow_a_page_or_everybody() {
        let origins = vec!["https://app.example".to_owned()];
        let options = ServeOptions { origins, ..ServeOptions::default() };
        assert_eq!(admit(options, "localhost", "https://app.example"), "https://app.example");
        let options = ServeOptions { exposure: Exposure::Anyone, ..ServeOptions::default() };
        assert_eq!(admit(options, "chain.example", "https://evil.example"), "every page");
    }
}
