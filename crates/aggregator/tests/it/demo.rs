//! The demonstration, from readings to verified records.

use expect_test::expect;
use gridtally_aggregator::cycle::CycleProgress;
use gridtally_aggregator::demo::{BATCH_STORE_FOLDER, STORE_FOLDER, run_demo};
use gridtally_aggregator::sim::NeighborhoodOptions;

use crate::world::{at, faults};

#[tokio::test(flavor = "multi_thread")]
async fn a_neighborhood_settles_two_days_and_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let options = NeighborhoodOptions::default();
    let mut steps = Vec::new();
    let mut listener = |progress: CycleProgress| {
        if steps.last() != Some(&progress.step) {
            steps.push(progress.step);
        }
    };
    let now = at("2026-10-28T06:00:00Z");
    let demo = run_demo(folder.path(), options, now, &mut listener).await.unwrap();
    let summary = &demo.summary;
    assert!(summary.is_verified, "{:?}", demo.settlement.verification.findings);
    assert_eq!(summary.balance_micro, 0);
    assert_eq!(summary.paid_micro - summary.received_micro, summary.hub_micro);
    // 30 import and 10 export channels, 100 + 96 quarter-hours.
    assert_eq!((summary.reading_count, summary.record_count), (7_840, 7_840));
    let hours: Vec<i64> = summary.days.iter().map(|day| day.hours).collect();
    assert_eq!(hours, [25, 24]);
    // The energies are those that the simulation's own test states.
    assert_eq!((summary.import_wh, summary.export_wh), (1_868_196, 90_839));
    assert_eq!(summary.records.len(), 4);
    for record in &summary.records {
        let (energy_wh, price) =
            (i64::from(record.energy_wh), i64::from(record.price_micro_per_kwh));
        assert_eq!(record.chain_micro, energy_wh * price / 1_000);
        assert_eq!(record.chain_micro, record.recomputed_micro);
    }
    expect!["paid 158577776 received 5735804 hub 152841972"].assert_eq(&format!(
        "paid {} received {} hub {}",
        summary.paid_micro, summary.received_micro, summary.hub_micro
    ));
    assert!((4_000..8_000).contains(&summary.gas_per_record), "{}", summary.gas_per_record);
    // Two days of UTC and the hour before them; a deposit of each household and a withdrawal beside the readings.
    let batch = &summary.batch;
    assert!(batch.is_verified);
    assert_eq!(batch.batch_count, 3);
    expect!["30"].assert_eq(&(batch.record_count - 7_840 - 1).to_string());
    assert!(batch.gas_per_record < 300, "{}", batch.gas_per_record);
    let fraud = &batch.fraud;
    assert_eq!((fraud.seq, fraud.rule.as_str(), fraud.stolen_micro), (3, "R4", 1_000_000));
    assert!(fraud.gas < 180_000, "{}", fraud.gas);
    // What it had paid in and did not use.
    expect!["97520000"].assert_eq(&batch.claim.amount_micro.to_string());
    expect!["metering, settling, registering participants, publishing tariffs, funding participants, settling on the chain, checking files, computing runs again, comparing balances, metering, settling, registering participants, publishing tariffs, funding participants, committing batches, checking files, computing runs again, judging batches, settling, committing batches, checking files, computing runs again, judging batches"].assert_eq(&steps.join(", "));
    for store in [STORE_FOLDER, BATCH_STORE_FOLDER] {
        assert_eq!(faults(&folder.path().join(store)), Vec::<String>::new());
    }
}
