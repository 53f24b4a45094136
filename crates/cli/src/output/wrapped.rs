//! Sentences that fit the width of a terminal.

use std::io::{self, Write};

/// Most characters of a line.
const WIDTH: usize = 100;

/// Writes a sentence after `first`, broken between words, further lines after `next`. A word that is longer than a line stays whole.
///
/// # Errors
///
/// What `out` answers.
pub(crate) fn write_wrapped(
    out: &mut dyn Write,
    first: &str,
    next: &str,
    sentence: &str,
) -> io::Result<()> {
    let mut line = first.to_owned();
    let mut is_begun = false;
    for word in sentence.split(' ') {
        let length = line.chars().count() + usize::from(is_begun) + word.chars().count();
        if is_begun && length > WIDTH {
            writeln!(out, "{}", line.trim_end())?;
            next.clone_into(&mut line);
            is_begun = false;
        }
        if is_begun {
            line.push(' ');
        }
        line.push_str(word);
        is_begun = true;
    }
    writeln!(out, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_no_word_is_lost() {
        let sentence = "word ".repeat(60);
        let mut text = Vec::new();
        write_wrapped(&mut text, "  name  ", "        ", sentence.trim_end()).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert_eq!(text.lines().count(), 4);
        assert_eq!(text.matches("word").count(), 60);
    }
}
