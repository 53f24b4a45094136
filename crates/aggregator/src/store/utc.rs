//! `2026-01-15T10:00:00Z` to seconds since 1970 and back, fast and in exactly one form.

/// Length of the text.
pub(super) const UTC_LENGTH: usize = 20;
/// The last second that has a text: the end of the year 9999.
pub(super) const SECOND_MAX: i64 = 253_402_300_799;

/// Returns the seconds since 1970, or nothing unless the text is a valid UTC time in exactly this form, from 1970 on.
pub(super) fn parse_utc(text: &[u8]) -> Option<i64> {
    let text: &[u8; UTC_LENGTH] = text.try_into().ok()?;
    let number = |from: usize, until: usize| {
        text[from..until].iter().try_fold(0_i64, |value, digit| {
            digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0'))
        })
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'Z')];
    if separators.iter().any(|&(at, byte)| text[at] != byte) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if year < 1970 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if day < 1 || day > length {
        return None;
    }
    // Days since 0000-03-01, with March as the first month so that the leap day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Writes the text of a second from 1970 to [`SECOND_MAX`].
pub(super) fn push_utc(second: i64, text: &mut Vec<u8>) {
    assert!((0..=SECOND_MAX).contains(&second), "{second} has no text");
    let ((year, month, day), second) = (civil(second), second % 86_400);
    let two = |number: i64| [digit(number / 10), digit(number % 10)];
    text.extend([
        digit(year / 1000),
        digit(year / 100 % 10),
        digit(year / 10 % 10),
        digit(year % 10),
        b'-',
    ]);
    text.extend(two(month));
    text.push(b'-');
    text.extend(two(day));
    text.push(b'T');
    text.extend(two(second / 3_600));
    text.push(b':');
    text.extend(two(second / 60 % 60));
    text.push(b':');
    text.extend(two(second % 60));
    text.push(b'Z');
}

/// Returns whether two seconds lie in the same month of UTC.
pub(super) fn is_same_month(left: i64, right: i64) -> bool {
    let month = |second| {
        let (year, month, _) = civil(second);
        (year, month)
    };
    month(left) == month(right)
}

/// Returns year, month and day of a second that is not before 1970.
fn civil(second: i64) -> (i64, i64, i64) {
    // Days since 0000-03-01.
    let days = second / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) =
        (era * 400 + year_of_era + month / 10, if month < 10 { month + 3 } else { month - 9 });
    (year, month, day)
}

fn digit(number: i64) -> u8 {
    b'0' + u8::try_from(number).expect("a single digit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    #[test]
    fn other_forms_are_not_read() {
        for text in [
            "",
            "2026-01-15 10:00:00Z",
            "2026-01-15T10:00:00",
            "2026-01-15T10:00:00+",
            "2026-02-29T10:00:00Z",
            "2100-02-29T10:00:00Z",
            "2026-00-15T10:00:00Z",
            "2026-13-15T10:00:00Z",
            "2026-01-00T10:00:00Z",
            "2026-04-31T10:00:00Z",
            "2026-01-15T24:00:00Z",
            "2026-01-15T10:60:00Z",
            "2026-01-15T10:00:60Z",
            "1969-12-31T23:59:59Z",
            "2026-01-15T1:000:00Z",
        ] {
            assert_eq!(parse_utc(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_utc(b"2000-02-29T00:00:00Z"), Some(951_782_400));
        assert_eq!(parse_utc(b"9999-12-31T23:59:59Z"), Some(SECOND_MAX));
    }

    proptest! {
        #[test]
        fn agrees_with_jiff(second in 0..=253_402_207_200_i64) {
            let mut text = Vec::new();
            push_utc(second, &mut text);
            prop_assert_eq!(std::str::from_utf8(&text).unwrap(), Timestamp::from_second(second).unwrap().to_string());
            prop_assert_eq!(parse_utc(&text), Some(second));
        }
    }
}
