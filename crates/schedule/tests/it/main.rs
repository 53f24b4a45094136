//! Plans as their users see them.

mod conflict;
mod fleet;
mod friendly;
mod oracle;
mod property;
mod random;
mod seeds;
