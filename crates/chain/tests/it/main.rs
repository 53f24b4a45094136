//! The chain through its public API.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

mod blobs;
mod calls;
mod crash;
mod folder;
mod history;
mod http;
mod logs;
mod pool;
mod time;
