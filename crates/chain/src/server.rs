//! The chain over HTTP (`POST /`) and WebSocket (`GET /`), and its blobs as a beacon node serves them (`GET /eth/v1/…`), on
//! one port.
//!
//! Who may ask is decided in [`guard`]. How much anybody may ask for at a time is bounded here: connections, requests
//! that are worked on, bytes of a request, and the time that a client takes to send or to read.

mod beacon;
mod connections;
pub mod guard;
mod socket;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{FromRequestParts, Request, State, ws::WebSocketUpgrade},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    sync::{Semaphore, watch},
    time::timeout,
};

use self::{connections::Connections, guard::Guard};
use crate::{
    chain::Chain,
    explanation::explanations,
    rpc::{RpcError, failure},
};

/// Bytes of one request at most: nine blobs in hexadecimal and room to spare.
pub const REQUEST_BYTES_MAX: usize = 16 << 20;
/// Bytes of one WebSocket message at most.
pub const MESSAGE_BYTES_MAX: usize = REQUEST_BYTES_MAX;
/// Connections at a time at most; more wait until others end.
pub const CONNECTIONS_MAX: usize = 512;
/// Requests that are read or worked on at a time at most; more wait.
const REQUESTS_MAX: usize = 64;
/// How long a client may take to send a request.
const SENDING_WAIT: Duration = Duration::from_secs(30);
/// How long a closing server waits for answers on their way.
const CLOSING_WAIT: Duration = Duration::from_secs(2);

/// Why a chain is not served, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can be reached from other computers, and the keys of the funded accounts are public.
    #[error("{0} can be reached from other computers, but everybody knows the keys of this chain")]
    Exposed(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The threads of the server could not be started.
    #[error("the server cannot be started")]
    Start(#[source] std::io::Error),
}

explanations! {
    ServeError {
        Exposed: "chain-exposed" "others can reach the address, and everybody knows the keys of the funded accounts"
            "listen on 127.0.0.1, or add --force-public where nothing of value can be lost";
        Bind: "chain-port-taken" "the address cannot be listened on"
            "name another port with --listen: another program may listen there";
        Start: "chain-server-thread" "the threads of the server cannot be started"
            "end other programs, or raise the limit of threads";
    }
}

/// Who may reach a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exposure {
    /// This computer only; other addresses are refused.
    #[default]
    Loopback,
    /// Whoever reaches the address, although the keys of the funded accounts are public.
    Anyone,
}

/// How a chain is served.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// Who may reach the server.
    pub exposure: Exposure,
    /// Origins of web pages that may ask besides those that always may (see [`guard`]), for example
    /// `https://app.example.org`.
    pub origins: Vec<String>,
}

/// A chain that is being served. Dropping it ends that.
#[derive(Debug)]
pub struct ChainServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    /// Closed once nobody is served any more.
    ended: Mutex<mpsc::Receiver<()>>,
    runtime: Option<Runtime>,
}

impl Chain {
    /// Serves the chain on an address; port 0 takes a free one. The server has its own threads and needs no runtime.
    ///
    /// # Errors
    ///
    /// Returns a [`ServeError`].
    pub fn serve(
        &self,
        address: SocketAddr,
        exposure: Exposure,
    ) -> Result<ChainServer, ServeError> {
        self.serve_with(address, ServeOptions { exposure, ..ServeOptions::default() })
    }

    /// Serves the chain on an address as the options say; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// Returns a [`ServeError`].
    pub fn serve_with(
        &self,
        address: SocketAddr,
        options: ServeOptions,
    ) -> Result<ChainServer, ServeError> {
        if options.exposure == Exposure::Loopback && !is_loopback(address.ip()) {
            return Err(ServeError::Exposed(address));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(4, |n| n.get().max(4)))
            .thread_name("chain-server")
            .enable_all()
            .build()
            .map_err(ServeError::Start)?;
        let bind = |source| ServeError::Bind { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let (stop, stopped) = watch::channel(false);
        let (serving, ended) = mpsc::channel();
        let shared = Shared {
            chain: self.clone(),
            guard: Guard::new(options),
            requests: Semaphore::new(REQUESTS_MAX),
            stopped: stopped.clone(),
            _serving: serving,
        };
        let router = Router::new()
            .route("/", any(answer))
            .route(beacon::ROUTES, any(answer_beacon))
            .with_state(Arc::new(shared));
        let listener = {
            let _entered = runtime.enter();
            Connections::new(TcpListener::from_std(listener).map_err(bind)?, CONNECTIONS_MAX)
        };
        runtime.spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(until(stopped)).await;
            if let Err(error) = served {
                tracing::error!(%error, "the server ended");
            }
        });
        Ok(ChainServer { address, stop, ended: Mutex::new(ended), runtime: Some(runtime) })
    }
}

impl ChainServer {
    /// Returns the address that is listened on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL for HTTP clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the URL for WebSocket clients.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Ends the server after the answers on their way, and after telling the clients on WebSockets.
    pub fn shutdown(mut self) {
        self.close();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing is ever sent: it is closed in time, or clients that do not listen are left.
        let _ = ended.recv_timeout(CLOSING_WAIT);
        drop(ended);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(CLOSING_WAIT);
        }
    }

    fn close(&self) {
        // The server may have ended by itself.
        let _ = self.stop.send(true);
    }
}

impl Drop for ChainServer {
    fn drop(&mut self) {
        self.close();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the server handle is gone, which ends the server as well.
    drop(stopped.wait_for(|is_stopped| *is_stopped).await);
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    chain: Chain,
    guard: Guard,
    /// One permit for each request that is read or worked on.
    requests: Semaphore,
    stopped: watch::Receiver<bool>,
    /// Dropped with the last connection.
    _serving: mpsc::Sender<()>,
}

async fn answer_beacon(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let origin = match shared.guard.admit(request.headers()) {
        Ok(origin) => origin,
        Err(refusal) => return beacon::failed(StatusCode::FORBIDDEN, &refusal.to_string()),
    };
    let mut response = match *request.method() {
        Method::GET => {
            let _permit = shared.requests.acquire().await;
            tokio::task::block_in_place(|| beacon::answer(&shared.chain, request.uri()))
        }
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    };
    origin.allow(response.headers_mut());
    response
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let origin = match shared.guard.admit(request.headers()) {
        Ok(origin) => origin,
        Err(refusal) => {
            tracing::warn!(%refusal, "request refused");
            let error = RpcError::invalid_request(&refusal.to_string());
            return json(StatusCode::FORBIDDEN, failure(&Value::Null, &error));
        }
    };
    let mut response = match *request.method() {
        Method::POST => post(&shared, request).await,
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        Method::GET => upgrade(shared, request).await,
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    };
    origin.allow(response.headers_mut());
    response
}

async fn post(shared: &Shared, request: Request) -> Response {
    let _permit = shared.requests.acquire().await;
    let body = timeout(SENDING_WAIT, to_bytes(request.into_body(), REQUEST_BYTES_MAX)).await;
    let refuse = |status, reason: &str| {
        json(status, failure(&Value::Null, &RpcError::invalid_request(reason)))
    };
    let body = match body {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            let reason = format!("request is larger than {REQUEST_BYTES_MAX} bytes or was cut off");
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, &reason);
        }
        Err(_) => {
            let reason = format!("request was not sent within {} s", SENDING_WAIT.as_secs());
            return refuse(StatusCode::REQUEST_TIMEOUT, &reason);
        }
    };
    match tokio::task::block_in_place(|| shared.chain.dispatch_text(&body)) {
        Some(response) => json(StatusCode::OK, response),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (status, content_type, Body::from(Bytes::from(body))).into_response()
}

async fn upgrade(shared: Arc<Shared>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade
            .max_message_size(MESSAGE_BYTES_MAX)
            .max_frame_size(MESSAGE_BYTES_MAX)
            .on_upgrade(move |socket| socket::converse(shared, socket)),
        Err(_) => {
            let hint = "JSON-RPC: send requests by POST, or open a WebSocket\n";
            (StatusCode::OK, hint).into_response()
        }
    }
}
