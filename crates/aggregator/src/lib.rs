//! gridtally-aggregator
