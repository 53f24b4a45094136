//! What the parser says, as people say it who write keys and values and know nothing of types.

/// Returns what is wrong with a text that is no TOML; `message` is the parser's.
#[must_use]
pub fn syntax_in_words(message: &str) -> String {
    /// What the parser's messages begin with, and what that is to people.
    const NO_VALUE: &str = "the value is no number, no true or false, and no text in quotes";
    const WORDS: [(&str, &str); 26] = [
        ("string values must be quoted", NO_VALUE),
        ("invalid boolean", NO_VALUE),
        ("invalid value", NO_VALUE),
        ("invalid integer", "the number cannot be read"),
        ("invalid float", "the number cannot be read"),
        ("invalid mantissa", "the number cannot be read"),
        ("invalid date-time", "a time must stand in quotes"),
        ("key with no value", "after a key come = and a value"),
        ("missing value", "there is no value after ="),
        ("missing assignment", "there is no = between key and value"),
        ("extra assignment", "there is one = too many"),
        ("extra `=`", "there is one = too many"),
        ("missing comma", "there is no comma between two values"),
        ("extra comma", "there is one comma too many"),
        ("duplicate key", "the key stands twice"),
        ("unclosed array table", "the brackets are not closed"),
        ("unclosed table", "the bracket is not closed"),
        ("unclosed array", "the list has no ] at its end"),
        ("unclosed inline table", "the table has no } at its end"),
        ("invalid basic string", "the text has no quote at its end, or a \\ that means nothing"),
        ("invalid literal string", "the text has no quote at its end"),
        ("invalid multi-line", "the text has no three quotes at its end"),
        ("unexpected leading zero", "the number begins with 0"),
        ("invalid unquoted key", "the key has a character that needs quotes"),
        ("unexpected content", "there is more on the line than a key and its value"),
        ("unexpected key or value", "there is more on the line than a key and its value"),
    ];
    let known = WORDS.iter().find(|(begin, _)| message.starts_with(begin));
    known
        .map_or(
            "the line is not a key, = and a value, nor a table's name in brackets",
            |(_, words)| words,
        )
        .to_owned()
}

/// Returns what is wrong with a value; `message` is what reading it said, `value` how it is written.
pub(super) fn value_in_words(message: &str, value: &str) -> String {
    let plain = |text: &str| text.replace('`', "");
    if let Some((_, expected)) = split(message, "unknown variant `", "`, expected ") {
        return format!("expected {}", plain(expected));
    }
    if let Some((key, expected)) = split(message, "unknown field `", "`, expected ") {
        return format!("there is no key {key} here, but {}", plain(expected));
    }
    if let Some((key, _)) = split(message, "missing field `", "`") {
        return format!("the key {key} is missing");
    }
    if message.starts_with("duplicate ") {
        return "the key stands twice".to_owned();
    }
    if let Some((found, expected)) = split(message, "invalid type: ", ", expected ") {
        // A time without quotes is a kind of table to the parser.
        let is_time =
            found.contains("map") && value.starts_with(|first: char| first.is_ascii_digit());
        let found = if is_time || found.contains("datetime") {
            "a time without quotes"
        } else {
            found_in_words(found)
        };
        return format!("expected {}, found {found}", expected_in_words(expected));
    }
    if let Some((_, expected)) = split(message, "invalid value: ", ", expected ") {
        return format!("expected {}", expected_in_words(expected));
    }
    let hexadecimal = ["invalid string length", "odd number of digits", "invalid character"];
    if hexadecimal.iter().any(|begin| message.starts_with(begin)) {
        return "an address is 0x and 40 hexadecimal digits".to_owned();
    }
    if message.starts_with("failed to ") || message.starts_with("parsing failed") {
        return "it cannot be read; a time is written as 2026-01-15T10:00:00Z".to_owned();
    }
    message.to_owned()
}

/// Returns what follows `begin` up to `middle`, and what follows that.
fn split<'m>(message: &'m str, begin: &str, middle: &str) -> Option<(&'m str, &'m str)> {
    message.strip_prefix(begin)?.split_once(middle)
}

fn found_in_words(found: &str) -> &str {
    const WORDS: [(&str, &str); 6] = [
        ("string", "a text"),
        ("integer", "a whole number"),
        ("float", "a number with decimals"),
        ("boolean", "true or false"),
        ("sequence", "a list"),
        ("map", "a table"),
    ];
    WORDS.iter().find(|(begin, _)| found.starts_with(begin)).map_or(found, |(_, words)| words)
}

fn expected_in_words(expected: &str) -> String {
    let words = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "u64" | "i64" | "usize" => "a whole number",
        "a string" | "str" | "string" => "a text in quotes",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "a timestamp string" => "a time in quotes, such as \"2026-01-15T10:00:00Z\"",
        table if table.starts_with("struct ") || table == "a map" || table.contains("enum ") => {
            "a table"
        }
        other => other,
    };
    words.replace('`', "")
}
