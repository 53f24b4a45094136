//! Where settings come from, and how wrong ones are refused.

use expect_test::expect;

use crate::run::Terminal;
