//! The aggregator through its public interface.

#[cfg(test)]
mod import_data;
#[cfg(test)]
mod import_entsoe;
#[cfg(test)]
mod import_table;
