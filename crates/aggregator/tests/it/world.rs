//! What the tests share: a small store with two homes, prices and a tariff.

use std::path::Path;
use std::sync::Arc;

use gridtally_aggregator::store::{
    Disk, Metering, ParticipantBook, PartyEntry, PointEntry, PriceSeries, ReadingSeries, Settings,
    Store, StoreError, StoreView,
};
use gridtally_core::calendar::Zone;
use gridtally_core::meter::{Channel, MeteringPointId};
use gridtally_core::party::{ParticipantNumber, Role};
use gridtally_core::period::{Resolution, SettlementCalendar};
use gridtally_core::quantity::Currency;
use gridtally_core::reading::Quality;
use gridtally_core::tariff::{PriceArea, Tariff};
use jiff::Timestamp;

/// Seconds of an hour.
pub(crate) const HOUR_S: i64 = 3_600;

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// When everything is recorded.
pub(crate) fn now() -> Timestamp {
    at("2026-03-01T12:00:00Z")
}

/// Days of four slots, six hours... of one hour each: periods are four hours from 2026-01-01 on.
pub(crate) fn settings() -> Settings {
    let calendar = SettlementCalendar::new(at("2026-01-01T00:00:00Z"), 14_400, 4).unwrap();
    Settings::new(Currency::EUR, Zone::new("Europe/Oslo").unwrap(), calendar)
}

/// Start of period 1, Unix time, s.
pub(crate) fn period_1_s() -> i64 {
    at("2026-01-01T04:00:00Z").as_second()
}

pub(crate) fn id(text: &str) -> MeteringPointId {
    text.parse().unwrap()
}

/// `home_1` only draws, `home_2` has a gross meter with panels.
pub(crate) fn book() -> ParticipantBook {
    let party = |name: &str, participant| PartyEntry {
        id: name.parse().unwrap(),
        role: Role::Prosumer,
        participant: ParticipantNumber(participant),
        meter: None,
        owner: None,
    };
    let point = |name: &str, metering| PointEntry {
        id: id(name),
        party: name.parse().unwrap(),
        metering,
        since: None,
    };
    let parties = vec![party("home_1", 1), party("home_2", 2)];
    let points = vec![point("home_1", Metering::Import), point("home_2", Metering::Gross)];
    ParticipantBook::new(parties, points).unwrap()
}

pub(crate) fn tariff(margin_micro: i32) -> Tariff {
    toml::from_str(&format!(
        r#"
        name = "household"
        currency = "EUR"
        [[version]]
        valid_from = "2026-01-01T00:00:00Z"
        [[version.import]]
        part = "spot"
        area = "NO2"
        margin_micro_per_kwh = {margin_micro}
        [[version.export]]
        part = "spot"
        area = "NO2"
        margin_micro_per_kwh = 0
        "#
    ))
    .unwrap()
}

/// Hourly values from period 1 on.
pub(crate) fn hourly(values: &[i64]) -> Vec<(i64, i64)> {
    (0..).zip(values).map(|(hour, &value)| (period_1_s() + hour * HOUR_S, value)).collect()
}

pub(crate) fn add_readings(
    store: &mut Store,
    point: &str,
    channel: Channel,
    values: &[i64],
) -> Result<gridtally_aggregator::store::Added, StoreError> {
    let series = ReadingSeries {
        metering_point: &id(point),
        channel,
        resolution: Resolution::Minutes60,
        quality: Quality::Measured,
        rows: &hourly(values),
    };
    store.add_readings("test", &[series], now())
}

pub(crate) fn add_prices(
    store: &mut Store,
    values: &[i64],
) -> Result<gridtally_aggregator::store::Added, StoreError> {
    let area: PriceArea = "NO2".parse().unwrap();
    let rows = hourly(values);
    let series = PriceSeries { area: &area, resolution: Resolution::Minutes60, rows: &rows };
    store.add_prices("test", &[series], now())
}

/// Everything for two periods: eight hours of two homes.
pub(crate) fn fill(store: &mut Store) -> Result<(), StoreError> {
    store.set_participants(&book(), now())?;
    store.set_tariff(&tariff(10_000), now())?;
    add_prices(store, &[100_000, 90_000, -20_000, 110_000, 80_000, 70_000, 60_000, 50_000])?;
    add_readings(store, "home_1", Channel::Import, &[500, 600, 0, 700, 800, 1, 2, 3])?;
    add_readings(store, "home_2", Channel::Import, &[900, 900, 900, 900, 100, 100, 100, 100])?;
    add_readings(store, "home_2", Channel::Export, &[0, 400, 900, 1500, 0, 0, 200, 0])?;
    Ok(())
}

pub(crate) fn create(folder: &Path) -> Store {
    Store::create(folder, &settings(), now()).unwrap()
}

pub(crate) fn filled(folder: &Path) -> Store {
    let mut store = create(folder);
    fill(&mut store).unwrap();
    store
}

pub(crate) fn open_on(disk: Arc<dyn Disk>, folder: &Path) -> Result<Store, StoreError> {
    Store::open_on(disk, folder)
}

/// Checks every byte of a store and returns its faults as text.
pub(crate) fn faults(folder: &Path) -> Vec<String> {
    match StoreView::open(folder) {
        Ok(view) => {
            let check = view.check(&mut |_| {}).unwrap();
            check.faults.iter().map(ToString::to_string).collect()
        }
        Err(error) => vec![error.to_string()],
    }
}

/// All newest readings as text, one line each.
pub(crate) fn readings_text(view: &StoreView) -> String {
    let points: Vec<&str> = view.metering_points().collect();
    let (from, until) = (at("2025-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    view.readings(from, until, view.last())
        .map(|row| {
            let row = row.unwrap();
            let start = Timestamp::from_second(row.start_s).unwrap();
            let energy = row.energy.map_or("-".to_owned(), |energy| energy.to_string());
            format!("{start} {} {} {energy}\n", points[row.point as usize], row.channel)
        })
        .collect()
}
