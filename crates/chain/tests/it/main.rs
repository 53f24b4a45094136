//! The chain through its public API.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod code;
mod process;
mod seeds;
mod support;

mod beacon;
mod blobs;
mod calls;
mod checkpoint;
mod compat;
mod crash;
mod folder;
mod history;
mod http;
mod logs;
mod oracle;
mod pool;
mod read_only;
mod rpc_developer;
mod rpc_execution;
mod rpc_filters;
mod rpc_hostile;
mod rpc_reference;
mod rpc_socket;
mod time;
