//! Price documents of ENTSO-E, plain or gzip.

use gridtally_aggregator::import::Limits;
use gridtally_aggregator::import::csv::Context;
use gridtally_aggregator::import::entsoe::prices;
use gridtally_core::calendar::Zone;
use jiff::Timestamp;

pub(crate) fn decode(bytes: &[u8]) {
    let context = Context {
        file: "seed".to_owned(),
        now: Timestamp::from_second(1_800_000_000).expect("it is in range"),
        oldest: None,
        report_zone: Zone::UTC,
        limits: Limits { document_bytes_max: 1 << 20, rows_max: 100_000, ..Limits::default() },
    };
    if let Ok(read) = prices(bytes, &context) {
        for (product, column) in &read.columns {
            assert_eq!(column.resolution(), product.resolution);
            assert!(column.rows().is_sorted_by(|a, b| a.0 < b.0));
        }
        assert!(!read.columns.is_empty());
    }
}
