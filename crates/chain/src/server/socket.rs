//! One client on a WebSocket: its requests, its subscriptions, and what it is told.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code},
};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::{Shared, until};
use crate::rpc::{
    Context,
    subscribe::{Subscriptions, Unsubscribed},
};

/// How long a client may take to read a message; who reads more slowly is cut off.
const READING_WAIT: Duration = Duration::from_secs(10);
/// How often a client is asked whether it is still there.
const PING_PERIOD: Duration = Duration::from_secs(30);

/// Answers the requests of one client, and tells it what it subscribed to, until it leaves or the server ends.
pub(super) async fn converse(shared: Arc<Shared>, mut socket: WebSocket) {
    let mut stopped = pin!(until(shared.stopped.clone()));
    let mut subscriptions = Mutex::new(Subscriptions::default());
    let mut pings = pings();
    loop {
        let subscribed = subscriptions.get_mut().unwrap_or_else(PoisonError::into_inner);
        tokio::select! {
            message = socket.recv() => {
                let text = match message {
                    Some(Ok(Message::Text(text))) => Bytes::from(text),
                    Some(Ok(Message::Binary(bytes))) => bytes,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                };
                let response = {
                    let _permit = shared.requests.acquire().await;
                    let context = Context { chain: &shared.chain, subscriptions: Some(&subscriptions) };
                    tokio::task::block_in_place(|| context.dispatch_text(&text))
                };
                if let Some(response) = response && !send(&mut socket, response).await {
                    return;
                }
            }
            told = subscribed.next(&shared.chain) => match told {
                Ok(notifications) => {
                    for notification in notifications {
                        if !send(&mut socket, notification).await {
                            return;
                        }
                    }
                }
                Err(reason) => return close(&mut socket, reason).await,
            },
            _ = pings.tick() => {
                let ping = socket.send(Message::Ping(Bytes::new()));
                if !matches!(timeout(READING_WAIT, ping).await, Ok(Ok(()))) {
                    return;
                }
            }
            () = &mut stopped => {
                return close(&mut socket, Unsubscribed::Closed).await;
            }
        }
    }
}

fn pings() -> Interval {
    let mut pings = interval(PING_PERIOD);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
}

/// Sends a message and returns whether the client has taken it in time.
async fn send(socket: &mut WebSocket, message: Vec<u8>) -> bool {
    let Ok(text) = Utf8Bytes::try_from(message) else { return false };
    matches!(timeout(READING_WAIT, socket.send(Message::Text(text))).await, Ok(Ok(())))
}

/// Tells the client why it is left.
async fn close(socket: &mut WebSocket, reason: Unsubscribed) {
    let code = match reason {
        Unsubscribed::FellBehind => close_code::POLICY,
        Unsubscribed::Closed => close_code::AWAY,
    };
    let reason = Utf8Bytes::from(reason.to_string());
    let frame = Message::Close(Some(CloseFrame { code, reason }));
    // A client that does not listen learns it from the end of the connection.
    drop(timeout(READING_WAIT, socket.send(frame)).await);
}
