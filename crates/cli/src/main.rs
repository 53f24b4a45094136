//! The command line of gridtally.

fn main() {}
