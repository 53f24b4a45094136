//! The comparison as a picture: what a record costs each way, and how large a batch has to be.
//!
//! The same costs give the same bytes: nothing of the machine, above all none of its fonts, has a part in it.

use gridtally_settlement::{BLOBS_MAX, CALLDATA_RECORDS_MAX, RECORDS_PER_BLOB};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::gas::Gas;
use super::{MICRO_USD_AIM, Market};
use crate::output::drawing::{Area, BLUE, FAINT, FONT, Failed, GRAY, GREEN, INK, ORANGE};

/// Width and height, in units of the picture.
const SIZE: (u32, u32) = (960, 980);
/// Height of title, bars and curves; the notes have the rest.
const HEIGHTS: (i32, i32, i32) = (64, 400, 370);
/// From the left edge to where bars and curves begin.
const LEFT: i32 = 270;
/// From where the axis ends to the right edge.
const RIGHT: i32 = 90;
const BAR_HEIGHT: i32 = 20;
/// Least and most that an axis may show, in micro-dollars: what is beyond is drawn at its end.
const MICRO_USD_RANGE: (f64, f64) = (1e-3, 1e12);

/// What a picture shows.
#[derive(Debug)]
pub(super) struct Picture<'a> {
    pub(super) market: &'a Market,
    pub(super) gas: &'a Gas,
    /// The day, the market and what they are based on.
    pub(super) subtitle: String,
    pub(super) bars: Vec<Bar>,
    /// Records and blobs of the smallest batch that is cheap enough.
    pub(super) smallest: Option<(u64, u64)>,
    pub(super) notes: Vec<String>,
}

/// What a record costs one way.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) name: String,
    /// Micro-dollars of so many records.
    pub(super) micro_usd: i128,
    pub(super) records: u64,
    /// As the table shows it.
    pub(super) usd: String,
}

impl Picture<'_> {
    /// Returns the picture as SVG.
    ///
    /// # Errors
    ///
    /// When there is nothing to draw on, which does not happen in memory.
    pub(super) fn svg(&self) -> Result<String, Failed> {
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            root.fill(&WHITE)?;
            let (title, bars, curves) = HEIGHTS;
            let (head, rest) = root.split_vertically(title);
            let (middle, rest) = rest.split_vertically(bars);
            let (below, notes) = rest.split_vertically(curves);
            text(&head, "What a settlement record costs", (24, 26), 22, INK, HPos::Left)?;
            text(&head, &self.subtitle, (24, 50), 13, GRAY, HPos::Left)?;
            self.draw_bars(&middle)?;
            self.draw_curves(&below)?;
            for (row, note) in (0..).zip(&self.notes) {
                text(&notes, note, (24, 24 + 16 * row), 12, GRAY, HPos::Left)?;
            }
            root.present()?;
        }
        Ok(svg)
    }

    fn draw_bars(&self, area: &Area<'_>) -> Result<(), Failed> {
        let costs: Vec<f64> =
            self.bars.iter().map(|bar| micro_usd_each(bar.micro_usd, bar.records)).collect();
        let aim = micro_usd_each(MICRO_USD_AIM.into(), 1);
        let (low, high) = decades(costs.iter().copied().chain([aim]));
        let axis = Axis { low, high, from: LEFT, to: width() - RIGHT };
        let bottom = HEIGHTS.1 - 44;
        for (decade, at) in axis.decades() {
            area.draw(&PathElement::new(vec![(at, 8), (at, bottom)], FAINT))?;
            text(area, &decade, (at, bottom + 12), 12, GRAY, HPos::Center)?;
        }
        let below = (axis.from + (axis.to - axis.from) / 2, bottom + 31);
        text(area, "USD per record, logarithmic", below, 12, INK, HPos::Center)?;
        let at = axis.at(aim);
        area.draw(&PathElement::new(vec![(at, 0), (at, bottom)], INK))?;
        text(area, "USD 0.001", (at + 6, 4), 12, INK, HPos::Left)?;
        let step = (bottom - 16) / i32::try_from(self.bars.len().max(1)).unwrap_or(i32::MAX);
        for ((row, bar), &cost) in (0..).zip(&self.bars).zip(&costs) {
            let middle = 14 + step * row + step / 2;
            let (top, end) = (middle - BAR_HEIGHT / 2, axis.at(cost));
            let color = if cost < aim { GREEN } else { ORANGE };
            let corners = [(axis.from, top), (end, top + BAR_HEIGHT)];
            area.draw(&Rectangle::new(corners, color.filled()))?;
            text(area, &bar.name, (axis.from - 10, middle), 13, INK, HPos::Right)?;
            // So that no line runs through the number.
            let length = i32::try_from(bar.usd.chars().count()).unwrap_or(i32::MAX);
            let behind = [(end + 4, top + 2), (end + 8 + 7 * length, top + BAR_HEIGHT - 2)];
            area.draw(&Rectangle::new(behind, WHITE.filled()))?;
            text(area, &bar.usd, (end + 7, middle), 13, INK, HPos::Left)?;
        }
        Ok(())
    }

    fn draw_curves(&self, area: &Area<'_>) -> Result<(), Failed> {
        let blobs = self.curve((BLOBS_MAX * RECORDS_PER_BLOB) as u64, |records| {
            let blobs = records.div_ceil(RECORDS_PER_BLOB as u64);
            let (gas, blob_gas, _) = self.gas.of_batch(blobs);
            self.market.with_blobs_micro_usd_rounded(gas, blob_gas)
        });
        let calldata = self.curve(CALLDATA_RECORDS_MAX.into(), |records| {
            Some(self.market.micro_usd_rounded(self.gas.of_calldata_batch(records)))
        });
        let aim = micro_usd_each(MICRO_USD_AIM.into(), 1);
        let costs = blobs.iter().chain(&calldata).map(|point| point.1).chain([aim]);
        let (low, high) = decades(costs);
        let mut chart = ChartBuilder::on(area)
            .margin_left(LEFT - 100)
            .margin_right(RIGHT)
            .margin_top(34)
            .set_label_area_size(LabelAreaPosition::Left, 100)
            .set_label_area_size(LabelAreaPosition::Bottom, 44)
            .build_cartesian_2d((1.0..1e5).log_scale(), (low..high).log_scale())?;
        let axes = font(12, INK);
        chart
            .configure_mesh()
            .max_light_lines(0)
            .bold_line_style(FAINT)
            .axis_style(GRAY)
            .label_style(font(12, GRAY))
            .axis_desc_style(axes)
            .x_desc("records in a batch, logarithmic")
            .y_desc("USD per record, logarithmic")
            .x_label_formatter(&|records| format!("{records:.0}"))
            .y_label_formatter(&|&micro_usd| usd_of(micro_usd))
            .draw()?;
        let axis = |point: (f64, f64)| chart.backend_coord(&point);
        // Within this part of the picture, which begins below the bars.
        let offset = HEIGHTS.0 + HEIGHTS.1;
        let at = |point: (f64, f64)| {
            let (x, y) = axis(point);
            (x, y - offset)
        };
        let line = vec![at((1.0, aim)), at((1e5, aim))];
        area.draw(&PathElement::new(line, INK))?;
        let (x, y) = at((1e5, aim));
        text(area, "USD 0.001", (x + 6, y), 12, INK, HPos::Left)?;
        for (points, color, name, name_at) in [
            (&calldata, ORANGE, "in calldata", (20, 20)),
            (&blobs, BLUE, "in up to 6 blobs", (20, 40)),
        ] {
            if points.is_empty() {
                continue;
            }
            let path: Vec<_> = points.iter().map(|&point| at(point)).collect();
            area.draw(&PathElement::new(path, color.stroke_width(2)))?;
            let (x, y) = (LEFT + 320 + name_at.0, 34 + name_at.1);
            area.draw(&PathElement::new(vec![(x, y), (x + 26, y)], color.stroke_width(2)))?;
            text(area, name, (x + 34, y), 12, INK, HPos::Left)?;
        }
        if let Some((records, _)) = self.smallest {
            let (x, y) = at((count(records), aim));
            area.draw(&Circle::new((x, y), 4, INK.filled()))?;
            let said = format!("from {} records on", crate::output::number::grouped(records));
            text(area, &said, (x - 8, y + 16), 12, INK, HPos::Right)?;
        }
        text(area, "One batch, committed and made final", (LEFT, 18), 14, INK, HPos::Left)
    }

    /// Returns what a record costs in batches of rising size, at each size where a curve bends.
    fn curve(&self, records_max: u64, micro_usd: impl Fn(u64) -> Option<i128>) -> Vec<(f64, f64)> {
        let steps = std::iter::successors(Some(1_u64), |records| Some(records * 9 / 8 + 1))
            .take_while(|&records| records < records_max);
        let ends = (1..=BLOBS_MAX as u64)
            .flat_map(|blobs| [0, 1].map(|next| blobs * RECORDS_PER_BLOB as u64 + next));
        let mut sizes: Vec<u64> =
            steps.chain(ends.filter(|&size| size < records_max)).chain([records_max]).collect();
        sizes.sort_unstable();
        let point = |records| Some((count(records), micro_usd_each(micro_usd(records)?, records)));
        sizes.into_iter().filter_map(point).collect()
    }
}

/// A logarithmic axis from left to right, between two powers of ten of micro-dollars.
struct Axis {
    low: f64,
    high: f64,
    from: i32,
    to: i32,
}

impl Axis {
    /// Returns where so many micro-dollars are.
    #[expect(clippy::cast_possible_truncation, reason = "rounded to a place between two others")]
    fn at(&self, micro_usd: f64) -> i32 {
        let part = (micro_usd / self.low).log10() / (self.high / self.low).log10();
        self.from + (part.clamp(0.0, 1.0) * f64::from(self.to - self.from)).round() as i32
    }

    /// Returns each power of ten and where it is.
    fn decades(&self) -> impl Iterator<Item = (String, i32)> {
        let steps = std::iter::successors(Some(self.low), |&low| Some(low * 10.0));
        steps.take_while(|&low| low < self.high * 2.0).map(|low| (usd_of(low), self.at(low)))
    }
}

/// Returns the powers of ten around what is to be shown, in micro-dollars.
fn decades(costs: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let (least, most) = MICRO_USD_RANGE;
    let low = costs.clone().fold(most, f64::min).max(least);
    let high = costs.fold(least, f64::max).min(most);
    let (mut from, mut to) = (least, most);
    while from * 10.0 <= low {
        from *= 10.0;
    }
    while to / 10.0 >= high {
        to /= 10.0;
    }
    (from, to.max(from * 10.0))
}

/// Returns a power of ten of micro-dollars in dollars, without needless digits.
fn usd_of(micro_usd: f64) -> String {
    let text = format!("{:.9}", micro_usd / 1e6);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "for the eye")]
fn micro_usd_each(micro_usd: i128, records: u64) -> f64 {
    let (least, most) = MICRO_USD_RANGE;
    (micro_usd as f64 / records.max(1) as f64).clamp(least, most)
}

#[expect(clippy::cast_precision_loss, reason = "for the eye")]
fn count(records: u64) -> f64 {
    records as f64
}

fn width() -> i32 {
    i32::try_from(SIZE.0).unwrap_or(i32::MAX)
}

fn font(size: i32, color: RGBColor) -> TextStyle<'static> {
    let pos = Pos::new(HPos::Left, VPos::Center);
    TextStyle { font: (FONT, size).into_font(), color: color.to_backend_color(), pos }
}

/// Writes text beside a point, in the middle of its height.
fn text(
    area: &Area<'_>,
    said: &str,
    at: (i32, i32),
    size: i32,
    color: RGBColor,
    horizontal: HPos,
) -> Result<(), Failed> {
    let style = font(size, color).pos(Pos::new(horizontal, VPos::Center));
    area.draw_text(said, &style, at)
}
