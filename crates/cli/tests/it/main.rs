//! The binary as its users meet it: output and exit code of every command, and the repository as it describes itself.

mod completions;
mod config;
mod cost;
mod reference;
mod run;
mod tidy;
mod usage;
