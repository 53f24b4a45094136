//! gridtally-settlement
