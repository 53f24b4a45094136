use expect_test::{Expect, expect};
use gridtally_core::party::PartyId;
use gridtally_core::tariff::{PriceArea, Tariff};
use serde::Deserialize;

use super::*;
use crate::store::ParticipantBook;

fn check_text(key: &str, text: &str) -> Option<TextFault> {
    let error = match key {
        "party.id" => text.parse::<PartyId>().err(),
        "version.import.area" => text.parse::<PriceArea>().err(),
        _ => None,
    };
    error.map(TextFault::Id)
}

#[expect(clippy::needless_pass_by_value, reason = "expectations are written in place")]
fn check<T: DeserializeOwned>(text: &str, expected: Expect) {
    let fault = read::<T>(text, check_text).err().expect("there is a fault");
    let TomlFault { place, detail, kind } = fault;
    let line = place.line.map_or("-".to_owned(), |line| line.to_string());
    let key = place.key.as_deref().unwrap_or("-");
    let kind = match kind {
        TomlFaultKind::Syntax => "syntax".to_owned(),
        TomlFaultKind::Id(error) => error.reason().to_string(),
        TomlFaultKind::Value => "value".to_owned(),
    };
    expected.assert_eq(&format!("{line} {key} {:?} {kind}: {detail}", place.value));
}

#[test]
fn values_are_named_by_line_and_key() {
    let check = check::<ParticipantBook>;
    let party = "[[party]]\nid = \"a\"\nrole = \"prosumer\"\nparticipant = 1\n\n";
    let with = |from: &str, to: &str| party.replace(from, to);
    check(
        &with("\"a\"", "\"A\""),
        expect![[r#"2 party.id "A" id-character: 'A' cannot stand at position 1"#]],
    );
    check(
        &with("\"prosumer\"", "\"king\""),
        expect![[r#"3 party.role "king" value: expected one of prosumer, aggregator, dso"#]],
    );
    check(
        &with("participant = 1", "participant = -1"),
        expect![[
            r#"4 party.participant "-1" value: expected a whole number from 0 to 4294967295"#
        ]],
    );
    check(
        &with("participant = 1", "participant = 1.5"),
        expect![[
            r#"4 party.participant "1.5" value: expected a whole number from 0 to 4294967295, found a number with decimals"#
        ]],
    );
    check(
        &with("participant = 1", "participant = \"1\""),
        expect![[
            r#"4 party.participant "1" value: expected a whole number from 0 to 4294967295, found a text"#
        ]],
    );
    check(
        &with("participant = 1\n", ""),
        expect![[r#"1 party.participant "" value: the key participant is missing"#]],
    );
    check(
        &with("participant = 1", "participant = 1\nage = 5"),
        expect![[
            r#"5 party.age "5" value: there is no key age here, but one of id, role, participant, meter, owner"#
        ]],
    );
    check(
        &with("participant = 1", "participant = 1\nmeter = \"0x12\""),
        expect![[r#"5 party.meter "0x12" value: an address is 0x and 40 hexadecimal digits"#]],
    );
    check(
        &with("[[party]]", "[party]"),
        expect![[r#"1 party "" value: expected a list, found a table"#]],
    );
    check(
        &with("[[party]]", "[[parties]]"),
        expect![[
            r#"1 parties "" value: there is no key parties here, but party or metering_point"#
        ]],
    );
    let point = "[[metering_point]]\nid = \"b\"\nparty = \"a\"\nmetering = \"import\"\nsince = ";
    check(
        &format!("{party}{point}2026-01-01T00:00:00Z\n\n"),
        expect![[
            r#"10 metering_point.since "2026-01-01T00:00:00Z" value: expected a time in quotes, such as "2026-01-15T10:00:00Z", found a time without quotes"#
        ]],
    );
    check(
        &format!("{party}{point}\"yesterday\"\n\n"),
        expect![[
            r#"10 metering_point.since "yesterday" value: it cannot be read; a time is written as 2026-01-15T10:00:00Z"#
        ]],
    );
}

#[test]
fn values_in_tables_of_several_kinds_are_found_too() {
    let tariff = "name = \"a\"\ncurrency = \"EUR\"\n[[version]]\nvalid_from = \"2026-01-01T00:00:00Z\"\n\
        [[version.import]]\npart = \"spot\"\narea = \"NO2\"\nmargin_micro_per_kwh = 1\n\n";
    let check =
        |from: &str, to: &str, expected| check::<Tariff>(&tariff.replace(from, to), expected);
    check(
        "\"NO2\"",
        "\"N O2\"",
        expect![[r#"7 version.import.area "N O2" id-character: ' ' cannot stand at position 2"#]],
    );
    check(
        "margin_micro_per_kwh = 1",
        "margin_micro_per_kwh = \"cheap\"",
        expect![[
            r#"8 version.import.margin_micro_per_kwh "cheap" value: expected a whole number from -2147483648 to 2147483647, found a text"#
        ]],
    );
    check(
        "margin_micro_per_kwh = 1",
        "margin_micro_per_kwh = 0.02",
        expect![[
            r#"8 version.import.margin_micro_per_kwh "0.02" value: expected a whole number from -2147483648 to 2147483647, found a number with decimals"#
        ]],
    );
    check(
        "margin_micro_per_kwh = 1",
        "margin = 1",
        expect![[
            r#"8 version.import.margin "1" value: there is no key margin here, but area or margin_micro_per_kwh"#
        ]],
    );
    check(
        "\"spot\"",
        "\"spott\"",
        expect![[
            r#"6 version.import.part "spott" value: expected one of spot, fixed, time_of_use"#
        ]],
    );
    check(
        "\"EUR\"",
        "\"Euro\"",
        expect![[
            r#"2 currency "Euro" value: a currency is three capital letters, such as EUR or NOK"#
        ]],
    );
}

#[test]
fn what_is_no_toml_is_shown_by_its_line() {
    /// Anything.
    #[derive(Deserialize)]
    struct Anything {}
    for (text, expected) in [
        (
            "[[party]]\nid = \"a\"\nrole\n",
            expect![[r#"3 - "role" syntax: after a key come = and a value"#]],
        ),
        (
            "a = 1\n b = text\n",
            expect![[
                r#"2 - "b = text" syntax: the value is no number, no true or false, and no text in quotes"#
            ]],
        ),
        ("a = \n", expect![[r#"1 - "a =" syntax: there is no value after ="#]]),
        (
            "a = \"x\nb = 1\n",
            expect![[
                r#"1 - "a = \"x" syntax: the text has no quote at its end, or a \ that means nothing"#
            ]],
        ),
        ("[a\n", expect![[r#"1 - "[a" syntax: the bracket is not closed"#]]),
        ("[[a]\n", expect![[r#"1 - "[[a]" syntax: the brackets are not closed"#]]),
        ("a = [1, 2\n", expect![[r#"1 - "a = [1, 2" syntax: the list has no ] at its end"#]]),
        (
            "a = [1 2]\n",
            expect![[
                r#"1 - "a = [1 2]" syntax: the value is no number, no true or false, and no text in quotes"#
            ]],
        ),
        ("a = 01\n", expect![[r#"1 - "a = 01" syntax: the number begins with 0"#]]),
        ("a = 1\na = 2\n", expect![[r#"2 - "a = 2" syntax: the key stands twice"#]]),
        (
            "a = 1 b = 2\n",
            expect![[
                r#"1 - "a = 1 b = 2" syntax: there is more on the line than a key and its value"#
            ]],
        ),
        ("a = = 2\n", expect![[r#"1 - "a = = 2" syntax: there is one = too many"#]]),
        ("å = 2\n", expect![[r#"1 - "å = 2" syntax: the key has a character that needs quotes"#]]),
        ("just words\n", expect![[r#"1 - "just words" syntax: after a key come = and a value"#]]),
        (
            "{\"party\": []}\n",
            expect![[
                r#"1 - "{\"party\": []}" syntax: the line is not a key, = and a value, nor a table's name in brackets"#
            ]],
        ),
        (
            "party:\n  - id: a\n",
            expect![[r#"1 - "party:" syntax: after a key come = and a value"#]],
        ),
    ] {
        check::<Anything>(text, expected);
    }
}

#[test]
fn places_are_found_by_their_path() {
    let text = "[[a]]\nb = 1\n[[a]]\n c.d = ['x', 'y']\n";
    let place = |path: &[Step<'_>]| {
        place_of(text, path).map(|place| (place.line.unwrap(), place.key.unwrap(), place.value))
    };
    let found = |line, key: &str, value: &str| Some((line, key.to_owned(), value.to_owned()));
    use Step::{Entry, Key};
    assert_eq!(place(&[Key("a"), Entry(0), Key("b")]), found(2, "a.b", "1"));
    let list = [Key("a"), Entry(1), Key("c"), Key("d"), Entry(1)];
    assert_eq!(place(&list), found(4, "a.c.d", "y"));
    assert_eq!(place(&[Key("a"), Entry(1)]), found(3, "a", ""));
    assert_eq!(place(&[Key("a"), Entry(2)]), None);
    assert_eq!(place(&[Key("a"), Key("b")]), None);
    assert_eq!(place_of_value(text, "a.c.d", "y").unwrap().line, Some(4));
    assert_eq!(place_of_value(text, "a.c.d", "z"), None);
    assert!(is_empty("# nothing\n") && !is_empty(text) && !is_empty("[a"));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "([\\[\\]a-c=\"'0-9.\n {},]|party|id|role){0,40}|.{0,40}") {
        let _read = read::<ParticipantBook>(&text, check_text);
    }
}
