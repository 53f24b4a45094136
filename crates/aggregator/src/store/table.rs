//! A table read row by row, its bytes checked on the way.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::digest::{Digest, Fingerprinter};
use super::error::{Fault, FaultKind, StoreError, failed};
use super::journal::StoredFile;
use super::names::Names;
use super::row::{LINE_BYTES_MAX, RowText};

/// Bytes read at a time; many tables may be open.
const BUFFER_BYTES: usize = 64 << 10;
/// Bytes of a file that is read as a whole: a tariff, a book of participants.
const WHOLE_BYTES_MAX: u64 = 256 << 20;

/// A table that is being read. Its bytes are known to be right when the end was reached.
#[derive(Debug)]
pub(super) struct TableReader<R> {
    stored: StoredFile,
    path: PathBuf,
    source: BufReader<File>,
    /// Of all bytes so far. Where they differ is looked for only when they do.
    hasher: Sha256,
    text: Vec<u8>,
    line: u64,
    last: Option<R>,
}

impl<R: RowText> TableReader<R> {
    pub(super) fn open(folder: &Path, stored: &StoredFile) -> Result<Self, StoreError> {
        let (path, file) = open_checked(folder, stored)?;
        let mut reader = Self {
            stored: stored.clone(),
            path,
            source: BufReader::with_capacity(BUFFER_BYTES, file),
            hasher: Sha256::new(),
            text: Vec::new(),
            line: 0,
            last: None,
        };
        reader.read_line()?;
        if reader.text != R::HEADER.as_bytes() {
            return Err(reader.fault("it is not the header of such a table").into());
        }
        Ok(reader)
    }

    /// Returns the next row, or nothing at the end, where the bytes read are compared with what was recorded.
    pub(super) fn next(&mut self, names: &Names) -> Result<Option<R>, StoreError> {
        self.read_line()?;
        if self.text.is_empty() {
            let digest = Digest(self.hasher.finalize_reset().into());
            if digest != self.stored.fingerprint.sha256 {
                return Err(located(&self.path, &self.stored)?.into());
            }
            return Ok(None);
        }
        let Some(text) = self.text.strip_suffix(b"\n") else {
            return Err(self.fault("it has no end").into());
        };
        let near = self.last.map_or(0, |last| last.place());
        let row = R::parse(text, names, near).map_err(|what| self.fault(what))?;
        if self.last.is_some_and(|last| last.key() >= row.key()) {
            return Err(self.fault("it does not come after the one before it").into());
        }
        self.last = Some(row);
        Ok(Some(row))
    }

    fn read_line(&mut self) -> Result<(), StoreError> {
        self.text.clear();
        self.line += 1;
        let mut bounded = (&mut self.source).take(LINE_BYTES_MAX);
        let read = bounded.read_until(b'\n', &mut self.text);
        read.map_err(failed("read", &self.path))?;
        self.hasher.update(&self.text);
        Ok(())
    }

    fn fault(&self, what: &str) -> Fault {
        Fault::malformed(&self.stored.path, self.line, what)
    }
}

/// Opens a file of the store whose length must be the recorded one.
fn open_checked(folder: &Path, stored: &StoredFile) -> Result<(PathBuf, File), StoreError> {
    let path = folder.join(&stored.path);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Fault::new(&stored.path, FaultKind::Missing).into());
        }
        Err(error) => return Err(failed("open", &path)(error)),
    };
    let actual = file.metadata().map_err(failed("open", &path))?.len();
    if actual != stored.fingerprint.bytes {
        return Err(located(&path, stored)?.into());
    }
    Ok((path, file))
}

/// Reads a file of the store as a whole.
pub(super) fn read_whole(folder: &Path, stored: &StoredFile) -> Result<Vec<u8>, StoreError> {
    let (path, file) = open_checked(folder, stored)?;
    let mut bytes = Vec::new();
    file.take(WHOLE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed("read", &path))?;
    if Digest::of(&bytes) != stored.fingerprint.sha256 {
        return Err(located(&path, stored)?.into());
    }
    Ok(bytes)
}

/// Returns where a file differs from what was recorded of it.
pub(super) fn located(path: &Path, stored: &StoredFile) -> Result<Fault, StoreError> {
    Ok(difference(path, stored)?.unwrap_or_else(|| Fault::new(&stored.path, FaultKind::Differs)))
}

/// Compares a file with what was recorded of it. Returns where they differ, or nothing when they do not.
pub(super) fn difference(path: &Path, stored: &StoredFile) -> Result<Option<Fault>, StoreError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Some(Fault::new(&stored.path, FaultKind::Missing)));
        }
        Err(error) => return Err(failed("open", path)(error)),
    };
    let mut fingerprinter = Fingerprinter::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = file.read(&mut buffer).map_err(failed("read", path))?;
        if count == 0 {
            break;
        }
        fingerprinter.update(&buffer[..count]);
    }
    let found = fingerprinter.finish();
    let expected = &stored.fingerprint;
    if found.sha256 == expected.sha256 && found.bytes == expected.bytes {
        return Ok(None);
    }
    let kind = if found.bytes == expected.bytes {
        FaultKind::Differs
    } else {
        FaultKind::Length { expected: expected.bytes, actual: found.bytes }
    };
    let mut fault = Fault::new(&stored.path, kind);
    if let Some((first, last)) = expected.first_difference(&found) {
        fault.line = Some(first);
        fault.last_line = Some(last).filter(|&last| last > first);
    }
    Ok(Some(fault))
}
