//! The aggregator through its public interface.

mod import_data;
mod import_entsoe;
mod import_table;
