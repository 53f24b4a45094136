//! The crate through its public interface, against real and hostile endpoints.

mod endpoint;
mod hostile;
mod key;
#[cfg(test)]
mod life;
mod node;
#[cfg(test)]
mod once;
mod proxy;
mod town;
