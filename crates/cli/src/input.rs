//! Files that are read whole: plain or gzip, never more than a bound.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::CommandError;

/// What a gzip file begins with.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why a file is not read, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// It is not there, or may not be read.
    #[error("cannot read {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// It begins like a gzip file, but ends early or is damaged.
    #[error("{} is a damaged gzip file", path.display())]
    Compression { path: PathBuf, source: io::Error },
    /// It is larger than any honest one.
    #[error("{} has more than {bytes_max} bytes", path.display())]
    TooLarge { path: PathBuf, bytes_max: u64 },
}

impl From<InputError> for CommandError {
    fn from(error: InputError) -> Self {
        match error {
            InputError::Unreadable { .. } => Self::environment(error),
            InputError::Compression { .. } | InputError::TooLarge { .. } => Self::refused(error),
        }
    }
}

/// Reads a file, unpacked where it is a gzip file, of at most `bytes_max` bytes after unpacking.
///
/// # Errors
///
/// In the order of [`InputError`].
pub(crate) fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, InputError> {
    let unreadable = |source| InputError::Unreadable { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut magic = Vec::new();
    file.by_ref().take(2).read_to_end(&mut magic).map_err(unreadable)?;
    let is_gzip = magic == GZIP_MAGIC;
    let whole = magic.as_slice().chain(file);
    let mut content = Vec::new();
    if is_gzip {
        let compression = |source| InputError::Compression { path: path.to_owned(), source };
        let mut unpacked = MultiGzDecoder::new(whole).take(bytes_max.saturating_add(1));
        unpacked.read_to_end(&mut content).map_err(compression)?;
    } else {
        whole.take(bytes_max.saturating_add(1)).read_to_end(&mut content).map_err(unreadable)?;
    }
    if content.len() as u64 > bytes_max {
        return Err(InputError::TooLarge { path: path.to_owned(), bytes_max });
    }
    Ok(content)
}

/// Returns whether a text is TOML that has a key at its top, which says what kind of document it is.
pub(crate) fn has_key(text: &str, key: &str) -> bool {
    text.parse::<toml::Table>().is_ok_and(|table| table.contains_key(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn check(content: &[u8], bytes_max: u64, expected: &Expect) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, content).unwrap();
        let shown = match read_bounded(&path, bytes_max) {
            Ok(content) => format!("{} bytes", content.len()),
            Err(error) => CommandError::from(error).to_string(),
        };
        expected.assert_eq(&shown.replace(&folder.path().display().to_string(), "FOLDER"));
    }

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn plain_and_packed_files_are_read_alike() {
        check(b"", 10, &expect!["0 bytes"]);
        check(b"x", 10, &expect!["1 bytes"]);
        check(&packed(b"0123456789"), 10, &expect!["10 bytes"]);
        check(&[packed(b"01234"), packed(b"56789")].concat(), 10, &expect!["10 bytes"]);
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused() {
        check(b"0123456789x", 10, &expect!["error: FOLDER/file has more than 10 bytes"]);
        check(
            &packed(&vec![0; 1 << 20]),
            10,
            &expect!["error: FOLDER/file has more than 10 bytes"],
        );
    }

    #[test]
    fn damaged_gzip_is_refused() {
        let whole = packed(b"0123456789");
        check(
            &whole[..whole.len() - 3],
            10,
            &expect!["error: FOLDER/file is a damaged gzip file: unexpected end of file"],
        );
        check(
            &[0x1f, 0x8b, 0],
            10,
            &expect!["error: FOLDER/file is a damaged gzip file: unexpected end of file"],
        );
    }
}
