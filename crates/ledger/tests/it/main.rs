//! The crate through its public interface, against real and hostile endpoints.

mod endpoint;
mod follow;
mod hostile;
mod key;
mod life;
mod node;
mod once;
mod price;
mod proxy;
mod refusal;
mod seeds;
mod town;
