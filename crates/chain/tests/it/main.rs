//! The chain through its public API.

mod support;

mod calls;
