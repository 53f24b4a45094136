//! The settlement crate through its public interface.

mod direct;
mod period;
mod run;
mod vectors;
