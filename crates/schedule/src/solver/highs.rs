//! `HiGHS`, a C++ solver: a second opinion, and a second chance where the default solver loses its way.

use highs::{ColProblem, HighsModelStatus, HighsSolutionStatus, Sense, SolvedModel};

use super::{Model, Solution, SolveError, SolveOptions, Solver};

/// The library `HiGHS` on one thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Highs;

impl Solver for Highs {
    fn solve(&self, model: &Model, options: &SolveOptions) -> Result<Solution, SolveError> {
        if model.columns.is_empty() {
            let is_met = model.rows.iter().all(|row| row.lower <= 0.0 && row.upper >= 0.0);
            let nothing = Solution { cost: 0.0, bound: 0.0, values: Vec::new() };
            return if is_met { Ok(nothing) } else { Err(SolveError::Infeasible) };
        }
        let mut highs = problem(model).try_optimise(Sense::Minimise).map_err(failed)?;
        highs.set_option("parallel", "off");
        highs.set_option("threads", 1);
        highs.set_option("random_seed", 0);
        highs.set_option("mip_rel_gap", options.gap);
        // With a gap of zero it proves to 1e-6 of the currency all the same.
        highs.set_option("mip_abs_gap", 1e-9);
        highs.set_option("mip_feasibility_tolerance", 1e-7);
        if let Some(time_limit) = options.time_limit {
            highs.set_option("time_limit", time_limit.as_secs_f64());
        }
        if let Some(nodes_max) = options.nodes_max {
            let nodes_max = i32::try_from(nodes_max).unwrap_or(i32::MAX);
            highs.set_option("mip_max_nodes", nodes_max);
        }
        let solved = highs.try_solve().map_err(failed)?;
        solution(model, &solved)
    }
}

fn failed(status: highs::HighsStatus) -> SolveError {
    SolveError::Failed { message: format!("HiGHS says {status:?}") }
}

/// Writes a model as `HiGHS` takes it: column by column.
fn problem(model: &Model) -> ColProblem {
    let mut problem = ColProblem::default();
    let mut of_column = vec![Vec::new(); model.columns.len()];
    for row in &model.rows {
        let number = problem.add_row(row.lower..=row.upper);
        for &(column, factor) in &row.terms {
            // A column may stand in a row twice; HiGHS wants their sum.
            let factors: &mut Vec<(highs::Row, f64)> = &mut of_column[column.0];
            match factors.last_mut() {
                Some((last, sum)) if *last == number => *sum += factor,
                _ => factors.push((number, factor)),
            }
        }
    }
    for (column, factors) in model.columns.iter().zip(of_column) {
        let bounds = column.lower..=column.upper;
        problem.add_column_with_integrality(column.cost, bounds, factors, column.is_integer);
    }
    problem
}

fn solution(model: &Model, solved: &SolvedModel) -> Result<Solution, SolveError> {
    use HighsModelStatus as Status;
    match solved.status() {
        Status::Infeasible => return Err(SolveError::Infeasible),
        Status::Unbounded => return Err(SolveError::Unbounded),
        Status::Optimal
        | Status::ReachedTimeLimit
        | Status::ReachedSolutionLimit
        | Status::ReachedIterationLimit => {}
        other => return Err(SolveError::Failed { message: format!("HiGHS says {other:?}") }),
    }
    if solved.primal_solution_status() != HighsSolutionStatus::Feasible {
        return Err(SolveError::TimeOver);
    }
    let mut values = solved.get_solution().columns().to_vec();
    for (value, column) in values.iter_mut().zip(&model.columns) {
        if column.is_integer {
            *value = value.round();
        }
    }
    let cost: f64 =
        model.columns.iter().zip(&values).map(|(column, value)| column.cost * value).sum();
    let is_optimal = solved.status() == Status::Optimal;
    let bound = if model.has_integers() {
        solved.double_info_value(c"mip_dual_bound").map_err(failed)?
    } else if is_optimal {
        cost
    } else {
        f64::NEG_INFINITY
    };
    Ok(Solution { cost, bound: bound.min(cost), values })
}
