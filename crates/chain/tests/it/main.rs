//! The chain through its public API.

#[cfg(test)]
mod support;

mod blobs;
mod calls;
mod crash;
mod folder;
mod history;
mod http;
mod logs;
mod oracle;
mod pool;
mod time;
