//! Participants and tariffs from files that people write.

use std::io::Read;
use std::path::Path;

use gridtally_core::rejection::{Reason, Rejection};
use gridtally_core::tariff::Tariff;
use serde::de::DeserializeOwned;

use super::participants::ParticipantBook;

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Reads participants and metering points from a TOML file.
///
/// # Errors
///
/// [`Reason::FileUnreadable`], [`Reason::FileTooLarge`], [`Reason::EncodingNotUtf8`], then [`Reason::PartyInvalid`] with the
/// line where it can be named.
pub fn read_participants(path: &Path) -> Result<ParticipantBook, Rejection> {
    read(path, Reason::PartyInvalid)
}

/// Reads a tariff from a TOML file.
///
/// # Errors
///
/// [`Reason::FileUnreadable`], [`Reason::FileTooLarge`], [`Reason::EncodingNotUtf8`], then [`Reason::TariffInvalid`] with the
/// line where it can be named.
pub fn read_tariff(path: &Path) -> Result<Tariff, Rejection> {
    read(path, Reason::TariffInvalid)
}

fn read<T: DeserializeOwned>(path: &Path, invalid: Reason) -> Result<T, Rejection> {
    let name = path.display().to_string();
    let rejected = |reason| Rejection::new(reason, "").in_file(name.clone());
    let unreadable = |error: std::io::Error| rejected(Reason::FileUnreadable).because(error);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(rejected(Reason::FileTooLarge));
    }
    let text = String::from_utf8(bytes).map_err(|_| rejected(Reason::EncodingNotUtf8))?;
    toml::from_str(&text).map_err(|error| {
        let rejection = rejected(invalid).because(error.message());
        // An error of the whole, such as two parties of one name, has no line of its own.
        match error.span().filter(|span| span.end < text.len() || span.start > 0) {
            Some(span) => {
                let before = &text.as_bytes()[..span.start.min(text.len())];
                let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
                rejection.at_line(line as u64)
            }
            None => rejection,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &[u8]) -> String {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("book.toml");
        std::fs::write(&path, text).expect("the folder can be written to");
        let rejection = read_participants(&path).expect_err("refused");
        let line = rejection.line.map_or("-".to_owned(), |line| line.to_string());
        format!("{}:{line}", rejection.reason.code())
    }

    #[test]
    fn refusals_name_the_line() {
        assert_eq!(refused(b"\xff\xfe"), "encoding-not-utf8:-");
        assert_eq!(refused(b"[[party]]\nid = \"a\"\nrole = \"king\"\n"), "party-invalid:3");
        assert_eq!(refused(b"[[party]]\nid = \"a\"\nrole"), "party-invalid:3");
        let twice = "[[party]]\nid = \"a\"\nrole = \"dso\"\nparticipant = 7\n";
        assert_eq!(refused(twice.as_bytes()), "party-invalid:-");
        let error = read_tariff(Path::new("/nowhere/tariff.toml")).expect_err("refused");
        assert_eq!(error.reason.code(), "file-unreadable");
    }
}
