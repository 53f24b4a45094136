//! The load of a fleet under its limit, over the prices, as a picture.

use gridtally_schedule::fleet::{Fleet, FleetPlan};
use plotters::prelude::*;

use crate::output::drawing::{
    Area, BLUE, Chart, FAINT, Failed, GRAY, INK, LIGHT_GRAY, ORANGE, font, stairs, step,
};
use crate::output::number::{grouped, money};

/// Width and height, in units of the picture.
const SIZE: (u32, u32) = (1_000, 620);

/// Returns the picture as SVG.
///
/// # Errors
///
/// When there is nothing to draw on, which does not happen in memory.
pub(super) fn svg(fleet: &Fleet, plan: &FleetPlan) -> Result<String, Failed> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (head, rest) = root.split_vertically(48);
        let (prices, load) = rest.split_vertically(200);
        let title = format!(
            "{}: {} devices, cost {} {}, gap {:.4} %",
            fleet.id,
            grouped(fleet.devices() as u64),
            fleet.currency,
            money(plan.cost),
            plan.gap() * 100.0
        );
        head.draw(&Text::new(title, (24, 16), font(20, INK)))?;
        draw_prices(&prices, fleet, plan)?;
        draw_load(&load, fleet, plan)?;
        root.present()?;
    }
    Ok(svg)
}

fn draw_prices(area: &Area<'_>, fleet: &Fleet, plan: &FleetPlan) -> Result<(), Failed> {
    let seen: Vec<f64> = fleet
        .energy_price
        .iter()
        .zip(&plan.prices.transformer)
        .map(|(energy, limit)| energy + limit)
        .collect();
    let all = || fleet.energy_price.iter().chain(&seen).copied();
    let (low, high) = (all().fold(0.0, f64::min), all().fold(1e-6, f64::max));
    let mut chart = chart(area, fleet, low..high * 1.4, &format!("{} per kWh", fleet.currency))?;
    for (values, color, name) in
        [(&seen, ORANGE, "with the price of the transformer"), (&fleet.energy_price, INK, "energy")]
    {
        let series = chart.draw_series(LineSeries::new(stairs(values), color.stroke_width(2)))?;
        series
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    labels(&mut chart)
}

fn draw_load(area: &Area<'_>, fleet: &Fleet, plan: &FleetPlan) -> Result<(), Failed> {
    let whole: Vec<f64> =
        fleet.base_load_kw.iter().zip(&plan.load_kw).map(|(base, load)| base + load).collect();
    let all =
        || whole.iter().chain(&fleet.transformer_limit_kw).chain(&fleet.base_load_kw).copied();
    let (low, high) = (all().fold(0.0, f64::min), all().fold(1e-6, f64::max));
    let mut chart = chart(area, fleet, low..high * 1.3, "kW")?;
    for (values, color, name) in
        [(&whole, BLUE, "fleet"), (&fleet.base_load_kw, LIGHT_GRAY, "other load")]
    {
        let series = chart.draw_series(AreaSeries::new(stairs(values), 0.0, color))?;
        series
            .label(name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 16, y + 5)], color.filled()));
    }
    let limit = chart.draw_series(LineSeries::new(
        stairs(&fleet.transformer_limit_kw),
        ORANGE.stroke_width(2),
    ))?;
    limit
        .label("limit")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], ORANGE.stroke_width(2)));
    labels(&mut chart)
}

fn chart<'a, 'b>(
    area: &'a Area<'b>,
    fleet: &Fleet,
    values: std::ops::Range<f64>,
    title: &str,
) -> Result<Chart<'a, 'b>, Failed> {
    let clock = |step: &f64| {
        let minutes =
            f64::from(fleet.start_clock_h) * 60.0 + step * f64::from(fleet.resolution_min);
        let of_day = minutes.rem_euclid(1_440.0);
        format!("{:02.0}:{:02.0}", (of_day / 60.0).floor(), of_day.rem_euclid(60.0))
    };
    timed(area, fleet.steps(), &clock, values, title)
}

/// Returns a chart over steps that `clock` names.
pub(super) fn timed<'a, 'b>(
    area: &'a Area<'b>,
    steps: usize,
    clock: &dyn Fn(&f64) -> String,
    values: std::ops::Range<f64>,
    title: &str,
) -> Result<Chart<'a, 'b>, Failed> {
    let mut chart = ChartBuilder::on(area)
        .margin_left(16)
        .margin_right(24)
        .margin_top(10)
        .set_label_area_size(LabelAreaPosition::Left, 76)
        .set_label_area_size(LabelAreaPosition::Bottom, 30)
        .build_cartesian_2d(0.0..step(steps), values)?;
    chart
        .configure_mesh()
        .max_light_lines(0)
        .bold_line_style(FAINT)
        .axis_style(GRAY)
        .label_style(font(12, GRAY))
        .axis_desc_style(font(12, INK))
        .y_desc(title)
        .x_labels(13)
        .x_label_formatter(clock)
        .draw()?;
    Ok(chart)
}

/// Draws what the series are called.
pub(super) fn labels<'a, 'b: 'a>(chart: &mut Chart<'a, 'b>) -> Result<(), Failed> {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(FAINT)
        .label_font(font(12, GRAY))
        .draw()
}
