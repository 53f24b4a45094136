//! Settling and correcting one period.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_core::quantity::Price;
use gridtally_settlement::{
    Code, Gap, MissingPolicy, PeriodRecords, PeriodRefused, Section, SlotEnergy, TariffTable,
    correct_period, settle_period,
};
use proptest::prelude::*;

const SLOTS: u16 = 4;
const PERIOD: SettlementPeriod = SettlementPeriod(3);

fn table() -> TariffTable {
    let row = |prices: [i32; 4]| prices.map(Price::from_micro_per_kwh).to_vec();
    let rows = BTreeMap::from([
        (Code::FEED_IN, row([300_000, -100_001, 0, 999])),
        (Code::CONSUMPTION, row([500_000, 500_000, -50_000, 1])),
    ]);
    TariffTable::new(SLOTS, rows).unwrap()
}

/// One line for each section: participant, code, first slot, watt-hours or `-`.
fn settle(text: &str, missing: MissingPolicy) -> Result<PeriodRecords, PeriodRefused> {
    let energies = text.lines().map(|line| {
        let mut words = line.split_whitespace();
        let mut next = || words.next().unwrap().parse::<u32>().unwrap();
        let participant = ParticipantNumber(next());
        let code = Code::new(u8::try_from(next()).unwrap()).unwrap();
        let first_slot = Slot(u16::try_from(next()).unwrap());
        let energy = words.map(|word| match word {
            "-" => SlotEnergy::MISSING,
            "rejected" => SlotEnergy::gap(Gap::Rejected),
            "temporary" => SlotEnergy::gap(Gap::Temporary),
            "estimated" => SlotEnergy::gap(Gap::Estimated),
            wh => SlotEnergy::from_wh(wh.parse().unwrap()).unwrap(),
        });
        (participant, code, first_slot, energy.collect::<Vec<_>>())
    });
    let energies: Vec<_> = energies.collect();
    let sections = energies.iter().map(|(participant, code, first_slot, energy)| Section {
        participant: *participant,
        code: *code,
        first_slot: *first_slot,
        energy,
    });
    settle_period(PERIOD, &table(), sections, missing)
}

fn print(settled: &PeriodRecords) -> String {
    let mut text = String::new();
    for priced in &settled.records {
        let record = priced.record;
        let (participant, code, slot) = (record.participant(), record.code(), record.slot());
        let (value, amount) = (record.value(), priced.amount.micro());
        text += &format!("{participant} code {code} slot {slot}: {value} Wh {amount}\n");
    }
    for (participant, position) in &settled.totals.participants {
        let (net, needed) = (position.net_micro(), position.needed_micro());
        text += &format!("participant {participant}: net {net} needs {needed}\n");
    }
    let hub = settled.totals.hub;
    text += &format!("hub: net {} needs {}\n", hub.net_micro(), hub.needed_micro());
    let gaps = settled.totals.gaps.iter();
    let gaps: Vec<_> = gaps
        .map(|((participant, code, gap), count)| {
            format!(", {count} {gap} of {participant} code {code}")
        })
        .collect();
    text + &format!("gaps {}{}\n", settled.totals.gap_count, gaps.concat())
}

fn check(text: &str, missing: MissingPolicy, expected: Expect) {
    expected.assert_eq(&match settle(text, missing) {
        Ok(settled) => print(&settled),
        Err(refused) => format!("{refused}\n"),
    });
}

#[test]
fn energy_is_priced_and_balanced() {
    check(
        "1 1 0 1000 10 7 1\n1 32 0 2000 0 1000 -\n2 32 0 estimated 333 rejected rejected",
        MissingPolicy::LeaveOut,
        expect![[r#"
            1 code 1 slot 0: 1000 Wh 300000
            1 code 1 slot 1: 10 Wh -1000
            1 code 1 slot 2: 7 Wh 0
            1 code 1 slot 3: 1 Wh 0
            1 code 32 slot 0: 2000 Wh -1000000
            1 code 32 slot 1: 0 Wh 0
            1 code 32 slot 2: 1000 Wh 50000
            2 code 32 slot 1: 333 Wh -166500
            participant 1: net -651000 needs 701000
            participant 2: net -166500 needs 166500
            hub: net 817500 needs 300000
            gaps 4, 1 missing of 1 code 32, 2 rejected of 2 code 32, 1 estimated of 2 code 32
        "#]],
    );
}

#[test]
fn refusals_name_the_participant_and_the_slot() {
    let refuse = MissingPolicy::Refuse;
    check(
        "2 32 0 1\n1 32 0 1",
        refuse,
        expect!["participant 1 code 32 slot 0 does not come after the one before it\n"],
    );
    check(
        "1 32 0 1 1\n1 32 1 1",
        refuse,
        expect!["participant 1 code 32 slot 1 does not come after the one before it\n"],
    );
    check("0 32 0 1", refuse, expect!["participant 0 is the hub and cannot settle with itself\n"]);
    check("1 2 0 1", refuse, expect!["the tariff of period 3 has no price for code 2\n"]);
    check("1 63 0 1", refuse, expect!["the tariff of period 3 has no price for code 63\n"]);
    check("1 32 2 1 1 1", refuse, expect!["participant 1 code 32 has values beyond slot 4\n"]);
    check("1 32 1 5 -", refuse, expect!["participant 1 code 32 period 3 slot 2 is missing\n"]);
    check(
        "1 32 1 5 temporary",
        refuse,
        expect!["participant 1 code 32 period 3 slot 2 is temporary\n"],
    );
    let zero = settle_period(SettlementPeriod(0), &table(), [], refuse);
    assert_eq!(zero, Err(PeriodRefused::PeriodZero));
}

#[test]
fn a_correction_is_the_signed_difference() {
    let before = settle("1 32 0 2000 100\n2 32 1 333", MissingPolicy::Refuse).unwrap();
    let after = settle("1 32 0 1500 100 40\n3 1 0 10", MissingPolicy::Refuse).unwrap();
    let correction = correct_period(PERIOD, &table(), &before.records, &after.records).unwrap();
    expect![[r#"
        1 code 32 slot 0: -500 Wh 250000
        1 code 32 slot 2: 40 Wh 2000
        2 code 32 slot 1: -333 Wh 166500
        3 code 1 slot 0: 10 Wh 3000
        participant 1: net 252000 needs 0
        participant 2: net 166500 needs 0
        participant 3: net 3000 needs 0
        hub: net -421500 needs 421500
        gaps 0
    "#]]
    .assert_eq(&print(&correction));
    let nothing = correct_period(PERIOD, &table(), &after.records, &after.records).unwrap();
    assert!(nothing.records.is_empty());
}

#[test]
fn the_largest_energy_fits() {
    check(
        "1 32 0 2147483647",
        MissingPolicy::Refuse,
        expect![[r#"
            1 code 32 slot 0: 2147483647 Wh -1073741823500
            participant 1: net -1073741823500 needs 1073741823500
            hub: net 1073741823500 needs 0
            gaps 0
        "#]],
    );
}

/// The largest period there can be: 1024 slots of the largest energy at the lowest price, twice, and back again.
#[test]
fn the_largest_sums_are_exact() {
    let lowest = vec![Price::from_micro_per_kwh(i32::MIN); 1_024];
    let rows = BTreeMap::from([(Code::FEED_IN, lowest.clone()), (Code::CONSUMPTION, lowest)]);
    let table = TariffTable::new(1_024, rows).unwrap();
    let energy = vec![SlotEnergy::from_wh(i32::MAX.into()).unwrap(); 1_024];
    let sections = [1, 2].map(|number| Section {
        participant: ParticipantNumber(number),
        code: Code::CONSUMPTION,
        first_slot: Slot(0),
        energy: &energy,
    });
    let settled = settle_period(PERIOD, &table, sections, MissingPolicy::Refuse).unwrap();
    let each = i128::from(i32::MAX) * i128::from(i32::MIN) / 1_000;
    let totals = &settled.totals;
    assert_eq!(totals.hub.net_micro(), 2 * 1_024 * each);
    assert_eq!(totals.hub.needed_micro(), -2 * 1_024 * each);
    assert_eq!(totals.participants[&ParticipantNumber(2)].net_micro(), -1_024 * each);
    assert_eq!(totals.codes[&Code::CONSUMPTION].energy_wh, 2 * 1_024 * i128::from(i32::MAX));
    let back = correct_period(PERIOD, &table, &settled.records, &[]).unwrap();
    assert_eq!(back.totals.hub.net_micro(), -totals.hub.net_micro());
}

proptest! {
    /// Against sums that are computed without positions, sections or shared code.
    #[test]
    fn totals_agree_with_a_naive_sum(
        energies in proptest::collection::vec(proptest::collection::vec(0_i32..3_000_000, 4), 1..20),
    ) {
        let table = table();
        let columns: Vec<Vec<SlotEnergy>> = energies
            .iter()
            .map(|row| row.iter().map(|&wh| SlotEnergy::from_wh(wh.into()).unwrap()).collect())
            .collect();
        let sections = (1..).zip(&columns).map(|(number, energy)| Section {
            participant: ParticipantNumber(number),
            code: Code::CONSUMPTION,
            first_slot: Slot(0),
            energy,
        });
        let settled = settle_period(PERIOD, &table, sections, MissingPolicy::Refuse).unwrap();
        let prices = [500_000_i64, 500_000, -50_000, 1];
        let mut hub = 0_i128;
        let mut lowest = 0_i128;
        for row in &energies {
            for (&wh, price) in row.iter().zip(prices) {
                let exact = i128::from(wh) * i128::from(price);
                hub += (exact.abs() / 1000) * exact.signum();
                lowest = lowest.min(hub);
            }
        }
        prop_assert_eq!(settled.totals.hub.net_micro(), hub);
        prop_assert_eq!(settled.totals.hub.needed_micro(), -lowest);
        let participants: i128 = settled.totals.participants.values().map(|p| p.net_micro()).sum();
        prop_assert_eq!(participants, -hub);
    }

    #[test]
    fn a_correction_leads_from_one_version_to_the_other(
        before in proptest::collection::vec(0_i64..5_000, 4),
        after in proptest::collection::vec(0_i64..5_000, 4),
    ) {
        let settle = |values: &[i64]| {
            let energy: Vec<_> = values.iter().map(|&wh| SlotEnergy::from_wh(wh).unwrap()).collect();
            let section = Section {
                participant: ParticipantNumber(1),
                code: Code::FEED_IN,
                first_slot: Slot(0),
                energy: &energy,
            };
            settle_period(PERIOD, &table(), [section], MissingPolicy::Refuse).unwrap()
        };
        let (old, new) = (settle(&before), settle(&after));
        let correction = correct_period(PERIOD, &table(), &old.records, &new.records).unwrap();
        let mut values = before.clone();
        for priced in &correction.records {
            values[usize::from(priced.record.slot().0)] += i64::from(priced.record.value());
        }
        prop_assert_eq!(values, after);
    }
}
