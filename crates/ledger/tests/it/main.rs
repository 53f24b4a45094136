//! The crate through its public interface, against real and hostile endpoints.

mod endpoint;
mod hostile;
mod key;
mod seeds;
