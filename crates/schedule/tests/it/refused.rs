//! What cannot be is refused, in both forms: by field, in TOML by line, with a remedy.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use gridtally_core::explanation::Explained as _;
use gridtally_schedule::ProblemRefused;
use gridtally_schedule::household::Household;
use serde_json::{Value, json};

const TOML: &str = include_str!("../../../../examples/household.toml");
const JSON: &str = include_str!("../../../../fixtures/oracles/household/16.json");

/// A household of each kind of mistake: its name, what becomes of the TOML, and what of the JSON.
type Case<'a> = (&'a str, &'a dyn Fn(&str) -> String, &'a dyn Fn(&mut Value));

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

/// The first device of a kind, with its path.
fn device<'a>(document: &'a mut Value, kind: &str) -> &'a mut Value {
    let devices = document["devices"].as_array_mut().expect("devices");
    devices.iter_mut().find(|device| device["kind"] == kind).expect("a device of the kind")
}

fn said(refused: &ProblemRefused) -> String {
    let remedy = refused.reason.explanation().remedy;
    assert!(!remedy.is_empty() && !refused.path.is_empty(), "{refused}");
    refused.to_string()
}

#[test]
fn every_mistake_is_named_by_field_and_line_in_both_forms() {
    let nothing: &dyn Fn(&mut Value) = &|_| {};
    let cases: &[Case<'_>] = &[
        (
            "a window that ends before it begins",
            &|text| replaced(text, "ready_by = \"06:30\"", "ready_by = \"19:45\""),
            &|document| device(document, "ev")["sessions"][0]["departure"] = json!(0),
        ),
        (
            "a negative capacity",
            &|text| replaced(text, "capacity_kwh = 10.0", "capacity_kwh = -10.0"),
            &|document| device(document, "battery")["capacity_kwh"] = json!(-10.0),
        ),
        ("a missing step", &|text| replaced(text, "1.12, 1.10,", "1.12,"), &|document| {
            drop(document["tariff"]["import_price"].as_array_mut().expect("prices").pop());
        }),
        ("not a number", &|text| replaced(text, "now_c = 21.0", "now_c = nan"), &|document| {
            document["site"]["import_limit_kw"] = json!("NaN");
        }),
        (
            "an absurd price",
            &|text| replaced(text, "export_per_kwh = 0.35", "export_per_kwh = 3.5e7"),
            &|document| document["tariff"]["export_price"][3] = json!(3.5e7),
        ),
        (
            "a day of 23 hours with 24 values",
            &|text| {
                let text = replaced(text, "2026-11-25T12:00", "2026-03-28T12:00");
                replaced(&text, "hours = 24", "hours = 23")
            },
            &|document| {
                document["steps"] = json!(92);
                for labels in ["day_of_step", "hour_of_step"] {
                    document[labels].as_array_mut().expect("labels").truncate(92);
                }
            },
        ),
        ("a million steps", &|text| replaced(text, "hours = 24", "hours = 250000"), &|document| {
            document["steps"] = json!(1_000_000);
            document["day_of_step"] = json!(vec![0; 1_000_000]);
            document["hour_of_step"] = json!(vec![0; 1_000_000]);
        }),
        (
            "a day after the last",
            &|text| replaced(text, "2026-11-25T12:00", "9999-12-30T22:00"),
            &|document| document["start_utc"] = json!("9999-12-30T20:00:00Z"),
        ),
        ("no hours", &|text| replaced(text, "hours = 24", "hours = 0"), &|document| {
            document["steps"] = json!(0);
            document["day_of_step"] = json!([]);
            document["hour_of_step"] = json!([]);
        }),
        (
            "a wanted temperature that is no number",
            &|text| replaced(text, "wanted_c = 21.0", "wanted_c = nan"),
            nothing,
        ),
        (
            "an unknown field of the third device",
            &|text| replaced(text, "wanted_c = 21.0", "wnated_c = 21.0"),
            &|document| device(document, "battery")["capacity"] = json!(1.0),
        ),
        (
            "a wrong type in the third device",
            &|text| replaced(text, "most_c = 22.5", "most_c = \"warm\""),
            &|document| device(document, "battery")["capacity_kwh"] = json!("large"),
        ),
        (
            "an unknown kind of device",
            &|text| replaced(text, "kind = \"heat-pump\"", "kind = \"heatpump\""),
            &|document| device(document, "battery")["kind"] = json!("akku"),
        ),
        (
            "two devices of one name",
            &|text| replaced(text, "name = \"battery\"", "name = \"car\""),
            &|document| {
                let name = document["devices"][0]["id"].clone();
                document["devices"][1]["id"] = name;
            },
        ),
        (
            "a car that leaves before it arrives",
            &|text| {
                replaced(text, "leaves = \"07:30\"", "leaves = \"16:00\"")
                    .replace("arrives = \"17:00\"", "arrives = \"11:00\"")
            },
            &|document| {
                let session = &mut device(document, "ev")["sessions"][0];
                session["arrival"] = json!(50);
                session["departure"] = json!(40);
            },
        ),
        (
            "a charge of more than everything",
            &|text| replaced(text, "arrives_with_percent = 35.0", "arrives_with_percent = 135.0"),
            &|document| device(document, "ev")["sessions"][0]["soc_arrival_kwh"] = json!(1e5),
        ),
        (
            "a time between two steps",
            &|text| replaced(text, "leaves = \"07:30\"", "leaves = \"07:31\""),
            nothing,
        ),
        (
            "a time that is none",
            &|text| replaced(text, "leaves = \"07:30\"", "leaves = \"27:30\""),
            nothing,
        ),
        (
            "a time that clocks go forward over",
            &|text| {
                let text = replaced(text, "2026-11-25T12:00", "2026-03-28T12:00");
                replaced(&text, "leaves = \"07:30\"", "leaves = \"02:30\"")
            },
            nothing,
        ),
        (
            "a time that clocks show twice",
            &|text| {
                let text = replaced(text, "2026-11-25T12:00", "2026-10-24T12:00");
                replaced(&text, "leaves = \"07:30\"", "leaves = \"02:30\"")
            },
            nothing,
        ),
        (
            "a start that clocks go forward over",
            &|text| replaced(text, "2026-11-25T12:00", "2026-03-29T02:30"),
            nothing,
        ),
        (
            "a start that clocks show twice",
            &|text| replaced(text, "2026-11-25T12:00", "2026-10-25T02:30"),
            nothing,
        ),
        (
            "a wish for nobody",
            &|text| replaced(text, "device = \"car\"", "device = \"boat\""),
            &|document| document["wishes"] = json!([{"kind": "only_surplus", "device": "boat"}]),
        ),
        (
            "no TOML and no JSON",
            &|text| replaced(text, "hours = 24", "hours = = 24"),
            &|document| {
                *document = Value::Null;
            },
        ),
        (
            "a zone that does not exist",
            &|text| replaced(text, "Europe/Oslo", "Europe/Olso"),
            &|document| document["timezone"] = json!("Europe/Olso"),
        ),
        (
            "a resolution that does not divide an hour",
            &|text| replaced(text, "resolution_minutes = 15", "resolution_minutes = 7"),
            &|document| document["resolution_min"] = json!(7),
        ),
    ];
    let mut text = String::new();
    for (name, toml, change) in cases {
        writeln!(text, "{name}").expect("a string takes everything");
        let refused = Household::from_toml(&toml(TOML)).expect_err(name);
        assert!(refused.line.is_some(), "{name}: {refused}");
        writeln!(text, "    {}", said(&refused)).expect("a string takes everything");
        let before: Value = serde_json::from_str(JSON).expect("JSON");
        let mut document = before.clone();
        change(&mut document);
        if document != before {
            let refused = Household::from_json(&document.to_string()).expect_err(name);
            writeln!(text, "    {}", said(&refused)).expect("a string takes everything");
        }
    }
    let expected: Expect = expect![[r#"
        a window that ends before it begins
            device[1] (line 39): 6 steps do not fit into 3
            devices[1].sessions[0].departure: 0 is not between 65 and 96
        a negative capacity
            device[3].capacity_kwh (line 63): -10 is not between 0 and 1000000
            devices[2].capacity_kwh: -10 is not between 0 and 1000000
        a missing step
            tariff.import_per_kwh (line 13): 23 values where 96 are needed
            tariff.import_price: 95 values where 96 are needed
        not a number
            device[2].now_c (line 53): NaN is not between -1000000 and 1000000
            site.import_limit_kw: invalid type: string "NaN", expected f64 at line 1 column 6082
        an absurd price
            tariff.export_per_kwh[0] (line 17): 35000000 is not between -1000000 and 1000000
            tariff.export_price[3]: 35000000 is not between -1000000 and 1000000
        a day of 23 hours with 24 values
            tariff.import_per_kwh (line 13): 24 values where 92 are needed
            site.load_kw: 96 values where 92 are needed
        a million steps
            hours (line 6): 250000 is not between 1 and 168
            steps: 1000000 is not between 1 and 10080
        a day after the last
            device[0].arrives (line 33): no step begins at 17:00:00 between 9999-12-30T22:00:00 and 9999-12-30T23:00:00.999999999
            start_utc: the horizon ends after the year 9999
        no hours
            hours (line 6): 0 is not between 1 and 168
            steps: 0 is not between 1 and 10080
        a wanted temperature that is no number
            device[2].wanted_c (line 54): NaN is not between 20 and 22.5
        an unknown field of the third device
            device[2].wnated_c (line 54): unknown field `wnated_c`, expected one of `name`, `power_max_kw`, `power_min_kw`, `heat_per_kwh`, `outdoor_c`, `now_c`, `wanted_c`, `least_c`, `most_c`, `heat_capacity_kwh_per_k`, `heat_loss_kw_per_k`, `discomfort_per_kh`
            devices[2].capacity: unknown field `capacity`, expected one of `capacity_kwh`, `soc_min_kwh`, `soc_max_kwh`, `soc_init_kwh`, `soc_final_min_kwh`, `p_max_charge_kw`, `p_max_discharge_kw`, `eta_charge`, `eta_discharge`, `wear_per_kwh`, `self_discharge_per_h`, `terminal_value_per_kwh`, `charge_only_pv`, `preferred_mode`
        a wrong type in the third device
            device[2].most_c (line 56): invalid type: string "warm", expected f64
            devices[2].capacity_kwh: invalid type: string "large", expected f64
        an unknown kind of device
            device[2] (line 48): unknown variant `heatpump`, expected one of `panels`, `program`, `switched`, `flexible`, `car`, `battery`, `heat-pump`
            devices[2].kind: "akku" is not known, expected one of pv, cycle, interruptible, modulating, ev, battery, thermal
        two devices of one name
            device[3].name (line 62): "car" is the name of an earlier device
            devices[1].id: "pv" is the name of an earlier device
        a car that leaves before it arrives
            device[0].leaves (line 34): no step begins at 16:00:00 between 2026-11-26T11:15:00 and 2026-11-26T12:00:00
            devices[1].sessions[0].departure: 40 is not between 51 and 96
        a charge of more than everything
            device[0].arrives_with_percent (line 35): 135 is not between 0 and 100
            devices[1].sessions[0].soc_arrival_kwh: 100000 is not between 0 and 40
        a time between two steps
            device[0].leaves (line 34): no step begins at 07:31:00 between 2026-11-25T17:15:00 and 2026-11-26T12:00:00
        a time that is none
            device[0].leaves (line 34): failed to parse two digit integer as hour: parameter 'hour' is not in the required range of 0..=23
        a time that clocks go forward over
            device[0].leaves (line 34): clocks go forward over 02:30:00 on 2026-03-29
        a time that clocks show twice
            device[0].leaves (line 34): clocks show 02:30:00 twice on 2026-10-25
        a start that clocks go forward over
            start (line 5): clocks go forward over 02:30:00 on 2026-03-29
        a start that clocks show twice
            start (line 5): clocks show 02:30:00 twice on 2026-10-25
        a wish for nobody
            wish[1].device (line 76): no device called "boat" can be asked for this
            wishes[0].device: no device called "boat" can be asked for this
        no TOML and no JSON
            . (line 6): extra `=`, expected nothing
            .: invalid type: null, expected struct Document at line 1 column 4
        a zone that does not exist
            zone (line 4): unknown time zone, expected an IANA name such as Europe/Oslo
            timezone: unknown time zone, expected an IANA name such as Europe/Oslo at line 1 column 8424
        a resolution that does not divide an hour
            resolution_minutes (line 7): "7" is not known, expected one of 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60
            resolution_min: "7" is not known, expected one of 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60
    "#]];
    expected.assert_eq(&text);
}
