//! The load of households under their limit, each for itself and planned together, as a picture.

use gridtally_schedule::neighborhood::{Neighborhood, NeighborhoodPlan};
use plotters::prelude::*;

use crate::commands::dispatch::picture::{labels, timed};
use crate::commands::schedule::clock::clock;
use crate::output::drawing::{
    Area, BLUE, Chart, Failed, INK, LIGHT_GRAY, ORANGE, font, stairs, step as at,
};
use crate::output::number::money;

/// Width and height, in units of the picture.
const SIZE: (u32, u32) = (1_000, 620);

/// Returns the picture as SVG.
///
/// # Errors
///
/// When there is nothing to draw on, which does not happen in memory.
pub(super) fn svg(neighborhood: &Neighborhood, found: &NeighborhoodPlan) -> Result<String, Failed> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (head, rest) = root.split_vertically(48);
        let (prices, load) = rest.split_vertically(200);
        let (id, currency) = (neighborhood.id(), neighborhood.currency());
        let title = format!(
            "{id}: {} households, {currency} {} each for itself, {} within the limits",
            neighborhood.households(),
            money(found.cost_alone),
            money(found.cost),
        );
        head.draw(&Text::new(title, (24, 16), font(20, INK)))?;
        draw_prices(&prices, neighborhood, found)?;
        draw_load(&load, neighborhood, found)?;
        root.present()?;
    }
    Ok(svg)
}

/// What the transformer costs, and the dearest feeder where there are some.
fn draw_prices(
    area: &Area<'_>,
    neighborhood: &Neighborhood,
    found: &NeighborhoodPlan,
) -> Result<(), Failed> {
    let dearest = |t: usize| found.prices[1..].iter().map(|prices| prices[t]).fold(0.0, f64::max);
    let feeders: Vec<f64> = (0..neighborhood.steps()).map(dearest).collect();
    let high = found.prices.iter().flatten().copied().fold(1e-6, f64::max);
    let title = format!("limits, {} per kWh", neighborhood.currency());
    let mut chart = chart(area, neighborhood, 0.0..high * 1.4, &title)?;
    let mut lines = vec![(&found.prices[0], ORANGE, "transformer")];
    if found.prices.len() > 1 {
        lines.push((&feeders, BLUE, "dearest feeder"));
    }
    for (values, color, name) in lines {
        let series = chart.draw_series(LineSeries::new(stairs(values), color.stroke_width(2)))?;
        series
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    labels(&mut chart)
}

fn draw_load(
    area: &Area<'_>,
    neighborhood: &Neighborhood,
    found: &NeighborhoodPlan,
) -> Result<(), Failed> {
    let (planned, alone) = (&found.flow_kw[0], &found.flow_alone_kw[0]);
    let limit = &neighborhood.limits()[0].limit_kw;
    let all = || planned.iter().chain(alone).chain(limit).copied();
    let (low, high) = (all().fold(0.0, f64::min), all().fold(1e-6, f64::max));
    let mut chart = chart(area, neighborhood, low * 1.05..high * 1.3, "kW")?;
    let series = chart.draw_series(AreaSeries::new(stairs(alone), 0.0, LIGHT_GRAY))?;
    series
        .label("each for itself")
        .legend(|(x, y)| Rectangle::new([(x, y - 5), (x + 16, y + 5)], LIGHT_GRAY.filled()));
    for (values, color, name) in [(limit, ORANGE, "limit"), (planned, BLUE, "planned together")] {
        let series = chart.draw_series(LineSeries::new(stairs(values), color.stroke_width(2)))?;
        series
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    labels(&mut chart)
}

fn chart<'a, 'b>(
    area: &'a Area<'b>,
    neighborhood: &Neighborhood,
    values: std::ops::Range<f64>,
    title: &str,
) -> Result<Chart<'a, 'b>, Failed> {
    let steps = neighborhood.steps();
    let horizon = &neighborhood.members()[0].household.horizon;
    let label = |place: &f64| {
        let distance = |step: &usize| (at(*step) - place).abs();
        let step = (0..=steps).min_by(|a, b| distance(a).total_cmp(&distance(b)));
        clock(horizon, step.unwrap_or(0))
    };
    timed(area, steps, &label, values, title)
}
