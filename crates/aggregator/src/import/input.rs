//! Bytes from outside: perhaps compressed, perhaps endless, perhaps not text.

use std::io::{self, BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;
use gridtally_core::rejection::{Reason, Rejection};
use serde::Serialize;

/// How a file was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As it is.
    Plain,
    /// With gzip, one or more members.
    Gzip,
}

/// What is accepted at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a file, unpacked.
    pub bytes_max: u64,
    /// Rows of a table.
    pub rows_max: u64,
    /// Bytes of a line.
    pub line_bytes_max: usize,
    /// Rejections that are kept. More are counted, up to a hundred times as many; then the file is given up.
    pub rejections_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: 16 << 30, rows_max: 200_000_000, line_bytes_max: 16 << 10, rejections_max: 1_000 }
    }
}

/// Why reading stopped; carried through [`io::Error`], because parsers above know nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stop {
    #[error("the line is longer than {0} bytes")]
    Line(usize),
    #[error("there are more than {0} bytes")]
    Bytes(u64),
    #[error("the text is UTF-16")]
    Utf16,
    #[error("there is a zero byte")]
    Zero,
}

/// Text of bounded length and lines, unpacked, without a byte order mark.
pub(super) struct Text<'a> {
    source: Box<dyn BufRead + 'a>,
    limits: Limits,
    bytes: u64,
    line_bytes: usize,
}

impl<'a> Text<'a> {
    /// Opens a file's bytes. Looks at the first ones to see how they are packed.
    pub(super) fn open(source: impl Read + 'a, limits: Limits) -> io::Result<(Self, Encoding)> {
        const BUFFER_BYTES: usize = 256 << 10;
        let mut source = BufReader::with_capacity(BUFFER_BYTES, source);
        let encoding =
            if source.fill_buf()?.starts_with(&[0x1f, 0x8b]) { Encoding::Gzip } else { Encoding::Plain };
        let mut source: Box<dyn BufRead + 'a> = match encoding {
            Encoding::Plain => Box::new(source),
            Encoding::Gzip => {
                Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(source)))
            }
        };
        let start = source.fill_buf()?;
        if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
            return Err(io::Error::other(Stop::Utf16));
        }
        if start.starts_with(&[0xef, 0xbb, 0xbf]) {
            source.consume(3);
        }
        Ok((Self { source, limits, bytes: 0, line_bytes: 0 }, encoding))
    }

    /// Returns the first line without consuming it, as far as it is in the first buffer.
    pub(super) fn first_line(&mut self) -> io::Result<String> {
        let start = self.source.fill_buf()?;
        let end = memchr::memchr2(b'\n', b'\r', start).unwrap_or(start.len());
        let end = end.min(self.limits.line_bytes_max);
        Ok(String::from_utf8_lossy(&start[..end]).into_owned())
    }
}

impl Read for Text<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        let read = &buffer[..count];
        self.bytes += u64::try_from(count).unwrap_or(u64::MAX);
        if self.bytes > self.limits.bytes_max {
            return Err(io::Error::other(Stop::Bytes(self.limits.bytes_max)));
        }
        // Only where a line goes on from one buffer into the next can it exceed the limit unseen.
        let mut rest = read;
        if let Some(end) = memchr::memchr(b'\n', read) {
            if self.line_bytes + end > self.limits.line_bytes_max {
                return Err(io::Error::other(Stop::Line(self.limits.line_bytes_max)));
            }
            self.line_bytes = 0;
            rest = &read[memchr::memrchr(b'\n', read).unwrap_or(end) + 1..];
        }
        self.line_bytes += rest.len();
        if self.line_bytes > self.limits.line_bytes_max {
            return Err(io::Error::other(Stop::Line(self.limits.line_bytes_max)));
        }
        if memchr::memchr(0, read).is_some() {
            return Err(io::Error::other(Stop::Zero));
        }
        Ok(count)
    }
}

/// Returns the refusal that stands behind a failed read.
pub(super) fn rejection_of(error: &io::Error) -> Rejection {
    let stop = error.get_ref().and_then(|source| source.downcast_ref::<Stop>());
    let reason = match stop {
        Some(Stop::Line(_)) => Reason::LineTooLong,
        Some(Stop::Bytes(_)) => Reason::FileTooLarge,
        Some(Stop::Utf16 | Stop::Zero) => Reason::EncodingNotUtf8,
        None => match error.kind() {
            // What the decompressor says of damaged data.
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidData => Reason::CompressionBroken,
            _ => Reason::FileUnreadable,
        },
    };
    Rejection::new(reason, "").because(error)
}
