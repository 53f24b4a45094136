//! What pictures share: colors, letters, and lines that stay level within a step. Nothing of the machine, above all none of its
//! fonts, has a part in it, so that the same content gives the same bytes.

use gridtally_schedule::household::Horizon;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

pub(crate) const FONT: &str = "sans-serif";
pub(crate) const INK: RGBColor = RGBColor(32, 33, 36);
pub(crate) const FAINT: RGBColor = RGBColor(214, 217, 222);
pub(crate) const GRAY: RGBColor = RGBColor(95, 99, 104);
pub(crate) const LIGHT_GRAY: RGBColor = RGBColor(170, 174, 180);
pub(crate) const BLUE: RGBColor = RGBColor(26, 95, 180);
pub(crate) const ORANGE: RGBColor = RGBColor(198, 90, 17);
/// What must not be.
pub(crate) const RED: RGBColor = RGBColor(190, 30, 45);
/// Areas of prices, light enough for lines before them.
pub(crate) const PRICE: RGBColor = RGBColor(196, 205, 216);
pub(crate) const GREEN: RGBColor = RGBColor(38, 122, 62);

/// Why a picture cannot be drawn, which does not happen in memory.
pub(crate) type Failed = DrawingAreaErrorKind<std::io::Error>;
/// A part of a picture.
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// A chart over the steps of a horizon.
pub(crate) type Chart<'a, 'b> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Returns letters of a size and color.
pub(crate) fn font(size: i32, color: RGBColor) -> TextStyle<'static> {
    (FONT, size).into_font().color(&color)
}

/// Returns the corners of a line that stays level within a step.
pub(crate) fn stairs(values: &[f64]) -> Vec<(f64, f64)> {
    let corners = |(t, &value): (usize, &f64)| [(step(t), value), (step(t + 1), value)];
    values.iter().enumerate().flat_map(corners).collect()
}

/// Returns where a step begins on the axis.
#[expect(clippy::cast_precision_loss, reason = "numbers of steps")]
pub(crate) const fn step(number: usize) -> f64 {
    number as f64
}

/// A chart with a line at each midnight of the clocks, and the names of the days between them.
pub(crate) fn days_chart<'a, 'b>(
    area: &'a Area<'b>,
    horizon: &Horizon,
    range: std::ops::Range<f64>,
    title: &str,
    labels: usize,
) -> Result<Chart<'a, 'b>, Failed> {
    /// Beside the chart, units of the picture.
    const LEFT: u32 = 70;
    const RIGHT: u32 = 24;
    let steps = horizon.steps();
    let (low, high) = (range.start, range.end);
    let mut chart = ChartBuilder::on(area)
        .margin_left(10)
        .margin_right(RIGHT)
        .margin_top(14)
        .set_label_area_size(LabelAreaPosition::Left, LEFT - 10)
        .set_label_area_size(LabelAreaPosition::Bottom, 26)
        .build_cartesian_2d(0.0..step(steps), range)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(0)
        .y_labels(labels)
        .max_light_lines(0)
        .bold_line_style(FAINT)
        .axis_style(GRAY)
        .label_style(font(12, GRAY))
        .axis_desc_style(font(12, INK))
        .y_desc(title)
        .draw()?;
    let (width, height) = area.dim_in_pixel();
    let bottom = i32::try_from(height).unwrap_or(i32::MAX) - 20;
    let place = |number: usize| {
        let inner = f64::from(width - LEFT - RIGHT);
        f64::from(LEFT) + inner * step(number) / step(steps)
    };
    for day in horizon.days() {
        if day.start > 0 {
            let midnight = [(step(day.start), low), (step(day.start), high)];
            chart.draw_series([PathElement::new(midnight, LIGHT_GRAY)])?;
        }
        // Not enough room for a name.
        if day.len() * 6 < steps / horizon.days().len() {
            continue;
        }
        let name = horizon.local(day.start).strftime("%a %-d %b").to_string();
        let middle = f64::midpoint(place(day.start), place(day.end));
        let left = middle - 3.3 * step(name.chars().count());
        #[expect(clippy::cast_possible_truncation, reason = "units of the picture")]
        let place = (left as i32, bottom);
        area.draw(&Text::new(name, place, font(13, GRAY)))?;
    }
    Ok(chart)
}
