//! The master problem: which mixture of known answers is cheapest within the limits, and what the limits cost.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{
    DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, SolverStatus, ZeroConeT,
};

use super::answer::Answer;
use super::problem::Neighborhood;

/// What the master found.
#[derive(Debug, Clone)]
pub(super) struct Mixture {
    /// For each members, the share of each of their answers.
    pub(super) shares: Vec<Vec<f64>>,
    /// What the mixture costs, without what exceeds limits.
    pub(super) cost: f64,
    /// By how much limits are exceeded, kW: limit, step, amount.
    pub(super) exceeded: Vec<(usize, usize, f64)>,
    /// What each limit costs in each step, currency per kWh.
    pub(super) prices: Vec<Vec<f64>>,
}

/// Power beyond a limit that is overlooked, as a share of the limit's size.
const TOLERANCE: f64 = 1e-6;

/// Returns the cheapest mixture: shares of the answers of each members that add up to one, where a kWh beyond a limit costs `penalty`. `None`
/// where the solver fails.
///
/// Loads are taken relative to the first answer of their members, which leaves most of them zero; limits that no mixture of the answers can
/// reach have no row.
pub(super) fn solve(
    neighborhood: &Neighborhood,
    answers: &[Vec<Answer>],
    penalty: f64,
) -> Option<Mixture> {
    let rows = rows(neighborhood, answers);
    let scale_kw = rows.iter().map(|row| row.room_kw.abs()).fold(1.0, f64::max);
    let groups = answers.len();
    let columns: usize = answers.iter().map(Vec::len).sum();
    let variables = columns + rows.len();
    let step_h = neighborhood.step_h();
    let counts: Vec<f64> =
        neighborhood.members().iter().map(|members| real(members.count)).collect();
    let each =
        || answers.iter().enumerate().flat_map(|(g, answers)| answers.iter().map(move |a| (g, a)));
    let beyond_first = |g: usize, answer: &Answer| counts[g] * (answer.cost - answers[g][0].cost);
    let excess_cost = penalty * step_h * scale_kw;
    let cost_scale =
        each().map(|(g, answer)| beyond_first(g, answer).abs()).fold(1e-3 * excess_cost, f64::max);
    let mut q: Vec<f64> = each().map(|(g, answer)| beyond_first(g, answer) / cost_scale).collect();
    q.resize(variables, excess_cost / cost_scale);
    let mut b = vec![1.0; groups];
    // A little less than there is, for what rounding adds.
    b.extend(rows.iter().map(|row| row.room_kw / scale_kw - TOLERANCE));
    b.resize(groups + rows.len() + variables, 0.0);
    let first_sign = groups + rows.len();
    let mut starts = vec![0];
    let (mut places, mut values) = (Vec::new(), Vec::new());
    for (k, (g, answer)) in each().enumerate() {
        places.push(g);
        values.push(1.0);
        for (r, row) in rows.iter().enumerate() {
            let load_kw =
                row.counts[g] * (answer.net_kw[row.step] - answers[g][0].net_kw[row.step]);
            if load_kw.abs() > 1e-9 * scale_kw {
                places.push(groups + r);
                values.push(load_kw / scale_kw);
            }
        }
        places.push(first_sign + k);
        values.push(-1.0);
        starts.push(places.len());
    }
    for r in 0..rows.len() {
        places.extend([groups + r, first_sign + columns + r]);
        values.extend([-1.0, -1.0]);
        starts.push(places.len());
    }
    let a = CscMatrix::new(b.len(), variables, starts, places, values);
    let p = CscMatrix::zeros((variables, variables));
    let cones = [ZeroConeT(groups), NonnegativeConeT(rows.len() + variables)];
    let settings = DefaultSettings { verbose: false, max_threads: 1, ..DefaultSettings::default() };
    let mut solver = DefaultSolver::new(&p, &q, &a, &b, &cones, settings).ok()?;
    solver.solve();
    let is_solved =
        matches!(solver.solution.status, SolverStatus::Solved | SolverStatus::AlmostSolved);
    let solution = is_solved.then_some(&solver.solution)?;
    let mut weights = solution.x.iter();
    let shares: Vec<Vec<f64>> = answers
        .iter()
        .map(|answers| normalized(weights.by_ref().take(answers.len()).copied()))
        .collect();
    let mut prices = vec![vec![0.0; neighborhood.steps()]; neighborhood.limits().len()];
    for (row, z) in rows.iter().zip(&solution.z[groups..]) {
        prices[row.limit][row.step] = (z * cost_scale / (scale_kw * step_h)).max(0.0);
    }
    let of = |g: usize, value: &dyn Fn(&Answer) -> f64| -> f64 {
        shares[g].iter().zip(&answers[g]).map(|(share, answer)| share * value(answer)).sum()
    };
    let cost = (0..groups).map(|g| counts[g] * of(g, &|answer| answer.cost)).sum();
    let load_kw = |row: &Row| -> f64 {
        (0..groups).map(|g| row.counts[g] * of(g, &|answer| answer.net_kw[row.step])).sum()
    };
    let exceeded = rows
        .iter()
        .map(|row| {
            let limit_kw = neighborhood.limits()[row.limit].limit_kw[row.step];
            (row.limit, row.step, load_kw(row) - limit_kw)
        })
        .filter(|(.., over)| *over > TOLERANCE * scale_kw.max(10.0))
        .collect();
    Some(Mixture { shares, cost, exceeded, prices })
}

/// A limit in a step that a mixture could exceed.
struct Row {
    limit: usize,
    step: usize,
    /// How many households of each members are behind it.
    counts: Vec<f64>,
    /// What the limit leaves beside the first answers, kW.
    room_kw: f64,
}

fn rows(neighborhood: &Neighborhood, answers: &[Vec<Answer>]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (limit, of_grid) in neighborhood.limits().iter().enumerate() {
        let count = |g: usize| {
            let is_behind = neighborhood.behind(g).any(|behind| behind == limit);
            if is_behind { real(neighborhood.members()[g].count) } else { 0.0 }
        };
        let counts: Vec<f64> = (0..answers.len()).map(count).collect();
        for (step, &limit_kw) in of_grid.limit_kw.iter().enumerate() {
            let (mut first_kw, mut most_kw) = (0.0, 0.0);
            for (answers, count) in answers.iter().zip(&counts) {
                first_kw += count * answers[0].net_kw[step];
                let most = answers.iter().map(|answer| answer.net_kw[step]);
                most_kw += count * most.fold(f64::NEG_INFINITY, f64::max);
            }
            if most_kw > limit_kw {
                rows.push(Row {
                    limit,
                    step,
                    counts: counts.clone(),
                    room_kw: limit_kw - first_kw,
                });
            }
        }
    }
    rows
}

/// Interior points leave a little of everything: shares below a millionth go, and the rest adds up to one.
fn normalized(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let weights: Vec<f64> =
        weights.map(|weight| if weight < 1e-6 { 0.0 } else { weight }).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

#[expect(clippy::cast_precision_loss, reason = "numbers of households")]
pub(super) const fn real(count: usize) -> f64 {
    count as f64
}
