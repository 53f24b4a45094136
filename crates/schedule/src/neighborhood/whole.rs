//! A small neighborhood as one mixed-integer program, to compare with: every household's own program, and a row for each limit and step.

use super::problem::Neighborhood;
use crate::household::{Capacity, Formulation, Household};
use crate::solver::{Column, Microlp, Model, Solution, SolveError, SolveOptions, Solver};

/// Returns the least that all households can pay together within the limits, `None` where they leave too little. Brackets of stepped tariffs are
/// tried one by one.
pub(super) fn least_cost(neighborhood: &Neighborhood) -> Option<f64> {
    let households: Vec<(usize, &Household)> = neighborhood
        .members()
        .iter()
        .enumerate()
        .flat_map(|(g, members)| std::iter::repeat_n((g, &members.household), members.count))
        .collect();
    let mut brackets: Vec<Vec<(Option<f64>, f64)>> = vec![Vec::new()];
    for (_, household) in &households {
        let of_household: Vec<(Option<f64>, f64)> = match &household.tariff.capacity {
            Capacity::DailyMaxSteps(stepped) => {
                stepped.steps.iter().map(|step| (Some(step.upto_kw), step.fee)).collect()
            }
            _ => vec![(None, 0.0)],
        };
        brackets = brackets
            .into_iter()
            .flat_map(|before| {
                of_household.iter().map(move |bracket| [before.clone(), vec![*bracket]].concat())
            })
            .collect();
    }
    let cost = |brackets: &Vec<(Option<f64>, f64)>| {
        let formulations = households.iter().zip(brackets);
        let formulations = formulations
            .map(|((_, household), (upto, _))| Formulation::new(household, *upto, None));
        let fees: f64 = brackets.iter().map(|(_, fee)| fee).sum();
        Some(solve(neighborhood, &households, formulations.collect())? + fees)
    };
    brackets.iter().filter_map(cost).min_by(f64::total_cmp)
}

fn solve(
    neighborhood: &Neighborhood,
    households: &[(usize, &Household)],
    mut formulations: Vec<Formulation>,
) -> Option<f64> {
    loop {
        let mut model = Model::default();
        let mut first = Vec::new();
        for formulation in &formulations {
            let offset = model.columns.len();
            first.push(offset);
            model.columns.extend(formulation.model.columns.iter().copied());
            for row in &formulation.model.rows {
                let terms = row.terms.iter().map(|(column, f)| (Column(column.0 + offset), *f));
                model.row(row.lower, row.upper, terms);
            }
        }
        for (limit, of_grid) in neighborhood.limits().iter().enumerate() {
            for (t, limit_kw) in of_grid.limit_kw.iter().enumerate() {
                let (mut terms, mut load_kw) = (Vec::new(), 0.0);
                for (i, (g, household)) in households.iter().enumerate() {
                    if neighborhood.behind(*g).any(|behind| behind == limit) {
                        load_kw += household.site.load_kw[t];
                        let devices = formulations[i].devices_at(t);
                        terms.extend(devices.map(|(column, f)| (Column(column.0 + first[i]), f)));
                    }
                }
                model.at_most(limit_kw - load_kw, terms);
            }
        }
        let options = SolveOptions { gap: 0.0, time_limit: None, nodes_max: None };
        let found = match Microlp.solve(&model, &options) {
            Ok(found) => found,
            Err(SolveError::Infeasible) => return None,
            Err(error) => panic!("{error}"),
        };
        let mut are_exclusive = true;
        for (formulation, first) in formulations.iter_mut().zip(&first) {
            let values = found.values[*first..][..formulation.model.columns.len()].to_vec();
            let part = Solution { cost: 0.0, bound: 0.0, values };
            are_exclusive &= !formulation.exclude(&part);
        }
        if are_exclusive {
            return Some(found.cost);
        }
    }
}
