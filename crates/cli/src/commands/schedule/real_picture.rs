//! Some days of a household as preferred and as planned, over the prices, as a picture.

use gridtally_schedule::household::HouseholdPlan;
use plotters::prelude::*;

use super::real::Both;
use crate::output::drawing::{
    Area, Failed, GRAY, INK, LIGHT_GRAY, PRICE, days_chart, font, stairs, step as at,
};
use crate::output::number::money;

/// Width and height, in units of the picture.
const SIZE: (u32, u32) = (1_200, 900);
/// For kinds of devices in their order, told apart without red and green side by side.
const COLORS: [RGBColor; 8] = [
    RGBColor(240, 190, 60),
    RGBColor(26, 95, 180),
    RGBColor(38, 122, 62),
    RGBColor(140, 70, 160),
    RGBColor(198, 90, 17),
    RGBColor(90, 180, 200),
    RGBColor(120, 100, 60),
    RGBColor(220, 120, 170),
];

/// Returns the picture as SVG.
///
/// # Errors
///
/// When there is nothing to draw on, which does not happen in memory.
pub(super) fn svg(both: &Both<'_>) -> Result<String, Failed> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (head, rest) = root.split_vertically(92);
        let (above, rest) = rest.split_vertically(310);
        let (below, prices) = rest.split_vertically(310);
        draw_head(&head, both)?;
        let plans = [both.preferred.0, &both.found.plan];
        let ranges = plans.map(|plan| range(both, plan));
        let low = ranges[0].0.min(ranges[1].0) * 1.05;
        let high = ranges[0].1.max(ranges[1].1) * 1.05;
        draw_plan(&above, both, "As preferred, kW", plans[0], low..high)?;
        draw_plan(&below, both, "Planned, kW", plans[1], low..high)?;
        draw_prices(&prices, both)?;
        root.present()?;
    }
    Ok(svg)
}

/// The kinds of devices in their order, each once, with its color.
fn kinds<'a>(both: &Both<'a>) -> Vec<(&'a str, RGBColor)> {
    let mut names: Vec<&str> = Vec::new();
    for kind in &both.home.kinds {
        if !names.contains(&kind.as_str()) {
            names.push(kind);
        }
    }
    names.into_iter().zip(COLORS.iter().copied().cycle()).collect()
}

fn draw_head(area: &Area<'_>, both: &Both<'_>) -> Result<(), Failed> {
    let (household, horizon) = (&both.home.household, &both.home.household.horizon);
    let title = format!(
        "{}, {} to {}",
        household.id,
        horizon.local(0).strftime("%-d %b"),
        horizon.local(horizon.steps()).strftime("%-d %b %Y")
    );
    area.draw(&Text::new(title, (24, 14), font(21, INK)))?;
    let (before, after) = (both.preferred.1.cost.total(), both.found.cost.total());
    let numbers = format!(
        "As preferred: {currency} {}.   Planned: {currency} {}, saved {}.",
        money(before),
        money(after),
        money(before - after),
        currency = household.currency,
    );
    area.draw(&Text::new(numbers, (24, 44), font(14, GRAY)))?;
    let mut left = 24;
    for (name, color) in std::iter::once(("other load", LIGHT_GRAY)).chain(kinds(both)) {
        area.draw(&Rectangle::new([(left, 73), (left + 12, 85)], color.filled()))?;
        area.draw(&Text::new(name.to_owned(), (left + 18, 72), font(13, GRAY)))?;
        left += 44 + 7 * i32::try_from(name.chars().count()).unwrap_or(0);
    }
    area.draw(&PathElement::new([(left, 79), (left + 16, 79)], INK))?;
    area.draw(&Text::new("exchange with the grid", (left + 22, 72), font(13, GRAY)))
}

/// The lowest and the highest stack of a plan, kW.
fn range(both: &Both<'_>, plan: &HouseholdPlan) -> (f64, f64) {
    let household = &both.home.household;
    let stack = |t: usize| {
        let powers = plan.device_kw.iter().map(|row| row[t]).chain([household.site.load_kw[t]]);
        powers.fold((0.0, 0.0), |(low, high), power: f64| {
            (low + power.min(0.0), high + power.max(0.0))
        })
    };
    (0..household.horizon.steps()).map(stack).fold((0.0, 0.1), |(low, high), (below, above)| {
        (f64::min(low, below), f64::max(high, above))
    })
}

/// Kinds of devices stacked on each other: use above the line, generation below; the net exchange as a line.
fn draw_plan(
    area: &Area<'_>,
    both: &Both<'_>,
    title: &str,
    plan: &HouseholdPlan,
    range: std::ops::Range<f64>,
) -> Result<(), Failed> {
    let household = &both.home.household;
    let steps = household.horizon.steps();
    let mut chart = days_chart(area, &household.horizon, range, title, 7)?;
    let (mut below, mut above) = (vec![0.0; steps], vec![0.0; steps]);
    let mut stack = |power_kw: &[f64], color: RGBColor| {
        let mut boxes = Vec::new();
        for (t, &power) in power_kw.iter().enumerate() {
            let edge = if power > 0.0 { &mut above[t] } else { &mut below[t] };
            if power.abs() > 1e-4 {
                let corners = [(at(t), *edge), (at(t + 1), *edge + power)];
                boxes.push(Rectangle::new(corners, color.filled()));
            }
            *edge += power;
        }
        chart.draw_series(boxes).map(drop)
    };
    stack(&household.site.load_kw, LIGHT_GRAY)?;
    for (name, color) in kinds(both) {
        let rows = both.home.kinds.iter().zip(&plan.device_kw);
        let mut sum = vec![0.0; steps];
        for (_, row) in rows.filter(|(kind, _)| *kind == name) {
            sum.iter_mut().zip(row).for_each(|(sum, power)| *sum += power);
        }
        stack(&sum, color)?;
    }
    let net_kw = plan.net_kw(household);
    chart.draw_series(LineSeries::new(stairs(&net_kw), INK.mix(0.6).stroke_width(1)))?;
    Ok(())
}

fn draw_prices(area: &Area<'_>, both: &Both<'_>) -> Result<(), Failed> {
    let household = &both.home.household;
    let (import, export) = (&household.tariff.import_price, &household.tariff.export_price);
    let all = || import.iter().chain(export).copied();
    let (low, high) = (all().fold(0.0, f64::min), all().fold(1e-6, f64::max));
    let title = format!("{} per kWh", household.currency);
    let mut chart = days_chart(area, &household.horizon, low * 1.05..high * 1.35, &title, 5)?;
    let band = chart.draw_series(AreaSeries::new(stairs(import), 0.0, PRICE))?;
    band.label("from the grid")
        .legend(|(x, y)| Rectangle::new([(x, y - 5), (x + 16, y + 5)], PRICE.filled()));
    let line = chart.draw_series(LineSeries::new(stairs(export), GRAY.stroke_width(2)))?;
    line.label("fed in")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], GRAY.stroke_width(2)));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .label_font(font(12, GRAY))
        .draw()
}
