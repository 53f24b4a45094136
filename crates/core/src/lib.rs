//! gridtally-core
