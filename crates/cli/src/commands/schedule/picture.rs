//! Both schedules of a household over its prices, as a picture.

use gridtally_schedule::household::{Household, HouseholdPlan};
use plotters::prelude::*;

use crate::output::drawing::{
    Area, Chart, FAINT, Failed, GRAY, INK, LIGHT_GRAY, font, stairs, step as at,
};
use crate::output::number::money;

use super::clock::clock;
use super::report::Planned;

/// Width and height, in units of the picture.
const SIZE: (u32, u32) = (1_000, 760);
/// For devices in their order, told apart without red and green side by side.
const COLORS: [RGBColor; 8] = [
    RGBColor(26, 95, 180),
    RGBColor(230, 140, 20),
    RGBColor(38, 122, 62),
    RGBColor(140, 70, 160),
    RGBColor(200, 60, 60),
    RGBColor(90, 180, 200),
    RGBColor(120, 100, 60),
    RGBColor(220, 120, 170),
];

/// Returns the picture as SVG.
///
/// # Errors
///
/// When there is nothing to draw on, which does not happen in memory.
pub(super) fn svg(planned: &Planned<'_>) -> Result<String, Failed> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (head, rest) = root.split_vertically(72);
        let (prices, rest) = rest.split_vertically(188);
        let (above, below) = rest.split_vertically(250);
        draw_head(&head, planned)?;
        draw_prices(&prices, planned.household)?;
        let preferred = planned.preferred.0;
        let range = [preferred, &planned.found.plan].map(|plan| highest(planned.household, plan));
        let (low, high) = (range[0].0.min(range[1].0), range[0].1.max(range[1].1));
        draw_plan(&above, "As preferred, kW", planned.household, preferred, (low, high))?;
        draw_plan(&below, "Planned, kW", planned.household, &planned.found.plan, (low, high))?;
        root.present()?;
    }
    Ok(svg)
}

fn draw_head(area: &Area<'_>, planned: &Planned<'_>) -> Result<(), Failed> {
    let household = planned.household;
    let (cost, preferred) = (planned.found.cost.total(), planned.preferred.1.cost.total());
    let saving = format!(
        "{}: as preferred {} {}, planned {}, saved {}",
        household.id,
        household.currency,
        money(preferred),
        money(cost),
        money(preferred - cost)
    );
    area.draw(&Text::new(saving, (24, 14), font(20, INK)))?;
    let mut left = 24;
    let names = std::iter::once(("other load", LIGHT_GRAY)).chain(
        household
            .devices
            .iter()
            .zip(COLORS.iter().cycle())
            .map(|(device, color)| (device.id.as_str(), *color)),
    );
    for (name, color) in names {
        area.draw(&Rectangle::new([(left, 47), (left + 12, 59)], color.filled()))?;
        area.draw(&Text::new(name.to_owned(), (left + 18, 46), font(13, GRAY)))?;
        left += 40 + 7 * i32::try_from(name.chars().count()).unwrap_or(0);
    }
    area.draw(&PathElement::new([(left, 53), (left + 12, 53)], INK))?;
    area.draw(&Text::new("exchange with the grid", (left + 18, 46), font(13, GRAY)))
}

fn draw_prices(area: &Area<'_>, household: &Household) -> Result<(), Failed> {
    let tariff = &household.tariff;
    let all = || tariff.import_price.iter().chain(&tariff.export_price).copied();
    let (low, high) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max).max(1e-6));
    let steps = household.horizon.steps();
    let mut chart = chart(area, steps, low..high * 1.4)?;
    mesh(&mut chart, household, &format!("{} per kWh", household.currency))?;
    for (prices, color, name) in
        [(&tariff.import_price, INK, "import"), (&tariff.export_price, GRAY, "export")]
    {
        let stairs = stairs(prices);
        let series = chart.draw_series(LineSeries::new(stairs, color.stroke_width(2)))?;
        series
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(FAINT)
        .label_font(font(12, GRAY))
        .draw()
}

/// The lowest and the highest stack of a plan, kW.
fn highest(household: &Household, plan: &HouseholdPlan) -> (f64, f64) {
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

/// Devices stacked on each other: use above the line, generation below; the net exchange as a line.
fn draw_plan(
    area: &Area<'_>,
    title: &str,
    household: &Household,
    plan: &HouseholdPlan,
    (low, high): (f64, f64),
) -> Result<(), Failed> {
    let steps = household.horizon.steps();
    let mut chart = chart(area, steps, low * 1.05..high * 1.05)?;
    mesh(&mut chart, household, title)?;
    let rows = std::iter::once((&household.site.load_kw, LIGHT_GRAY))
        .chain(plan.device_kw.iter().zip(COLORS.iter().cycle().copied()));
    let (mut below, mut above) = (vec![0.0; steps], vec![0.0; steps]);
    for (row, color) in rows {
        let mut boxes = Vec::new();
        for (t, &power) in row.iter().enumerate() {
            let edge = if power > 0.0 { &mut above[t] } else { &mut below[t] };
            if power.abs() > 1e-4 {
                boxes.push(Rectangle::new(
                    [(at(t), *edge), (at(t + 1), *edge + power)],
                    color.filled(),
                ));
            }
            *edge += power;
        }
        chart.draw_series(boxes)?;
    }
    let net_kw = plan.net_kw(household);
    let stairs = stairs(&net_kw);
    chart.draw_series(LineSeries::new(stairs, INK.stroke_width(1)))?;
    Ok(())
}

fn chart<'a, 'b>(
    area: &'a Area<'b>,
    steps: usize,
    values: std::ops::Range<f64>,
) -> Result<Chart<'a, 'b>, Failed> {
    ChartBuilder::on(area)
        .margin_left(16)
        .margin_right(24)
        .margin_top(10)
        .set_label_area_size(LabelAreaPosition::Left, 70)
        .set_label_area_size(LabelAreaPosition::Bottom, 30)
        .build_cartesian_2d(0.0..at(steps), values)
}

fn mesh(chart: &mut Chart<'_, '_>, household: &Household, title: &str) -> Result<(), Failed> {
    let steps = household.horizon.steps();
    let label = |place: &f64| {
        let step =
            (0..=steps).min_by(|a, b| (at(*a) - place).abs().total_cmp(&(at(*b) - place).abs()));
        clock(&household.horizon, step.unwrap_or(0))
    };
    chart
        .configure_mesh()
        .max_light_lines(0)
        .bold_line_style(FAINT)
        .axis_style(GRAY)
        .label_style(font(12, GRAY))
        .axis_desc_style(font(12, INK))
        .y_desc(title)
        .x_labels(13)
        .x_label_formatter(&label)
        .draw()
}
