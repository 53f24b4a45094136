//! What a run is called, what it sums to, and how it compares with a chain.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use expect_test::expect;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementCalendar, SettlementPeriod, Slot};
use gridtally_core::quantity::{Amount, Price};
use gridtally_settlement::{
    Code, Difference, DirectRecord, EstimatedPolicy, MissingPolicy, PeriodRecords, RunManifest,
    RunSummary, Section, Settled, SlotEnergy, TariffTable, first_difference, settle_period,
};
use proptest::prelude::*;

fn manifest() -> RunManifest {
    RunManifest {
        code_version: "0.1.0".into(),
        calendar: SettlementCalendar::new("2026-10-22T00:00:00Z".parse().unwrap(), 86_400, 96)
            .unwrap(),
        from: "2026-10-24T22:00:00Z".parse().unwrap(),
        until: "2026-10-26T23:00:00Z".parse().unwrap(),
        run: 0,
        missing: MissingPolicy::LeaveOut,
        estimated: EstimatedPolicy::Settle,
        price_shift_weeks: 417,
        inputs: BTreeMap::from([("readings home_01".into(), "aa".into())]),
        tariff_hashes: BTreeMap::from([(SettlementPeriod(2), B256::ZERO)]),
    }
}

#[test]
fn a_run_is_named_by_everything_it_used() {
    let id = manifest().id();
    assert_eq!(manifest().id(), id);
    let changes: [fn(&mut RunManifest); 7] = [
        |manifest| manifest.code_version.push('1'),
        |manifest| manifest.run = 1,
        |manifest| manifest.missing = MissingPolicy::Refuse,
        |manifest| manifest.estimated = EstimatedPolicy::Refuse,
        |manifest| manifest.price_shift_weeks = 0,
        |manifest| drop(manifest.inputs.insert("prices".into(), "bb".into())),
        |manifest| manifest.tariff_hashes.clear(),
    ];
    for change in changes {
        let mut other = manifest();
        change(&mut other);
        assert_ne!(other.id(), id, "{other:?}");
    }
    expect![[r#"
        gridtally-run 1
        code_version "0.1.0"
        genesis_time 2026-10-22T00:00:00Z
        period_length_s 86400
        slots_per_period 96
        from 2026-10-24T22:00:00Z
        until 2026-10-26T23:00:00Z
        run 0
        missing leave_out
        estimated settle
        price_shift_weeks 417
        input "readings home_01" "aa"
        tariff 2 0x0000000000000000000000000000000000000000000000000000000000000000
    "#]]
    .assert_eq(&manifest().canonical());
}

#[test]
fn no_input_looks_like_another() {
    let with = |inputs: &[(&str, &str)]| RunManifest {
        inputs: inputs.iter().map(|&(name, hash)| (name.to_owned(), hash.to_owned())).collect(),
        ..manifest()
    };
    let one = with(&[("a", "1\"\ninput \"b\" \"2")]);
    let two = with(&[("a", "1"), ("b", "2")]);
    assert_ne!(one.id(), two.id());
    assert_eq!(one.canonical().lines().count() + 1, two.canonical().lines().count());
    assert!(with(&[("målepunkt 1", "aa")]).canonical().is_ascii());
}

fn settle(period: u32, values: &[i64]) -> PeriodRecords {
    let prices = vec![Price::from_micro_per_kwh(1_000); 8];
    let table = TariffTable::new(
        8,
        BTreeMap::from([(Code::FEED_IN, prices.clone()), (Code::CONSUMPTION, prices)]),
    );
    let energy: Vec<_> = values.iter().map(|&wh| SlotEnergy::from_wh(wh).unwrap()).collect();
    let (feed_in, consumption) = energy.split_at(energy.len() / 2);
    let section = |code, energy| Section {
        participant: ParticipantNumber(1),
        code,
        first_slot: Slot(0),
        energy,
    };
    let sections = [section(Code::FEED_IN, feed_in), section(Code::CONSUMPTION, consumption)];
    settle_period(SettlementPeriod(period), &table.unwrap(), sections, MissingPolicy::Refuse)
        .unwrap()
}

proptest! {
    /// Funds are needed in the order of the records, wherever a run is cut into periods.
    #[test]
    fn positions_join_as_if_they_were_one(
        periods in proptest::collection::vec(proptest::collection::vec(0_i64..1_000, 8), 1..5),
    ) {
        let (mut summary, mut halves) = (RunSummary::default(), [RunSummary::default(), RunSummary::default()]);
        let (mut balance, mut lowest) = (0_i128, 0_i128);
        for (number, values) in (1..).zip(&periods) {
            let settled = settle(number, values);
            summary.append(&settled);
            halves[usize::from(2 * number as usize > periods.len())].append(&settled);
            for priced in &settled.records {
                balance += i128::from(priced.amount.micro());
                lowest = lowest.min(balance);
            }
        }
        let [mut first, second] = halves;
        first.join(&second);
        prop_assert_eq!(&first, &summary);
        let position = summary.totals.participants[&ParticipantNumber(1)];
        prop_assert_eq!((position.net_micro(), position.needed_micro()), (balance, -lowest));
    }
}

#[test]
fn the_first_difference_is_named() {
    let settled = |slot: u16, energy_wh: i32, micro: i64| Settled {
        record: DirectRecord {
            period: SettlementPeriod(3),
            run: 0,
            from: ParticipantNumber(1),
            to: ParticipantNumber::HUB,
            code: Code::CONSUMPTION,
            slot: Slot(slot),
            energy_wh,
        },
        amount: Amount::from_micro(micro),
    };
    let books = [settled(0, 500, 250), settled(1, 600, 300)];
    let check = |chain: &[Settled], expected: expect_test::Expect| {
        let found = first_difference(books, chain.iter().copied());
        expected.assert_eq(
            &found.map_or("none".to_owned(), |difference: Difference| difference.to_string()),
        );
    };
    check(&[settled(1, 600, 300), settled(0, 500, 250)], expect!["none"]);
    check(
        &[settled(1, 600, 300)],
        expect![
            "period 3 slot 0 code 32 from 1 to 0 run 0: 500 Wh are in the books but not on the chain"
        ],
    );
    check(
        &[settled(0, 500, 250), settled(1, 601, 300)],
        expect![
            "period 3 slot 1 code 32 from 1 to 0 run 0: the books say 600 Wh, the chain says 601 Wh"
        ],
    );
    check(
        &[settled(0, 500, 251), settled(1, 601, 300)],
        expect![
            "period 3 slot 0 code 32 from 1 to 0 run 0: recomputed 250 micro-units, the chain moved 251"
        ],
    );
    check(
        &[settled(0, 500, 250), settled(0, 500, 250)],
        expect!["period 3 slot 0 code 32 from 1 to 0 run 0: it stands there twice"],
    );
    check(
        &[settled(0, 500, 250), settled(1, 600, 300), settled(2, 7, 1)],
        expect![
            "period 3 slot 2 code 32 from 1 to 0 run 0: 7 Wh are on the chain but not in the books"
        ],
    );
}
