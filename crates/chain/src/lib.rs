//! gridtally-chain
