//! Plans as their users see them.

mod oracle;
