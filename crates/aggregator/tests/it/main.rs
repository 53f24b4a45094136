//! The aggregator through its public interface.

#[cfg(test)]
mod import_data;
#[cfg(test)]
mod import_entsoe;
#[cfg(test)]
mod import_store;
#[cfg(test)]
mod import_table;

#[cfg(test)]
mod seeds;

#[cfg(test)]
mod world;

#[cfg(test)]
mod demo;
#[cfg(test)]
mod fault;
#[cfg(test)]
mod in_batches;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod on_chain;
#[cfg(test)]
mod plan_scenario;
#[cfg(test)]
mod run;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod store;
#[cfg(test)]
mod verify;
