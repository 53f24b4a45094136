//! Plans as their users see them.

mod conflict;
mod oracle;
mod property;
mod random;
