//! gridtally-ledger
