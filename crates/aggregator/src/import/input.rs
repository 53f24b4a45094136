//! Bytes from outside: perhaps compressed, perhaps endless, perhaps not text.

use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read};
use std::rc::Rc;

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
    /// Bytes of a table, unpacked.
    pub bytes_max: u64,
    /// Bytes of an XML document, unpacked; it is held in memory as a whole.
    pub document_bytes_max: u64,
    /// Rows of a table. Each value takes 16 bytes of memory.
    pub rows_max: u64,
    /// Different metering points or areas in a table.
    pub labels_max: usize,
    /// Bytes of a line.
    pub line_bytes_max: usize,
    /// Rejections that are kept. More are counted, up to a hundred times as many; then the file is given up.
    pub rejections_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: 16 << 30,
            document_bytes_max: 64 << 20,
            rows_max: 50_000_000,
            labels_max: 1_000_000,
            line_bytes_max: 16 << 10,
            rejections_max: 1_000,
        }
    }
}

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Gzip data that unpacks to more than this many times its size, beyond [`UNPACKED_FREE_BYTES`], was made to exhaust the
/// reader: a table whose values never change still has different times and stays below a hundred.
const UNPACKED_RATIO_MAX: u64 = 200;

/// Bytes that may be unpacked before the ratio counts.
const UNPACKED_FREE_BYTES: u64 = 16 << 20;

/// Text of bounded length, unpacked, without a byte order mark.
pub(super) struct Text<'a> {
    source: Box<dyn Read + 'a>,
    encoding: Encoding,
    limits: Limits,
    /// Bytes of the file that were read, before unpacking.
    packed_bytes: Rc<Cell<u64>>,
    /// Bytes that came out.
    bytes: u64,
    buffer: Vec<u8>,
    /// What of the buffer was read and not handed out yet.
    pending: std::ops::Range<usize>,
    is_at_end: bool,
    /// Line of the next byte to be handed out, from 1.
    line: u64,
}

/// Whole lines, with their line ends; the last line of a file may lack one.
pub(super) struct Lines<'t> {
    pub(super) text: &'t str,
    /// Line number of the first, from 1.
    pub(super) first_line: u64,
}

impl<'t> Lines<'t> {
    /// Returns each line, without its end, after its number.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u64, &'t str)> {
        let mut rest = self.text;
        let lines = std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let end = memchr::memchr(b'\n', rest.as_bytes());
            let (line, after) = end.map_or((rest, ""), |end| (&rest[..end], &rest[end + 1..]));
            rest = after;
            Some(line.strip_suffix('\r').unwrap_or(line))
        });
        (self.first_line..).zip(lines)
    }
}

impl<'a> Text<'a> {
    /// Opens a file's bytes. Looks at the first ones to see how they are packed.
    pub(super) fn open(mut source: impl Read + 'a, limits: Limits) -> Result<Self, Rejection> {
        let mut magic = Vec::new();
        source.by_ref().take(4).read_to_end(&mut magic).map_err(|error| unreadable(&error))?;
        if magic.starts_with(b"PK\x03\x04") {
            return Err(Rejection::new(Reason::DocumentKind, "PK")
                .because("a ZIP archive or a spreadsheet's own format")
                .with_remedy("unpack it, or export it as CSV"));
        }
        let is_gzip = magic.starts_with(&[0x1f, 0x8b]);
        let packed_bytes = Rc::new(Cell::new(0));
        let source = Cursor::new(magic).chain(source);
        let source = Counted { source, bytes: Rc::clone(&packed_bytes) };
        let (encoding, source): (_, Box<dyn Read + 'a>) = if is_gzip {
            let source = BufReader::with_capacity(BUFFER_BYTES, source);
            (Encoding::Gzip, Box::new(MultiGzDecoder::new(source)))
        } else {
            (Encoding::Plain, Box::new(source))
        };
        let mut text = Self {
            source,
            encoding,
            limits,
            packed_bytes,
            bytes: 0,
            buffer: vec![0; BUFFER_BYTES.max(limits.line_bytes_max.saturating_add(2))],
            pending: 0..0,
            is_at_end: false,
            line: 1,
        };
        text.drop_byte_order_mark()?;
        Ok(text)
    }

    fn drop_byte_order_mark(&mut self) -> Result<(), Rejection> {
        while self.pending.len() < 3 && !self.is_at_end {
            self.fill()?;
        }
        let start = &self.buffer[self.pending.clone()];
        if start.is_empty() {
            return Err(Rejection::new(Reason::FileEmpty, ""));
        }
        if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
            return Err(Rejection::new(Reason::EncodingNotUtf8, "").because("the text is UTF-16"));
        }
        if start.starts_with(&[0xef, 0xbb, 0xbf]) {
            self.pending.start += 3;
        }
        Ok(())
    }

    /// Returns how the bytes were packed.
    pub(super) const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Returns what is accepted at most.
    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns whether the text starts as XML does, with `<`.
    pub(super) fn is_markup(&self) -> bool {
        let start = &self.buffer[self.pending.clone()];
        start.trim_ascii_start().first() == Some(&b'<')
    }

    /// Returns the next lines, or nothing at the end.
    pub(super) fn lines(&mut self) -> Result<Option<Lines<'_>>, Rejection> {
        let end = loop {
            let pending = &self.buffer[self.pending.clone()];
            if let Some(last) = memchr::memrchr(b'\n', pending) {
                break self.pending.start + last + 1;
            }
            if self.is_at_end {
                break self.pending.end;
            }
            if pending.len() > self.limits.line_bytes_max {
                return Err(self.line_too_long());
            }
            self.fill()?;
        };
        let (start, first_line) = (self.pending.start, self.line);
        self.pending.start = end;
        let text = checked(&self.buffer[start..end], first_line)?;
        self.line += count(memchr::memchr_iter(b'\n', text.as_bytes()).count());
        Ok((!text.is_empty()).then_some(Lines { text, first_line }))
    }

    /// Returns the refusal of the line that comes next.
    fn line_too_long(&self) -> Rejection {
        let start = &self.buffer[self.pending.clone()];
        let start = String::from_utf8_lossy(&start[..start.len().min(400)]);
        Rejection::new(Reason::LineTooLong, &start)
            .at_line(self.line)
            .because(format_args!("more than {} bytes", self.limits.line_bytes_max))
    }

    /// Returns everything, up to the limit of a document.
    pub(super) fn whole(mut self) -> Result<String, Rejection> {
        self.limits.bytes_max = self.limits.document_bytes_max;
        let mut bytes = self.buffer[self.pending.clone()].to_vec();
        while !self.is_at_end {
            self.pending = 0..0;
            self.fill()?;
            bytes.extend_from_slice(&self.buffer[self.pending.clone()]);
        }
        checked(&bytes, 1)?;
        String::from_utf8(bytes).map_err(|_| Rejection::new(Reason::EncodingNotUtf8, ""))
    }

    /// Reads once more, behind what is pending.
    fn fill(&mut self) -> Result<(), Rejection> {
        if self.pending.start > 0 {
            self.buffer.copy_within(self.pending.clone(), 0);
            self.pending = 0..self.pending.len();
        }
        let read = loop {
            match self.source.read(&mut self.buffer[self.pending.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| self.refusal(&error))?,
            }
        };
        self.is_at_end = read == 0;
        self.pending.end += read;
        self.bytes += count(read);
        if self.bytes > self.limits.bytes_max {
            let limit = format!("more than {} bytes", self.limits.bytes_max);
            return Err(Rejection::new(Reason::FileTooLarge, "").because(limit));
        }
        let allowed = self.packed_bytes.get().saturating_mul(UNPACKED_RATIO_MAX);
        if self.encoding == Encoding::Gzip && self.bytes > allowed + UNPACKED_FREE_BYTES {
            return Err(Rejection::new(Reason::FileTooLarge, "")
                .because(format_args!("it unpacks to {UNPACKED_RATIO_MAX} times its size"))
                .with_remedy("unpack it and look at it before you import it"));
        }
        Ok(())
    }

    fn refusal(&self, error: &io::Error) -> Rejection {
        let is_of_data = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
        );
        if self.encoding == Encoding::Gzip && is_of_data {
            Rejection::new(Reason::CompressionBroken, "").because(error)
        } else {
            unreadable(error)
        }
    }
}

/// Returns the refusal of a file that the system does not read.
pub(super) fn unreadable(error: &io::Error) -> Rejection {
    Rejection::new(Reason::FileUnreadable, "").because(error)
}

/// Returns bytes as text, or the refusal with the line of the first byte that is none.
fn checked(bytes: &[u8], first_line: u64) -> Result<&str, Rejection> {
    let refuse = |at: usize, detail: String| {
        let line_start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |end| end + 1);
        let line = first_line + count(memchr::memchr_iter(b'\n', &bytes[..line_start]).count());
        let rest = &bytes[line_start..];
        let line_end = memchr::memchr(b'\n', rest).unwrap_or(rest.len()).min(400);
        Rejection::new(Reason::EncodingNotUtf8, &String::from_utf8_lossy(&rest[..line_end]))
            .at_line(line)
            .because(detail)
    };
    if let Some(zero) = memchr::memchr(0, bytes) {
        return Err(refuse(zero, "there is a zero byte, as in UTF-16 or in binary data".into()));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let byte = bytes.get(at).copied().unwrap_or_default();
        refuse(at, format!("there is the byte {byte:#04x}, as in Latin-1 or Windows-1252"))
    })
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Counts what is read through it.
struct Counted<R> {
    source: R,
    bytes: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.bytes.set(self.bytes.get() + count(read));
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    /// Returns the lines, joined, or the refusal as text.
    fn read(source: impl Read, limits: Limits) -> Result<String, String> {
        let mut text = Text::open(source, limits).map_err(|refusal| refusal.to_string())?;
        let (mut all, mut line) = (String::new(), 1);
        while let Some(lines) = text.lines().map_err(|refusal| refusal.to_string())? {
            assert_eq!(lines.first_line, line);
            line += count(lines.text.bytes().filter(|&byte| byte == b'\n').count());
            all.push_str(lines.text);
        }
        Ok(all)
    }

    fn refused(bytes: &[u8]) -> String {
        let refusal = read(bytes, Limits::default()).unwrap_err();
        let code = refusal.split_once('[').and_then(|(_, rest)| rest.split_once(']')).unwrap().0;
        code.to_owned()
    }

    #[test]
    fn plain_and_packed_bytes_give_the_same_lines() {
        let table: String = (0..100_000).map(|row| format!("row {row},ø\r\n")).collect();
        assert_eq!(read(table.as_bytes(), Limits::default()), Ok(table.clone()));
        assert_eq!(read(&gzip(table.as_bytes())[..], Limits::default()), Ok(table.clone()));
        let twice = [gzip(b"a\n"), gzip(b"b")].concat();
        assert_eq!(read(&twice[..], Limits::default()).as_deref(), Ok("a\nb"));
        assert_eq!(read(&b"\xef\xbb\xbfa,b"[..], Limits::default()).as_deref(), Ok("a,b"));
    }

    #[test]
    fn what_is_not_text_is_refused_by_name() {
        let packed = gzip(&b"a,b\n".repeat(1_000));
        assert_eq!(refused(b""), "file-empty");
        assert_eq!(refused(&gzip(b"")), "file-empty");
        assert_eq!(refused(&packed[..packed.len() / 2]), "compression-broken");
        assert_eq!(refused(&packed[..packed.len() - 1]), "compression-broken");
        assert_eq!(refused(&[&packed[..], b"rest"].concat()), "compression-broken");
        assert_eq!(refused(&gzip(&packed)), "encoding-not-utf8");
        assert_eq!(refused(b"\xff\xfea\0,\0"), "encoding-not-utf8");
        assert_eq!(refused(b"a\0,\0b\0"), "encoding-not-utf8");
        assert_eq!(refused(b"PK\x03\x04rest"), "document-kind");
        let latin1 = read(&b"navn\nBj\xf8rn\n"[..], Limits::default()).unwrap_err();
        assert!(
            latin1.starts_with(
                "line 2: \"Bj\u{fffd}rn\": the text is not UTF-8: there is the byte 0xf8"
            ),
            "{latin1}"
        );
    }

    #[test]
    fn endless_input_ends() {
        assert_eq!(
            read(io::repeat(b'x'), Limits::default()).unwrap_err().split('[').nth(1),
            Some("line-too-long]; check the line ends and the quotes before this line")
        );
        let limits = Limits { bytes_max: 1 << 20, ..Limits::default() };
        assert!(read(io::repeat(b'\n'), limits).unwrap_err().contains("file-too-large"));
        let bomb = gzip(&b"\n".repeat(1 << 20)).repeat(40);
        assert!(read(&bomb[..], Limits::default()).unwrap_err().contains("200 times its size"));
    }

    #[test]
    fn a_source_that_gives_byte_by_byte_is_read() {
        struct Dripping<'a>(&'a [u8]);
        impl Read for Dripping<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let take = self.0.len().min(1).min(buffer.len());
                buffer[..take].copy_from_slice(&self.0[..take]);
                self.0 = &self.0[take..];
                Ok(take)
            }
        }
        assert_eq!(read(Dripping(b"a,b\n1,2\n"), Limits::default()).as_deref(), Ok("a,b\n1,2\n"));
        assert_eq!(read(Dripping(&gzip(b"a,b\n")), Limits::default()).as_deref(), Ok("a,b\n"));
    }
}
