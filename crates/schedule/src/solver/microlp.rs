//! The default solver, in Rust: dual simplex with branch and bound.

use ::microlp::{ComparisonOp, Error, OptimizationDirection, Problem, SolveOutcome};

use super::{Model, Solution, SolveError, SolveOptions, Solver};

/// The crate `microlp`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Microlp;

impl Solver for Microlp {
    fn solve(&self, model: &Model, options: &SolveOptions) -> Result<Solution, SolveError> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let columns: Vec<_> = model
            .columns
            .iter()
            .map(|column| match (column.is_integer, column.upper > 0.0) {
                (true, true) => problem.add_binary_var(column.cost),
                (true, false) => problem.add_integer_var(column.cost, (0, 0)),
                (false, _) => problem.add_var(column.cost, (column.lower, column.upper)),
            })
            .collect();
        for row in &model.rows {
            let terms: Vec<_> =
                row.terms.iter().map(|(column, factor)| (columns[column.0], *factor)).collect();
            if row.lower >= row.upper {
                problem.add_constraint(&terms, ComparisonOp::Eq, row.lower);
                continue;
            }
            if row.lower.is_finite() {
                problem.add_constraint(&terms, ComparisonOp::Ge, row.lower);
            }
            if row.upper.is_finite() {
                problem.add_constraint(&terms, ComparisonOp::Le, row.upper);
            }
        }
        let mut settings = ::microlp::SolveOptions::default();
        settings.time_limit = options.time_limit;
        settings.node_limit = options.nodes_max;
        settings.mip_gap = options.gap;
        let outcome = problem.solve_with(settings).map_err(|error| match error {
            Error::Infeasible => SolveError::Infeasible,
            Error::Unbounded => SolveError::Unbounded,
            other => SolveError::Failed { message: other.to_string() },
        })?;
        let SolveOutcome::Solution(solution) = outcome else { return Err(SolveError::TimeOver) };
        let cost = solution.objective();
        let bound = solution.stats().best_bound.unwrap_or(f64::NEG_INFINITY).min(cost);
        let values = columns.iter().map(|column| solution.var_value(*column)).collect();
        Ok(Solution { cost, bound, values })
    }
}
