//! Input that is refused: one shape for every refusal, with a reason from a documented list.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::{Serialize, Serializer};

use crate::explanation::{Explained, Explanation};

/// One refused piece of input: where it stands, what it says, why it is refused and what to do.
///
/// ```
/// use gridtally_core::rejection::{Reason, Rejection};
///
/// let rejection = Rejection::new(Reason::IdCheckDigit, "857643212345678921")
///     .in_file("points.csv")
///     .at_line(17)
///     .in_column("metering_point")
///     .because("expected 2, found 1");
/// assert_eq!(
///     rejection.to_string(),
///     "points.csv:17: metering_point \"857643212345678921\": the check digit is wrong: expected 2, found 1 \
///      [id-check-digit]; compare the identifier with its source, a digit was mistyped or lost"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Name of the file, as the user gave it.
    pub file: Option<String>,
    /// Line in the file, from 1; the header is line 1.
    pub line: Option<u64>,
    /// Name of the column, or of the element in a document.
    pub column: Option<Box<str>>,
    /// The refused text.
    pub value: Excerpt,
    /// Why it is refused.
    pub reason: Reason,
    /// What is wrong in this very case, such as the digit that was expected.
    pub detail: Option<Box<str>>,
    /// What to do about it.
    pub remedy: Cow<'static, str>,
}

impl Rejection {
    /// Returns a rejection with the usual remedy of its reason and no place yet.
    #[must_use]
    pub fn new(reason: Reason, value: &str) -> Self {
        Self {
            file: None,
            line: None,
            column: None,
            value: Excerpt::new(value),
            reason,
            detail: None,
            remedy: Cow::Borrowed(reason.remedy()),
        }
    }

    /// Names the file.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Names the line, from 1.
    #[must_use]
    pub fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// Names the column.
    #[must_use]
    pub fn in_column(mut self, column: impl Into<Box<str>>) -> Self {
        self.column = Some(column.into());
        self
    }

    /// Says what is wrong in this very case.
    #[must_use]
    pub fn because(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string().into());
        self
    }

    /// Replaces the usual remedy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

impl fmt::Display for Rejection {
    /// Writes one line: `file:line: column "value": reason: detail [code]; remedy`. What is not known is left out, and so
    /// is an empty value of no column, of a whole file say.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(formatter, "{}:{line}: ", file.escape_debug())?,
            (Some(file), None) => write!(formatter, "{}: ", file.escape_debug())?,
            (None, Some(line)) => write!(formatter, "line {line}: ")?,
            (None, None) => {}
        }
        if let Some(column) = &self.column {
            write!(formatter, "{} ", column.escape_debug())?;
        }
        if self.column.is_some() || !self.value.as_str().is_empty() {
            write!(formatter, "\"{}\": ", self.value)?;
        }
        formatter.write_str(self.reason.meaning())?;
        if let Some(detail) = &self.detail {
            formatter.write_str(": ")?;
            for character in detail.chars() {
                // Quotes may stand as they are, control characters may not.
                match character {
                    '"' | '\'' => formatter.write_char(character)?,
                    _ => write!(formatter, "{}", character.escape_debug())?,
                }
            }
        }
        write!(formatter, " [{}]; {}", self.reason, self.remedy)
    }
}

impl std::error::Error for Rejection {}

impl Explained for Rejection {
    /// They stand in a list of their own: [`Reason::ALL`].
    const EXPLANATIONS: &'static [Explanation] = &[];

    fn explanation(&self) -> Explanation {
        let reason = self.reason;
        Explanation { code: reason.code(), meaning: reason.meaning(), remedy: reason.remedy() }
    }
}

/// The beginning of a refused text, with control characters escaped: at most 60 characters of it, then `…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Excerpt(Box<str>);

impl Excerpt {
    /// Most characters that are kept.
    pub const CHARACTERS_MAX: usize = 60;

    /// Returns the excerpt of a text of any length.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut characters = text.chars();
        let kept: String = characters.by_ref().take(Self::CHARACTERS_MAX).collect();
        let more = if characters.next().is_some() { "…" } else { "" };
        Self(format!("{}{more}", kept.escape_debug()).into())
    }

    /// Returns the excerpt.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Declares the reasons once: variant, code, meaning, remedy.
macro_rules! reasons {
    ($($(#[$group:meta])* $variant:ident $code:literal $meaning:literal $remedy:literal)*) => {
        /// Why input is refused, in order of precedence: when two apply, the first is reported.
        ///
        /// `docs/reference/rejections.md` is written from this list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = concat!("`", $code, "`: ", $meaning, ".")] $variant,)*
        }

        impl Reason {
            /// All reasons, in order of precedence.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the code, a stable word for programs.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// Returns what the reason says, lower case and without a full stop.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }

            /// Returns what usually helps.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$variant => $remedy,)*
                }
            }
        }
    };
}

reasons! {
    FileUnreadable "file-unreadable" "the file cannot be read"
        "check the path and the permissions"
    FileEmpty "file-empty" "the file is empty"
        "export it again"
    FileTooLarge "file-too-large" "the file exceeds the limit"
        "split it, or raise the limit"
    CompressionBroken "compression-broken" "the gzip data is truncated or damaged"
        "transfer the file again and compare its size"
    EncodingNotUtf8 "encoding-not-utf8" "the text is not UTF-8"
        "export it as UTF-8, spreadsheets offer 'CSV UTF-8'"
    DocumentKind "document-kind" "this kind of document is not imported"
        "give a document of readings or prices"
    DocumentUnsafe "document-unsafe" "the document declares a DTD or an entity"
        "ask its sender for a document without"
    DocumentMalformed "document-malformed" "the document does not follow its format"
        "ask its sender for a valid document"
    HeaderMissing "header-missing" "the header line is missing"
        "put the names of the columns in the first line"
    ColumnMissing "column-missing" "a column that is needed is missing"
        "add the column, or name the one to use"
    ColumnTwice "column-twice" "two columns have the same name"
        "rename one of them"
    LineTooLong "line-too-long" "the line exceeds the limit"
        "check the line ends and the quotes before this line"
    QuoteOpen "quote-open" "a quoted field does not end as it must"
        "check the quotes in this row, a field ends on its line"
    FieldCount "field-count" "the row has more or fewer fields than the header"
        "check separators and quotes in this row"
    IdScientific "id-scientific" "the identifier is in scientific notation, so digits are lost"
        "export again with the column formatted as text"
    IdLength "id-length" "the identifier has the wrong length"
        "compare it with its source, leading zeros may be lost"
    IdCharacter "id-character" "the identifier has a character that is not allowed"
        "remove blanks and separators"
    IdCheckDigit "id-check-digit" "the check digit is wrong"
        "compare the identifier with its source, a digit was mistyped or lost"
    IdUnknown "id-unknown" "nobody registered this identifier"
        "import parties and metering points first"
    ResolutionUnknown "resolution-unknown" "the resolution is not supported"
        "use PT10M, PT15M, PT30M or PT60M"
    TimeMalformed "time-malformed" "the time cannot be read"
        "write it as 2026-01-15T10:00:00Z, or give its format"
    TimeNonexistent "time-nonexistent" "the local time does not exist, clocks jump over it"
        "check the time zone of the file"
    TimeAmbiguous "time-ambiguous" "the local time exists twice, clocks go back"
        "add an offset, or give the file in UTC"
    TimeOutOfRange "time-out-of-range" "the time lies outside the calendar of 1970 to 9999"
        "check the year"
    TimeNotAligned "time-not-aligned" "the time does not lie on the grid of the resolution"
        "check the resolution, and whether stamps mark start or end"
    TimeFuture "time-future" "the period is not over yet"
        "check the clock of the source and the time zone of the file"
    TimeTooOld "time-too-old" "the period is further back than accepted"
        "raise the limit if this is meant"
    PositionOutside "position-outside" "the position lies outside its period"
        "check start, end and resolution of the period"
    NumberEmpty "number-empty" "the value is empty"
        "leave the row out: missing is not zero"
    NumberNotFinite "number-not-finite" "the value is not a finite number"
        "leave the row out: missing is not zero"
    NumberExponent "number-exponent" "the value has an exponent"
        "write all digits"
    NumberComma "number-comma" "the value has a decimal comma"
        "write a decimal point, or give the decimal separator"
    NumberMalformed "number-malformed" "the value is not a decimal number"
        "write digits, with a point where there are decimals"
    NumberOutOfRange "number-out-of-range" "the value is out of range"
        "check the unit of the column"
    NumberNotWhole "number-not-whole" "the value has decimals, but watt-hours are whole numbers"
        "give the column as kWh if it holds kilowatt-hours, else round it"
    EnergyNegative "energy-negative" "energy in an import or export channel is negative"
        "give feed-in as the export channel"
    ChannelUnknown "channel-unknown" "the metering point does not have this channel"
        "leave the column out, or import it to a metering point that has the channel"
    CurrencyMismatch "currency-mismatch" "the currency is not that of the store"
        "convert the prices, or use another store"
    UnitUnknown "unit-unknown" "the unit is not supported"
        "give prices per MWh or kWh"
    PeriodTwice "period-twice" "the file gives a period twice with different values"
        "keep one of the rows"
    PeriodsOverlap "periods-overlap" "periods of different resolution overlap"
        "keep one resolution for each day"
    PeriodMissing "period-missing" "a period that must be there is missing"
        "ask the source for the missing periods"
    OrderBroken "order-broken" "the row is earlier than the one before it"
        "sort the file by time"
    SessionReversed "session-reversed" "a charging session ends before it begins"
        "correct the row, or leave it out"
    SessionTwice "session-twice" "a charging session stands twice"
        "keep one of the rows"
    RowsTooMany "rows-too-many" "the file has more rows than the limit"
        "split it"
    TariffInvalid "tariff-invalid" "the tariff is not valid"
        "correct it as the detail says"
    PartyInvalid "party-invalid" "the party is not valid"
        "correct it as the detail says"
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect_file;
    use std::collections::BTreeSet;
    use std::fmt::Write;

    #[test]
    fn reference_lists_every_reason() {
        let mut page = String::from(
            "# Rejections\n\nWhy input is refused, in order of precedence: when two reasons apply, the first is reported.\n\
             A rejection names file, line, column, value, reason, detail and remedy. This page is written from\n\
             `crates/core/src/rejection.rs`; a test keeps it so (`UPDATE_EXPECT=1` rewrites it).\n\n\
             | Code | Meaning | Remedy |\n| --- | --- | --- |\n",
        );
        for reason in Reason::ALL {
            writeln!(page, "| `{reason}` | {} | {} |", reason.meaning(), reason.remedy()).unwrap();
        }
        expect_file!["../../../docs/reference/rejections.md"].assert_eq(&page);
    }

    #[test]
    fn codes_are_distinct() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
    }

    #[test]
    fn excerpts_are_bounded_and_stay_on_one_line() {
        let excerpt = Excerpt::new(&"\n\u{1b}[2J\"".repeat(1_000_000));
        assert!(excerpt.as_str().len() < 8 * Excerpt::CHARACTERS_MAX);
        assert!(excerpt.as_str().starts_with("\\n\\u{1b}[2J\\\""));
        assert_eq!(Excerpt::new("héj").as_str(), "héj");
        let rejection = Rejection::new(Reason::FileEmpty, "a\nb").in_file("x\ny").because("p\rq");
        assert_eq!(rejection.to_string().lines().count(), 1);
    }

    #[test]
    fn json_has_the_code() {
        let rejection = Rejection::new(Reason::TimeAmbiguous, "2026-10-25 02:30").at_line(4);
        let json = serde_json::to_value(&rejection).unwrap();
        assert_eq!(json["reason"], "time-ambiguous");
        assert_eq!(json["line"], 4);
        assert_eq!(json["file"], serde_json::Value::Null);
    }
}
