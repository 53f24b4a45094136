//! The crate through its public interface, against real and hostile endpoints.

#[cfg(test)]
mod archive;
#[cfg(test)]
mod batch;
mod blob_source;
mod endpoint;
#[cfg(test)]
mod follow;
mod hostile;
mod key;
#[cfg(test)]
mod life;
#[cfg(test)]
mod many;
mod node;
#[cfg(test)]
mod once;
#[cfg(test)]
mod price;
mod proxy;
#[cfg(test)]
mod refusal;
mod seeds;
mod town;
