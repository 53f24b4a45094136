//! What solves linear and mixed-integer programs.

#[cfg(feature = "highs")]
mod highs;
mod kind;
mod microlp;
mod model;

use std::time::Duration;

#[cfg(feature = "highs")]
pub use self::highs::Highs;
pub use self::kind::{SolverKind, SolverUnavailable};
pub use self::microlp::Microlp;
pub(crate) use model::ColumnSpec;
pub use model::{Column, Model};

/// How long and how exactly to solve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SolveOptions {
    /// Relative gap at which a solution is good enough; 0 proves it exactly.
    pub gap: f64,
    /// After this the best solution so far is the answer.
    pub time_limit: Option<Duration>,
    /// After so many nodes of branch and bound too, which is the same on every machine.
    pub nodes_max: Option<u64>,
}

/// What a solver found.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// The cost of the values.
    pub cost: f64,
    /// No solution costs less than this.
    pub bound: f64,
    /// The value of each column.
    pub values: Vec<f64>,
}

impl Solution {
    /// Returns the value of a column.
    #[must_use]
    pub fn value(&self, column: Column) -> f64 {
        self.values[column.0]
    }
}

/// Why there is no solution.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SolveError {
    /// No values keep all rows and bounds.
    #[error("no values meet all rows and bounds")]
    Infeasible,
    /// The cost falls without end.
    #[error("the cost falls without end")]
    Unbounded,
    /// The time was over before anything was found.
    #[error("the time was over before anything was found")]
    TimeOver,
    /// The solver lost its way in rounding.
    #[error("the solver failed: {message}")]
    Failed {
        /// What it says.
        message: String,
    },
}

/// A solver of linear and mixed-integer programs. The same model gives the same solution, unless the time limit ends the work.
pub trait Solver: Sync {
    /// Solves a model.
    ///
    /// # Errors
    ///
    /// Returns a [`SolveError`].
    fn solve(&self, model: &Model, options: &SolveOptions) -> Result<Solution, SolveError>;
}
