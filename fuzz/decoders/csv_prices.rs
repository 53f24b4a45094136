//! Tables of prices: the first byte says how the table is to be read, the rest is the file, plain or gzip.

use gridtally_aggregator::import::Limits;
use gridtally_aggregator::import::csv::{
    Context, DecimalSign, Label, Layout, PriceColumn, PriceUnit, Repeated, Stamp, StampZone, prices,
};
use gridtally_core::calendar::Zone;
use gridtally_core::period::Resolution;
use jiff::Timestamp;

pub(crate) fn decode(bytes: &[u8]) {
    let Some((&options, file)) = bytes.split_first() else { return };
    let is_set = |bit: u8| options >> bit & 1 == 1;
    let layout = Layout {
        separator: None,
        decimal: if is_set(0) { DecimalSign::Comma } else { DecimalSign::Point },
        time_column: "time".to_owned(),
        time_format: None,
        stamp: if is_set(1) { Stamp::End } else { Stamp::Start },
        zone: StampZone::Offset(if is_set(2) { 3_600 } else { 0 }),
        repeated: Repeated::ByOrder,
        resolution: if is_set(3) { Resolution::Minutes60 } else { Resolution::Minutes30 },
        label: Label::Fixed("NO2".parse().expect("it is a name")),
        skip_refused: is_set(4),
    };
    let unit = if is_set(5) { PriceUnit::PerKwh } else { PriceUnit::PerMwh };
    let columns = [("price", None), ("other", "NO1".parse().ok())]
        .map(|(name, area)| PriceColumn { name: name.to_owned(), area, unit });
    let context = Context {
        file: "seed".to_owned(),
        now: Timestamp::from_second(1_800_000_000).expect("it is in range"),
        oldest: None,
        report_zone: Zone::UTC,
        limits: Limits { bytes_max: 1 << 20, rows_max: 10_000, ..Limits::default() },
    };
    if let Ok(read) = prices(file, &layout, &columns[..1 + usize::from(is_set(6))], &context) {
        for column in read.columns.values() {
            assert!(column.rows().is_sorted_by(|a, b| a.0 < b.0));
            assert!(column.rows().iter().all(|&(_, price)| i32::try_from(price).is_ok()));
        }
    }
}
