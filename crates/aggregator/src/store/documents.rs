//! Participants and tariffs from files that people write.

use std::fmt;
use std::io::Read;
use std::path::Path;

use gridtally_core::calendar::Zone;
use gridtally_core::meter::MeteringPointId;
use gridtally_core::party::PartyId;
use gridtally_core::quantity::Currency;
use gridtally_core::rejection::{Reason, Rejection};
use gridtally_core::tariff::{
    MinuteOfDay, PriceArea, PriceKind, Tariff, TariffError, TariffVersion,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;
use super::participants::{ParticipantBook, ParticipantError, UncheckedBook};
use crate::toml_text::{self, Step, TextFault, TomlFault, TomlFaultKind, TomlPlace};

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What a file says, and where it says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document<T> {
    /// What it says.
    pub content: T,
    source: Source,
}

/// The file of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    /// As the user gave it.
    name: String,
    text: String,
}

/// The fields of a tariff before they were checked, as [`Tariff`] has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedTariff {
    name: String,
    currency: Currency,
    #[serde(rename = "version")]
    versions: Vec<TariffVersion>,
}

/// Reads participants and metering points from a TOML file.
///
/// # Errors
///
/// [`Reason::FileUnreadable`], [`Reason::FileEmpty`] where nobody is named, [`Reason::FileTooLarge`],
/// [`Reason::EncodingNotUtf8`]; then for the first fault of the file [`Reason::DocumentMalformed`] where it is no TOML, the
/// reason of an identifier that is none, or [`Reason::PartyInvalid`], with line and key.
pub fn read_participants(path: &Path) -> Result<Document<ParticipantBook>, Rejection> {
    let source = Source::read(path)?;
    let fields: UncheckedBook = source.parse(Reason::PartyInvalid, participants_text)?;
    if fields.parties.is_empty() && fields.points.is_empty() {
        return Err(source.empty("there is no [[party]]"));
    }
    let UncheckedBook { parties, points } = fields;
    let content = ParticipantBook::new(parties.clone(), points.clone())
        .map_err(|error| source.refused(&error, error.place(&parties, &points)))?;
    Ok(Document { content, source })
}

/// Reads a tariff from a TOML file.
///
/// # Errors
///
/// As [`read_participants`], with [`Reason::TariffInvalid`] in place of [`Reason::PartyInvalid`].
pub fn read_tariff(path: &Path) -> Result<Document<Tariff>, Rejection> {
    let source = Source::read(path)?;
    let UncheckedTariff { name, currency, versions } =
        source.parse(Reason::TariffInvalid, tariff_text)?;
    let content = Tariff::new(&name, currency, versions).map_err(|error| {
        let reason = match error {
            TariffError::Name(error) => error.reason(),
            _ => Reason::TariffInvalid,
        };
        source.placed(Rejection::new(reason, ""), tariff_place(&error)).because(error)
    })?;
    Ok(Document { content, source })
}

impl Document<ParticipantBook> {
    /// Names file, line and key where the store refuses the document.
    #[must_use]
    pub fn refused_by_store(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Participants(error) => {
                let place = error.place(self.content.parties(), self.content.metering_points());
                self.source.refused(&error, place).into()
            }
            error => error,
        }
    }
}

impl Document<Tariff> {
    /// Names file, line and key where the store refuses the document: its currency.
    #[must_use]
    pub fn refused_by_store(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Refused(mut refused) => {
                let placed =
                    |rejection| self.source.placed(rejection, Some(vec![Step::Key("currency")]));
                refused.rejections = refused.rejections.into_iter().map(placed).collect();
                StoreError::Refused(refused)
            }
            error => error,
        }
    }
}

impl Source {
    fn read(path: &Path) -> Result<Self, Rejection> {
        let name = path.display().to_string();
        let rejected = |reason| Rejection::new(reason, "").in_file(&name);
        let unreadable = |error: std::io::Error| rejected(Reason::FileUnreadable).because(error);
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(rejected(Reason::FileTooLarge));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..valid].iter().filter(|&&byte| byte == b'\n').count() + 1;
            rejected(Reason::EncodingNotUtf8).at_line(line as u64).with_remedy("save it as UTF-8")
        })?;
        let source = Self { name, text };
        if toml_text::is_empty(&source.text) {
            return Err(source.empty("there is no key in it"));
        }
        Ok(source)
    }

    fn empty(&self, detail: &str) -> Rejection {
        let empty = Rejection::new(Reason::FileEmpty, "").in_file(&self.name).because(detail);
        empty.with_remedy("write it as docs/guides/import.md shows")
    }

    /// Reads the text; a fault that is none of TOML and none of an identifier is `invalid`.
    fn parse<T: DeserializeOwned>(
        &self,
        invalid: Reason,
        check: fn(&str, &str) -> Option<TextFault>,
    ) -> Result<T, Rejection> {
        toml_text::read(&self.text, check).map_err(|TomlFault { place, detail, kind }| {
            let reason = match kind {
                TomlFaultKind::Syntax => Reason::DocumentMalformed,
                TomlFaultKind::Id(error) => error.reason(),
                TomlFaultKind::Value => invalid,
            };
            let rejection = self.at(Rejection::new(reason, &place.value), &place).because(detail);
            match kind {
                TomlFaultKind::Syntax => {
                    rejection.with_remedy("correct the line; docs/guides/import.md shows the form")
                }
                TomlFaultKind::Id(_) | TomlFaultKind::Value => rejection,
            }
        })
    }

    fn refused(&self, error: &ParticipantError, place: Option<Vec<Step<'_>>>) -> Rejection {
        let rejection = Rejection::new(Reason::PartyInvalid, &error.subject()).because(error);
        let rejection = self.placed(rejection, place);
        match error {
            ParticipantError::PartyMissing { .. } | ParticipantError::PointMissing { .. } => {
                rejection
                    .with_remedy("give the whole list, with everything that was registered before")
            }
            _ => rejection,
        }
    }

    /// Names the file, and line, key and value of what a path leads to.
    fn placed(&self, mut rejection: Rejection, path: Option<Vec<Step<'_>>>) -> Rejection {
        let mut path = path.unwrap_or_default();
        let mut place = toml_text::place_of(&self.text, &path);
        // A key that was left out: the table that it should be in.
        while place.is_none() && path.pop().is_some() {
            place = toml_text::place_of(&self.text, &path);
        }
        let place = place.unwrap_or_default();
        if !place.value.is_empty() {
            rejection.value = gridtally_core::rejection::Excerpt::new(&place.value);
        }
        self.at(rejection, &place)
    }

    fn at(&self, rejection: Rejection, place: &TomlPlace) -> Rejection {
        let rejection = rejection.in_file(&self.name);
        let rejection = place.line.into_iter().fold(rejection, Rejection::at_line);
        place.key.iter().fold(rejection, |rejection, key| rejection.in_column(key.as_str()))
    }
}

/// Returns why a text is no value of a key of participants, where the key is to have an identifier.
fn participants_text(key: &str, text: &str) -> Option<TextFault> {
    let error = match key {
        "party.id" | "metering_point.party" => text.parse::<PartyId>().err(),
        "metering_point.id" => text.parse::<MeteringPointId>().err(),
        _ => None,
    };
    error.map(TextFault::Id)
}

/// Returns why a text is no value of a key of a tariff, where reading it names no key: in a part of a price.
fn tariff_text(key: &str, text: &str) -> Option<TextFault> {
    let said = |error: &dyn fmt::Display| TextFault::Value(error.to_string());
    match key.rsplit_once('.')?.1 {
        "area" => text.parse::<PriceArea>().err().map(TextFault::Id),
        "zone" => text.parse::<Zone>().err().map(|error| said(&error)),
        "from" | "until" => text.parse::<MinuteOfDay>().err().map(|error| said(&error)),
        _ => None,
    }
}

/// Returns where a fault of a tariff stands.
fn tariff_place(error: &TariffError) -> Option<Vec<Step<'static>>> {
    let entry = |number: usize| Step::Entry(number.saturating_sub(1));
    let in_version = |version, key| vec![Step::Key("version"), entry(version), Step::Key(key)];
    let key_of = |kind| match kind {
        PriceKind::Import => "import",
        PriceKind::Export => "export",
        PriceKind::Flexibility => "flexibility",
    };
    Some(match *error {
        TariffError::Name(_) => vec![Step::Key("name")],
        TariffError::VersionCount { .. } => vec![Step::Key("version")],
        TariffError::TooManyParts { version } => in_version(version, "import"),
        TariffError::Empty { version, .. } => in_version(version, "valid_until"),
        TariffError::Overlap { version, .. } | TariffError::Gap { version, .. } => {
            in_version(version, "valid_from")
        }
        TariffError::PriceTooLarge { version, kind } => in_version(version, key_of(kind)),
        TariffError::BandUnused { version, kind, part, band } => {
            let mut steps = in_version(version, key_of(kind));
            steps.extend([entry(part), Step::Key("band"), entry(band)]);
            steps
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn participants(text: &[u8]) -> Result<Document<ParticipantBook>, Rejection> {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("book.toml");
        std::fs::write(&path, text).expect("the folder can be written to");
        let read = read_participants(&path);
        read.map_err(|rejection| rejection.in_file("book.toml"))
    }

    #[expect(clippy::needless_pass_by_value, reason = "expectations are written in place")]
    fn check(text: impl AsRef<[u8]>, expected: Expect) {
        let refused = participants(text.as_ref()).map(|_| ()).expect_err("refused");
        expected.assert_eq(&refused.to_string());
    }

    #[expect(clippy::needless_pass_by_value, reason = "expectations are written in place")]
    fn check_tariff(text: &str, expected: Expect) {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("tariff.toml");
        std::fs::write(&path, text).expect("the folder can be written to");
        let refused = read_tariff(&path).map(|_| ()).expect_err("refused");
        expected.assert_eq(&refused.in_file("tariff.toml").to_string());
    }

    const BOOK: &str = r#"[[party]]
id = "a"
role = "prosumer"
participant = 1

[[party]]
id = "b"
role = "prosumer"
participant = 2

[[metering_point]]
id = "707057500012345671"
party = "a"
metering = "import"

[[metering_point]]
id = "house"
party = "b"
metering = "gross"
"#;

    #[test]
    fn a_file_of_nobody_is_refused() {
        check(
            "",
            expect![
                "book.toml: the file is empty: there is no key in it [file-empty]; write it as docs/guides/import.md shows"
            ],
        );
        check(
            "# nobody yet\n\n",
            expect![
                "book.toml: the file is empty: there is no key in it [file-empty]; write it as docs/guides/import.md shows"
            ],
        );
        check(
            "party = []\n",
            expect![
                "book.toml: the file is empty: there is no [[party]] [file-empty]; write it as docs/guides/import.md shows"
            ],
        );
        check(
            b"[[party]]\nid = \"\xff\"\n",
            expect!["book.toml:2: the text is not UTF-8 [encoding-not-utf8]; save it as UTF-8"],
        );
        let error = read_tariff(Path::new("/nowhere/tariff.toml")).expect_err("refused");
        assert_eq!(error.reason, Reason::FileUnreadable);
    }

    #[test]
    fn refusals_name_line_key_and_value() {
        let with = |from: &str, to: &str| BOOK.replacen(from, to, 1);
        check(
            with("345671", "345672"),
            expect![[
                r#"book.toml:12: metering_point.id "707057500012345672": the check digit is wrong: check digit 1 expected, 2 found [id-check-digit]; compare the identifier with its source, a digit was mistyped or lost"#
            ]],
        );
        check(
            with("345671", "34567"),
            expect![[
                r#"book.toml:12: metering_point.id "70705750001234567": the identifier has the wrong length: 17 characters instead of 18 [id-length]; compare it with its source, leading zeros may be lost"#
            ]],
        );
        check(
            with("\"707057500012345671\"", "\"7.07057500012346E+17\""),
            expect![[
                r#"book.toml:12: metering_point.id "7.07057500012346E+17": the identifier is in scientific notation, so digits are lost: scientific notation, the last digits are lost [id-scientific]; export again with the column formatted as text"#
            ]],
        );
        check(
            with("\"707057500012345671\"", "707057500012345671"),
            expect![[
                r#"book.toml:12: metering_point.id "707057500012345671": the party is not valid: expected a text in quotes, found a whole number [party-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            with("\"a\"", "\"A b\""),
            expect![[
                r#"book.toml:2: party.id "A b": the identifier has a character that is not allowed: 'A' cannot stand at position 1 [id-character]; remove blanks and separators"#
            ]],
        );
        check(
            with("\"prosumer\"", "\"king\""),
            expect![[
                r#"book.toml:3: party.role "king": the party is not valid: expected one of prosumer, aggregator, dso [party-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            with("participant = 1\n", ""),
            expect![[
                r#"book.toml:1: party.participant "": the party is not valid: the key participant is missing [party-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            with("role = ", "rol = "),
            expect![[
                r#"book.toml:3: party.rol "prosumer": the party is not valid: there is no key rol here, but one of id, role, participant, meter, owner [party-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            with("role = \"prosumer\"", "role"),
            expect![[
                r#"book.toml:3: "role": the document does not follow its format: after a key come = and a value [document-malformed]; correct the line; docs/guides/import.md shows the form"#
            ]],
        );
    }

    #[test]
    fn entries_that_do_not_go_together_are_named_too() {
        let with = |from: &str, to: &str| BOOK.replacen(from, to, 1);
        check(
            with("participant = 2", "participant = 3"),
            expect![[
                r#"book.toml:9: party.participant "3": the party is not valid: party b has participant number 3, the next one is 2 [party-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            with("\"b\"", "\"a\""),
            expect![[
                r#"book.toml:7: party.id "a": the party is not valid: party a is named twice [party-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            with("\"house\"", "\"707057500012345671\""),
            expect![[
                r#"book.toml:17: metering_point.id "707057500012345671": the party is not valid: metering point 707057500012345671 is named twice [party-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            with("party = \"b\"", "party = \"c\""),
            expect![[
                r#"book.toml:18: metering_point.party "c": the party is not valid: metering point house belongs to c, which is no party here [party-invalid]; correct it as the detail says"#
            ]],
        );
        let zero = "participant = 1\nowner = \"0x0000000000000000000000000000000000000000\"";
        check(
            with("participant = 1", zero),
            expect![[
                r#"book.toml:5: party.owner "0x0000000000000000000000000000000000000000": the party is not valid: the owner of party a is the zero address [party-invalid]; correct it as the detail says"#
            ]],
        );
    }

    #[test]
    fn a_book_that_cannot_follow_names_what_changed() {
        let before = participants(BOOK.as_bytes()).expect("a book").content;
        let check = |from: &str, to: &str, expected: Expect| {
            let document = participants(BOOK.replacen(from, to, 1).as_bytes()).expect("a book");
            let error = document.content.check_follows(&before).expect_err("it does not follow");
            let refused = document.refused_by_store(error.into()).to_string();
            let (_, place) = refused.split_once("book.toml").expect("the file is named");
            expected.assert_eq(place);
        };
        check(
            "\"prosumer\"",
            "\"dso\"",
            expect![[
                r#":3: party.role "dso": the party is not valid: party a was registered with another role: a party stays what it is [party-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            "participant = 1",
            "participant = 1\nowner = \"0x1111111111111111111111111111111111111111\"",
            expect![[
                r#":5: party.owner "0x1111111111111111111111111111111111111111": the party is not valid: party a was registered with another owner: a party stays what it is [party-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            "metering = \"gross\"",
            "metering = \"import\"",
            expect![[
                r#":19: metering_point.metering "import": the party is not valid: metering point house was registered with another metering: what readings mean does not change [party-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            "party = \"b\"",
            "party = \"a\"",
            expect![[
                r#":18: metering_point.party "a": the party is not valid: metering point house was registered with another party: what readings mean does not change [party-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            "\"gross\"",
            "\"gross\"\nsince = \"2026-01-01T00:00:00Z\"",
            expect![[
                r#":20: metering_point.since "2026-01-01T00:00:00Z": the party is not valid: metering point house was registered with another since: what readings mean does not change [party-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            "\"house\"",
            "\"home\"",
            expect![[
                r#": "house": the party is not valid: metering point house is missing: a later list may add metering points, and leaves none out [party-invalid]; give the whole list, with everything that was registered before"#
            ]],
        );
        let gone = "[[party]]\nid = \"b\"\nrole = \"prosumer\"\nparticipant = 2\n";
        check(
            gone,
            "[[party]]\nid = \"c\"\nrole = \"prosumer\"\nparticipant = 2\n\n[[party]]\nid = \"b\"\nrole = \"prosumer\"\nparticipant = 3\n",
            expect![[
                r#":14: party.participant "3": the party is not valid: party b was registered with another participant: a party stays what it is [party-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            &BOOK[BOOK.find("[[party]]\nid = \"b\"").expect("b")..],
            "",
            expect![[
                r#": "b": the party is not valid: party b is missing: a later list may add parties, and leaves none out [party-invalid]; give the whole list, with everything that was registered before"#
            ]],
        );
    }

    #[test]
    fn tariffs_name_line_key_and_value() {
        let tariff = r#"name = "household"
currency = "EUR"

[[version]]
valid_from = "2026-01-01T00:00:00Z"
valid_until = "2026-02-01T00:00:00Z"

[[version.import]]
part = "spot"
area = "NO2"
margin_micro_per_kwh = 20000

[[version]]
valid_from = "2026-02-01T00:00:00Z"
"#;
        let check =
            |from: &str, to: &str, expected| check_tariff(&tariff.replacen(from, to, 1), expected);
        check(
            "\"household\"",
            "\"House hold\"",
            expect![[
                r#"tariff.toml:1: name "House hold": the identifier has a character that is not allowed: the name of the tariff: 'H' cannot stand at position 1 [id-character]; remove blanks and separators"#
            ]],
        );
        check(
            "\"EUR\"",
            "\"€\"",
            expect![[
                r#"tariff.toml:2: currency "€": the tariff is not valid: a currency is three capital letters, such as EUR or NOK [tariff-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            "\"NO2\"",
            "\"N O2\"",
            expect![[
                r#"tariff.toml:10: version.import.area "N O2": the identifier has a character that is not allowed: ' ' cannot stand at position 2 [id-character]; remove blanks and separators"#
            ]],
        );
        check(
            "\"2026-01-01T00:00:00Z\"",
            "\"2026-01-01\"",
            expect![[
                r#"tariff.toml:5: version.valid_from "2026-01-01": the tariff is not valid: it cannot be read; a time is written as 2026-01-15T10:00:00Z [tariff-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            "\"2026-01-01T00:00:00Z\"",
            "2026-01-01",
            expect![[
                r#"tariff.toml:5: version.valid_from "2026-01-01": the tariff is not valid: expected a time in quotes, such as "2026-01-15T10:00:00Z", found a time without quotes [tariff-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            "\"2026-01-01T00:00:00Z\"",
            "\"2026-03-01T00:00:00Z\"",
            expect![[
                r#"tariff.toml:6: version.valid_until "2026-02-01T00:00:00Z": the tariff is not valid: version 1 is valid until 2026-02-01T00:00:00Z, which is not after its start 2026-03-01T00:00:00Z [tariff-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            "valid_from = \"2026-02-01",
            "valid_from = \"2026-01-15",
            expect![[
                r#"tariff.toml:14: version.valid_from "2026-01-15T00:00:00Z": the tariff is not valid: version 2 starts 2026-01-15T00:00:00Z, while the one before it is still valid [tariff-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            "valid_from = \"2026-02-01",
            "valid_from = \"2026-02-02",
            expect![[
                r#"tariff.toml:14: version.valid_from "2026-02-02T00:00:00Z": the tariff is not valid: no version is valid from 2026-02-01T00:00:00Z to 2026-02-02T00:00:00Z, the start of version 2 [tariff-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            "20000",
            "0.02",
            expect![[
                r#"tariff.toml:11: version.import.margin_micro_per_kwh "0.02": the tariff is not valid: expected a whole number from -2147483648 to 2147483647, found a number with decimals [tariff-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            "\"spot\"",
            "\"market\"",
            expect![[
                r#"tariff.toml:9: version.import.part "market": the tariff is not valid: expected one of spot, fixed, time_of_use [tariff-invalid]; correct it as the detail says"#
            ]],
        );
        check(
            "currency = \"EUR\"\n",
            "",
            expect![[
                r#"tariff.toml:1: currency "": the tariff is not valid: the key currency is missing [tariff-invalid]; correct it as the detail says"#
            ]],
        );
        // A part says what it is in one of its keys, and then reading it names no other one.
        let part = |changed: &str| {
            let part = "part = \"time_of_use\"\nzone = \"Europe/Oslo\"\nholidays = \"norway\"\n\
                        otherwise_micro_per_kwh = 1\n\n[[version.import.band]]\ndays = [\"weekend\"]\n\
                        from = \"06:00\"\nuntil = \"22:00\"\nprice_micro_per_kwh = 2\n";
            let (key, _) = changed.split_once(' ').expect("key = value");
            let lines = part
                .lines()
                .map(|line| if line.starts_with(&format!("{key} ")) { changed } else { line });
            let lines: Vec<&str> = lines.collect();
            let begin = "name = \"a\"\ncurrency = \"EUR\"\n[[version]]\n\
                         valid_from = \"2026-01-01T00:00:00Z\"\n[[version.import]]\n";
            format!("{begin}{}\n", lines.join("\n"))
        };
        let said = [
            "zone = \"Europe/Atlantis\"",
            "holidays = \"moon\"",
            "otherwise_micro_per_kwh = 1.5",
            "days = [\"weekend\", \"sunday\"]",
            "days = []",
            "from = \"6:00\"",
            "until = \"24:00\"",
            "price_micro_per_kwh = 3000000000",
        ]
        .map(|changed| {
            let folder = tempfile::tempdir().expect("a folder for the test");
            let path = folder.path().join("tariff.toml");
            std::fs::write(&path, part(changed)).expect("the folder can be written to");
            let refused = read_tariff(&path).map(|_| ()).expect_err(changed);
            refused.in_file("tariff.toml").to_string()
        });
        expect![[r#"
            tariff.toml:7: version.import.zone "Europe/Atlantis": the tariff is not valid: unknown time zone, expected an IANA name such as Europe/Oslo [tariff-invalid]; correct it as the detail says
            tariff.toml:8: version.import.holidays "moon": the tariff is not valid: expected none or norway [tariff-invalid]; correct it as the detail says
            tariff.toml:9: version.import.otherwise_micro_per_kwh "1.5": the tariff is not valid: expected a whole number from -2147483648 to 2147483647, found a number with decimals [tariff-invalid]; correct it as the detail says
            tariff.toml:12: version.import.band.days "sunday": the tariff is not valid: expected one of working_day, weekend, holiday [tariff-invalid]; correct it as the detail says
            tariff.toml:11: version.import.band "": the tariff is not valid: band 1 never applies: it has no day, or the bands before it take all of its times [tariff-invalid]; correct it as the detail says
            tariff.toml:13: version.import.band.from "6:00": the tariff is not valid: expected a time of day such as 06:00, at most 23:59 [tariff-invalid]; correct it as the detail says
            tariff.toml:14: version.import.band.until "24:00": the tariff is not valid: expected a time of day such as 06:00, at most 23:59 [tariff-invalid]; correct it as the detail says
            tariff.toml:15: version.import.band.price_micro_per_kwh "3000000000": the tariff is not valid: expected a whole number from -2147483648 to 2147483647 [tariff-invalid]; correct it as the detail says"#]].assert_eq(&said.join("\n"));
        check_tariff(
            "name = \"a\"\ncurrency = \"EUR\"\nversion = []\n",
            expect![[
                r#"tariff.toml:3: version "": the tariff is not valid: a tariff has 1 to 1000 versions, not 0 [tariff-invalid]; correct it as the detail says"#
            ]],
        );
    }
}
