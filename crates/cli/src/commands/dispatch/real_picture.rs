//! Recorded sessions charged on arrival and as planned: both loads under the limit, over the prices, as a picture.

use plotters::prelude::*;

use super::real::Compared;
use crate::output::drawing::{
    Area, BLUE, Failed, GRAY, INK, LIGHT_GRAY, ORANGE, PRICE, RED, days_chart, font, stairs,
    step as at,
};
use crate::output::number::money;

/// Width and height, in units of the picture.
const SIZE: (u32, u32) = (1_200, 860);

/// Returns the picture as SVG.
///
/// # Errors
///
/// When there is nothing to draw on, which does not happen in memory.
pub(super) fn svg(compared: &Compared<'_>) -> Result<String, Failed> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (head, rest) = root.split_vertically(92);
        let (above, rest) = rest.split_vertically(290);
        let (below, prices) = rest.split_vertically(290);
        draw_head(&head, compared)?;
        let high = [&compared.on_arrival_kw, &compared.planned_kw]
            .into_iter()
            .flatten()
            .chain(&compared.chargers.fleet.transformer_limit_kw)
            .copied()
            .fold(1.0, f64::max);
        let low = compared.chargers.fleet.base_load_kw.iter().copied().fold(0.0, f64::min);
        let range = low..high * 1.08;
        draw_load(&above, compared, "Charging on arrival, kW", &compared.on_arrival_kw, &range)?;
        draw_load(&below, compared, "Planned, kW", &compared.planned_kw, &range)?;
        draw_prices(&prices, compared)?;
        root.present()?;
    }
    Ok(svg)
}

fn draw_head(area: &Area<'_>, compared: &Compared<'_>) -> Result<(), Failed> {
    let (fleet, horizon) = (&compared.chargers.fleet, &compared.chargers.horizon);
    let title = format!(
        "{}: {} sessions, {} to {}",
        fleet.id,
        fleet.devices(),
        horizon.local(0).strftime("%-d %b"),
        horizon.local(fleet.steps()).strftime("%-d %b %Y")
    );
    area.draw(&Text::new(title, (24, 14), font(21, INK)))?;
    let peak = |load_kw: &[f64]| load_kw.iter().copied().fold(0.0, f64::max);
    let (before, after) = (compared.cost_on_arrival, compared.plan.cost);
    let numbers = format!(
        "Charging on arrival: {currency} {}, up to {:.1} kW, {:.2} h above the limit.   Planned: {currency} {} ({:.1} % less), up to {:.1} kW.",
        money(before),
        peak(&compared.on_arrival_kw),
        compared.hours_above(&compared.on_arrival_kw),
        money(after),
        100.0 * (before - after) / before.abs().max(1e-9),
        peak(&compared.planned_kw),
        currency = fleet.currency,
    );
    area.draw(&Text::new(numbers, (24, 44), font(14, GRAY)))?;
    let mut left = 24;
    for (name, color) in [("homes", LIGHT_GRAY), ("cars", BLUE), ("above the limit", RED)] {
        area.draw(&Rectangle::new([(left, 73), (left + 12, 85)], color.filled()))?;
        area.draw(&Text::new(name, (left + 18, 72), font(13, GRAY)))?;
        left += 44 + 7 * i32::try_from(name.len()).unwrap_or(0);
    }
    area.draw(&PathElement::new([(left, 79), (left + 16, 79)], ORANGE.stroke_width(2)))?;
    area.draw(&Text::new("limit of the transformer", (left + 22, 72), font(13, GRAY)))
}

/// Less than this above the limit is rounding, kW.
const SHOWN_KW: f64 = 1e-3;

/// The load of the homes, that of the cars on it, and what of both is above the limit.
fn draw_load(
    area: &Area<'_>,
    compared: &Compared<'_>,
    title: &str,
    load_kw: &[f64],
    range: &std::ops::Range<f64>,
) -> Result<(), Failed> {
    let (fleet, horizon) = (&compared.chargers.fleet, &compared.chargers.horizon);
    let mut chart = days_chart(area, horizon, range.clone(), title, 8)?;
    let columns = |from: &[f64], until: &[f64], color: RGBColor| {
        let pairs = from
            .iter()
            .zip(until)
            .enumerate()
            .filter(|(_, (from, until))| **until - **from > SHOWN_KW);
        let column = |(t, (&from, &until)): (usize, (&f64, &f64))| {
            Rectangle::new([(at(t), from), (at(t + 1), until)], color.filled())
        };
        pairs.map(column).collect::<Vec<_>>()
    };
    let limit_kw = &fleet.transformer_limit_kw;
    let within: Vec<f64> = load_kw.iter().zip(limit_kw).map(|(a, b)| a.min(*b)).collect();
    chart.draw_series(AreaSeries::new(stairs(&within), 0.0, BLUE))?;
    let homes: Vec<f64> = fleet.base_load_kw.iter().zip(&within).map(|(a, b)| a.min(*b)).collect();
    chart.draw_series(AreaSeries::new(stairs(&homes), 0.0, LIGHT_GRAY))?;
    chart.draw_series(columns(&within, load_kw, RED))?;
    chart.draw_series(LineSeries::new(stairs(limit_kw), ORANGE.stroke_width(2)))?;
    Ok(())
}

fn draw_prices(area: &Area<'_>, compared: &Compared<'_>) -> Result<(), Failed> {
    let (fleet, horizon) = (&compared.chargers.fleet, &compared.chargers.horizon);
    let prices = &fleet.energy_price;
    let (low, high) =
        (prices.iter().copied().fold(0.0, f64::min), prices.iter().copied().fold(1e-6, f64::max));
    let title = format!("{} per kWh", fleet.currency);
    let mut chart = days_chart(area, horizon, low * 1.05..high * 1.05, &title, 5)?;
    chart.draw_series(AreaSeries::new(stairs(prices), 0.0, PRICE))?;
    chart.draw_series(LineSeries::new(stairs(prices), GRAY.stroke_width(1)))?;
    Ok(())
}
