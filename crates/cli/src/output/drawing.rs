//! What pictures share: colors, letters, and lines that stay level within a step. Nothing of the machine, above all none of its
//! fonts, has a part in it, so that the same content gives the same bytes.

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
