//! The binary as its users meet it: output and exit code of every command, and the repository as it describes itself.

mod chain;
mod completions;
mod config;
mod conformance;
mod cost;
mod reference;
mod run;
mod server;
mod tidy;
mod usage;
