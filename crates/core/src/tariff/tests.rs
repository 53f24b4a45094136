use super::*;
use crate::period::Resolution;
use proptest::prelude::*;

const TARIFF: &str = r#"
name = "household"
currency = "NOK"

[[version]]
valid_from = "2026-01-01T00:00:00+01:00"
valid_until = "2026-12-01T00:00:00+01:00"

[[version.import]]
part = "spot"
area = "NO2"
margin_micro_per_kwh = 20000

[[version.import]]
part = "time_of_use"
zone = "Europe/Oslo"
holidays = "norway"
otherwise_micro_per_kwh = 100000

[[version.import.band]]
days = ["working_day"]
from = "06:00"
until = "22:00"
price_micro_per_kwh = 300000

[[version.import.band]]
days = ["weekend", "holiday"]
from = "22:00"
until = "03:00"
price_micro_per_kwh = 50000

[[version.export]]
part = "spot"
area = "NO2"
margin_micro_per_kwh = -10000

[[version.flexibility]]
part = "fixed"
price_micro_per_kwh = 250000

[[version.flexibility]]
part = "time_of_use"
zone = "Europe/Oslo"
holidays = "none"
otherwise_micro_per_kwh = 0

[[version.flexibility.band]]
days = ["working_day"]
from = "17:00"
until = "20:00"
price_micro_per_kwh = 3250000

[[version]]
valid_from = "2026-12-01T00:00:00+01:00"

[[version.import]]
part = "fixed"
price_micro_per_kwh = 500000
"#;

fn tariff(text: &str) -> Tariff {
    toml::from_str(text).unwrap()
}

fn period(start: &str) -> Period {
    Period::new(start.parse().unwrap(), Resolution::Minutes60).unwrap()
}

/// Spot price 1 NOK/kWh in each hour of 2026.
fn one_krone() -> SpotPrices {
    let mut spot = SpotPrices::new();
    let area = "NO2".parse().unwrap();
    let hours = std::iter::successors(Some(period("2025-12-31T23:00:00Z")), |hour| hour.next());
    for hour in hours.take(8_760) {
        spot.insert(&area, hour, Price::from_micro_per_kwh(1_000_000));
    }
    spot
}

/// The price or the reason why there is none, as text.
fn price(kind: PriceKind, start: &str) -> String {
    match tariff(TARIFF).price(kind, period(start), &one_krone()) {
        Ok(price) => price.micro_per_kwh().to_string(),
        Err(reason) => reason.to_string(),
    }
}

#[test]
fn parts_add_up_by_local_calendar() {
    for (start, expected) in [
        ("2026-01-14T05:00:00Z", "1320000"), // Wednesday 06:00 in Oslo
        ("2026-01-14T04:00:00Z", "1120000"), // 05:00
        ("2026-01-14T20:00:00Z", "1320000"), // 21:00
        ("2026-01-14T21:00:00Z", "1120000"), // 22:00
        ("2026-07-15T04:00:00Z", "1320000"), // Wednesday 06:00 in summer
        ("2026-05-14T10:00:00Z", "1120000"), // Ascension Day, a Thursday, at noon
        ("2026-05-14T21:00:00Z", "1070000"), // its last hour
        ("2026-05-16T00:00:00Z", "1070000"), // Saturday 02:00
        ("2026-05-16T01:00:00Z", "1120000"), // Saturday 03:00
    ] {
        assert_eq!(price(PriceKind::Import, start), expected, "{start}");
    }
}

#[test]
fn flexibility_and_buy_back_have_prices_of_their_own() {
    for (kind, start, expected) in [
        (PriceKind::Flexibility, "2026-01-14T16:00:00Z", "3500000"), // Wednesday 17:00 in Oslo
        (PriceKind::Flexibility, "2026-01-14T19:00:00Z", "250000"),  // 20:00
        (PriceKind::Flexibility, "2026-05-14T15:00:00Z", "3500000"), // a holiday that this part does not know
        (PriceKind::Export, "2026-01-14T16:00:00Z", "990000"),
        (
            PriceKind::Flexibility,
            "2026-12-01T16:00:00Z",
            "the tariff has no flexibility price at 2026-12-01T16:00:00Z/PT60M",
        ),
    ] {
        assert_eq!(price(kind, start), expected, "{kind} {start}");
    }
}

#[test]
fn a_gap_in_the_spot_prices_is_refused_and_never_zero() {
    let area: PriceArea = "NO2".parse().unwrap();
    let (first, gap) = (period("2026-01-14T00:00:00Z"), period("2026-01-14T05:00:00Z"));
    let mut spot = SpotPrices::new();
    for hour in std::iter::successors(Some(first), |hour| hour.next()).take(24) {
        if hour != gap {
            spot.insert(&area, hour, Price::ZERO); // zero is a price
        }
    }
    for hour in std::iter::successors(Some(first), |hour| hour.next()).take(24) {
        for kind in [PriceKind::Import, PriceKind::Export] {
            let price = tariff(TARIFF).price(kind, hour, &spot);
            let missing = PriceUnavailable::SpotMissing { area: area.clone(), period: hour };
            assert_eq!(price.is_err(), hour == gap, "{hour}");
            assert!(hour != gap || price == Err(missing));
        }
    }
    let quarter = Period::new(gap.start(), Resolution::Minutes15).unwrap();
    assert!(tariff(TARIFF).price(PriceKind::Import, quarter, &spot).is_err());
}

#[test]
fn clock_changes_follow_the_local_time() {
    // Sunday 25 October 2026 in Oslo: 02:00 comes twice, at 00:00Z and 01:00Z; the night band ends at 03:00.
    let autumn = [
        "2026-10-24T23:00:00Z",
        "2026-10-25T00:00:00Z",
        "2026-10-25T01:00:00Z",
        "2026-10-25T02:00:00Z",
    ];
    assert_eq!(
        autumn.map(|start| price(PriceKind::Import, start)),
        ["1070000", "1070000", "1070000", "1120000"]
    );
    // Sunday 29 March 2026: 02:00 does not come, 03:00 is 01:00Z.
    let spring = ["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"];
    assert_eq!(spring.map(|start| price(PriceKind::Import, start)), ["1070000", "1120000"]);
}

#[test]
fn missing_prices_have_a_reason_in_order() {
    for (kind, start, expected) in [
        (PriceKind::Export, "2026-01-14T05:00:00Z", "990000"),
        (PriceKind::Import, "2026-11-30T23:00:00Z", "500000"),
        (
            PriceKind::Import,
            "2025-12-31T22:00:00Z",
            "no version of the tariff is valid at 2025-12-31T22:00:00Z/PT60M",
        ),
        (
            PriceKind::Export,
            "2026-12-15T22:00:00Z",
            "the tariff has no export price at 2026-12-15T22:00:00Z/PT60M",
        ),
        // Neither an export price nor a spot price is there; the first reason is reported.
        (
            PriceKind::Export,
            "2027-01-15T22:00:00Z",
            "the tariff has no export price at 2027-01-15T22:00:00Z/PT60M",
        ),
    ] {
        assert_eq!(price(kind, start), expected);
    }
    let without =
        tariff(TARIFF).price(PriceKind::Import, period("2026-01-14T05:00:00Z"), &SpotPrices::new());
    assert_eq!(
        without.unwrap_err().to_string(),
        "no spot price of NO2 at 2026-01-14T05:00:00Z/PT60M"
    );
}

#[test]
fn prices_beyond_32_bits_are_refused() {
    let fixed = "[[version.import]]\npart = \"fixed\"\nprice_micro_per_kwh = 2000000000\n";
    let spot =
        "[[version.import]]\npart = \"spot\"\narea = \"NO2\"\nmargin_micro_per_kwh = 2000000000\n";
    let text = |parts: [&str; 2]| {
        let begin = "name = \"t\"\ncurrency = \"EUR\"\n[[version]]\nvalid_from = \"2026-01-01T00:00:00Z\"\n";
        format!("{begin}{}", parts.concat())
    };
    // What the market says is known when the time has come.
    let refused = tariff(&text([fixed, spot])).price(
        PriceKind::Import,
        period("2026-01-14T05:00:00Z"),
        &one_krone(),
    );
    assert!(matches!(refused, Err(PriceUnavailable::OutOfRange { .. })));
    let refused = toml::from_str::<Tariff>(&text([fixed, fixed])).unwrap_err().to_string();
    assert!(refused.contains("version 1 has import prices beyond 2147483647"), "{refused}");
}

#[test]
fn bands_that_never_apply_are_refused() {
    let second = "days = [\"weekend\", \"holiday\"]\nfrom = \"22:00\"\nuntil = \"03:00\"";
    let cases = [
        (second, "days = [\"working_day\"]\nfrom = \"06:00\"\nuntil = \"22:00\"", Some(2)),
        (second, "days = [\"working_day\"]\nfrom = \"07:00\"\nuntil = \"08:00\"", Some(2)),
        (second, "days = []\nfrom = \"07:00\"\nuntil = \"08:00\"", Some(2)),
        // The first that applies counts: the second one has the minute before.
        (second, "days = [\"working_day\"]\nfrom = \"05:59\"\nuntil = \"08:00\"", None),
        (second, "days = [\"working_day\"]\nfrom = \"06:00\"\nuntil = \"06:00\"", None),
        (second, "days = [\"working_day\"]\nfrom = \"21:59\"\nuntil = \"00:00\"", None),
        // Without holidays there is none.
        (
            "days = [\"working_day\"]\nfrom = \"17:00\"",
            "days = [\"holiday\"]\nfrom = \"17:00\"",
            Some(1),
        ),
    ];
    for (from, to, unused) in cases {
        assert!(TARIFF.contains(from), "{from}");
        let read = toml::from_str::<Tariff>(&TARIFF.replacen(from, to, 1));
        let refused = read.err().map(|error| error.to_string()).unwrap_or_default();
        match unused {
            Some(band) => {
                assert!(refused.contains(&format!("band {band} never applies")), "{to}: {refused}");
            }
            None => assert_eq!(refused, "", "{to}"),
        }
    }
}

#[test]
fn versions_follow_each_other() {
    let version = |from: &str, until: Option<&str>| TariffVersion {
        valid_from: format!("2026-{from}T00:00:00Z").parse().unwrap(),
        valid_until: until.map(|until| format!("2026-{until}T00:00:00Z").parse().unwrap()),
        import: vec![PricePart::Fixed { price: Price::ZERO }],
        export: vec![],
        flexibility: vec![],
    };
    let check = |versions: Vec<TariffVersion>| match Tariff::new("t", Currency::EUR, versions) {
        Ok(_) => "valid".to_owned(),
        Err(reason) => reason.to_string(),
    };
    assert_eq!(check(vec![version("01-01", Some("02-01")), version("02-01", None)]), "valid");
    assert_eq!(check(vec![]), "a tariff has 1 to 1000 versions, not 0");
    let gap = "no version is valid from 2026-02-01T00:00:00Z to 2026-02-02T00:00:00Z, the start of version 2";
    assert_eq!(check(vec![version("01-01", Some("02-01")), version("02-02", None)]), gap);
    let overlap = "version 2 starts 2026-01-31T00:00:00Z, while the one before it is still valid";
    assert_eq!(check(vec![version("01-01", Some("02-01")), version("01-31", None)]), overlap);
    assert_eq!(check(vec![version("01-01", None), version("01-31", None)]), overlap);
    let empty = "version 1 is valid until 2026-01-01T00:00:00Z, which is not after its start 2026-01-02T00:00:00Z";
    assert_eq!(check(vec![version("01-02", Some("01-01")), version("01-31", None)]), empty);
    let mut crowded = version("01-01", None);
    crowded.export = vec![PricePart::Fixed { price: Price::ZERO }; 65];
    assert_eq!(check(vec![crowded]), "version 1 has more than 64 parts or bands");
    let name = Tariff::new("a b", Currency::EUR, vec![]).unwrap_err().to_string();
    assert_eq!(name, "the name of the tariff: ' ' cannot stand at position 2");
}

#[test]
fn files_are_read_strictly_and_written_back() {
    let read = tariff(TARIFF);
    assert_eq!(tariff(&toml::to_string(&read).unwrap()), read);
    for (from, to) in [
        ("currency = \"NOK\"", "currency = \"NOK\"\nunknown = 1"),
        ("margin_micro_per_kwh = 20000", "margin_micro_per_kwh = 20000\nunknown = 1"),
        ("margin_micro_per_kwh = 20000", "margin_micro_per_kwh = 0.5"),
        ("margin_micro_per_kwh = 20000", "margin_micro_per_kwh = 3000000000"),
        ("price_micro_per_kwh = 300000", "price_micro_per_kwh = 300000\nunknown = 1"),
        ("from = \"06:00\"", "from = \"24:00\""),
        ("from = \"06:00\"", "from = \"6:00\""),
        ("zone = \"Europe/Oslo\"", "zone = \"Europe/Atlantis\""),
        ("part = \"fixed\"", "part = \"guess\""),
        ("area = \"NO2\"", "area = \"NO 2\""),
        ("valid_until = \"2026-12-01T00:00:00+01:00\"", ""),
    ] {
        assert!(TARIFF.contains(from));
        assert!(toml::from_str::<Tariff>(&TARIFF.replacen(from, to, 1)).is_err(), "{to}");
    }
}

#[test]
fn spot_prices_fit_other_resolutions() {
    let area: PriceArea = "DK2".parse().unwrap();
    let mut spot = SpotPrices::new();
    let mut insert = |start: &str, resolution, micro| {
        let period = Period::new(start.parse().unwrap(), resolution).unwrap();
        spot.insert(&area, period, Price::from_micro_per_kwh(micro));
    };
    insert("2026-01-01T00:00:00Z", Resolution::Minutes60, 7);
    for (minute, micro) in [(0, 10), (15, 10), (30, 10), (45, -4)] {
        insert(&format!("2026-01-01T01:{minute:02}:00Z"), Resolution::Minutes15, micro);
    }
    insert("2026-01-01T02:00:00Z", Resolution::Minutes15, 1);
    let price = |start: &str, resolution| {
        let period = Period::new(start.parse().unwrap(), resolution).unwrap();
        spot.price(&area, period).map(Price::micro_per_kwh)
    };
    assert_eq!(price("2026-01-01T00:45:00Z", Resolution::Minutes15), Some(7));
    assert_eq!(price("2026-01-01T01:00:00Z", Resolution::Minutes60), Some(7)); // 26 / 4 = 6.5
    assert_eq!(price("2026-01-01T01:30:00Z", Resolution::Minutes30), Some(3));
    assert_eq!(price("2026-01-01T01:40:00Z", Resolution::Minutes10), Some(3)); // (10 x 5 min - 4 x 5 min) / 10 min
    assert_eq!(price("2026-01-01T02:00:00Z", Resolution::Minutes60), None); // one quarter of four is there
    assert_eq!(price("2025-12-31T23:45:00Z", Resolution::Minutes15), None);
    assert_eq!(spot.price(&"DK1".parse().unwrap(), period("2026-01-01T00:00:00Z")), None);
}

proptest! {
    #[test]
    fn times_of_day_round_trip(hour in 0_u8..24, minute in 0_u8..60) {
        let text = format!("{hour:02}:{minute:02}");
        prop_assert_eq!(text.parse::<MinuteOfDay>().unwrap().to_string(), text);
    }

    #[test]
    fn any_tariff_text_is_answered(text in ".*") {
        let _outcome = toml::from_str::<Tariff>(&text);
        let _outcome = text.parse::<MinuteOfDay>();
    }
}
