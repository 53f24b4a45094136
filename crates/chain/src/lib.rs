//! An Ethereum chain to run: in the process, kept on disk, spoken to by JSON-RPC.
//!
//! [`Chain::open`] opens or creates a chain in a folder (or in memory), [`Chain::serve`] answers clients, and
//! [`Chain::dispatch`] answers them without a port. What is in the [block log](block_log) has happened; everything
//! else is rebuilt from it. Code is executed by an [`engine`] behind our own trait.
//!
//! The crate knows nothing of settlement or energy, and depends on no other crate of the project. It is one chain
//! client by itself: it has no peers.

mod clock;
mod config;

pub mod accounts;
pub mod archive;
pub mod blob;
pub mod blob_store;
pub mod block;
pub mod block_log;
mod chain;
pub mod checkpoint;
pub mod engine;
pub mod explanation;
pub mod genesis;
mod index;
mod open;
pub mod patch;
pub mod pool;
pub mod rpc;
mod sealer;
pub mod server;
pub mod state;
mod submit;
mod time;

pub use self::{
    chain::{Chain, ChainEvent, ChainState},
    clock::{Clock, ManualClock, SystemClock},
    config::{Access, CHAIN_ID_DEFAULT, ChainConfig, GAS_LIMIT_DEFAULT, Sealing},
    open::OpenError,
    sealer::SealError,
    server::{
        ChainServer, Exposure, MESSAGE_BYTES_MAX, REQUEST_BYTES_MAX, ServeError, ServeOptions,
    },
    submit::SubmitError,
};
