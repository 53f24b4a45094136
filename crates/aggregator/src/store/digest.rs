//! SHA-256 of files, whole and in blocks of lines.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest; as text 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest(pub [u8; 32]);

/// A text that is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 lower-case hexadecimal digits")]
pub struct DigestError;

impl Digest {
    /// What the first line of a journal follows.
    pub const ZERO: Self = Self([0; 32]);

    /// Returns the digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(DigestError),
        };
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return Err(DigestError);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// What is known of a file's bytes: length, digest, and short digests of blocks of lines that show where it differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// SHA-256 of all bytes.
    pub sha256: Digest,
    /// Length in bytes.
    pub bytes: u64,
    /// Lines, the header included.
    pub lines: u64,
    /// How many lines each block has; the last one may have fewer.
    pub block_lines: u64,
    /// The first four bytes of each block's digest, in hexadecimal. They only locate a fault; `sha256` finds it.
    pub blocks: String,
}

impl Fingerprint {
    /// Returns the first block that differs from another fingerprint, as its first and last line from 1.
    #[must_use]
    pub fn first_difference(&self, other: &Self) -> Option<(u64, u64)> {
        if self.block_lines != other.block_lines {
            return None;
        }
        let mut ours = self.blocks.as_bytes().chunks(8);
        let mut theirs = other.blocks.as_bytes().chunks(8);
        for block in 0.. {
            match (ours.next(), theirs.next()) {
                (None, None) => break,
                (ours, theirs) if ours == theirs => {}
                _ => return Some((block * self.block_lines + 1, (block + 1) * self.block_lines)),
            }
        }
        None
    }
}

/// Returns the fingerprint of bytes.
pub(super) fn fingerprint_of(bytes: &[u8]) -> Fingerprint {
    let mut fingerprinter = Fingerprinter::new();
    fingerprinter.update(bytes);
    fingerprinter.finish()
}

/// Computes a [`Fingerprint`] while bytes pass by.
///
/// Blocks start with one line each. When there are too many, neighbors are joined: a joined block is the digest of two.
#[derive(Debug)]
pub(super) struct Fingerprinter {
    whole: Sha256,
    bytes: u64,
    lines: u64,
    line: Sha256,
    line_open: bool,
    /// How many lines a block has when it is complete.
    block_lines: u64,
    /// Digests of complete blocks.
    blocks: Vec<[u8; 32]>,
    /// The pieces of the block that is being filled, as in a binary counter: at place i a digest of 2^i lines.
    pending: Vec<Option<[u8; 32]>>,
}

impl Fingerprinter {
    /// Most blocks of a file.
    const BLOCKS_MAX: usize = 512;

    pub(super) fn new() -> Self {
        Self {
            whole: Sha256::new(),
            bytes: 0,
            lines: 0,
            line: Sha256::new(),
            line_open: false,
            block_lines: 1,
            blocks: Vec::new(),
            pending: Vec::new(),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.whole.update(bytes);
        self.bytes += bytes.len() as u64;
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.update(piece);
            self.line_open = true;
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        self.lines += 1;
        self.line_open = false;
        let mut digest: [u8; 32] = self.line.finalize_reset().into();
        let mut place = 0;
        loop {
            if 1 << place == self.block_lines {
                self.blocks.push(digest);
                break;
            }
            if self.pending.len() == place {
                self.pending.push(None);
            }
            match self.pending[place].take() {
                None => {
                    self.pending[place] = Some(digest);
                    break;
                }
                Some(first) => digest = join(&first, &digest),
            }
            place += 1;
        }
        if self.blocks.len() > Self::BLOCKS_MAX {
            // An even number of blocks is joined; the odd last one waits for its neighbor.
            let odd = if self.blocks.len() % 2 == 1 { self.blocks.pop() } else { None };
            self.blocks =
                self.blocks.chunks_exact(2).map(|pair| join(&pair[0], &pair[1])).collect();
            self.pending.resize(self.block_lines.trailing_zeros() as usize + 1, None);
            self.pending[self.block_lines.trailing_zeros() as usize] = odd;
            self.block_lines *= 2;
        }
    }

    pub(super) fn finish(mut self) -> Fingerprint {
        if self.line_open {
            self.end_line();
        }
        let mut last: Option<[u8; 32]> = None;
        for piece in self.pending.iter().flatten() {
            last = Some(last.map_or(*piece, |later| join(piece, &later)));
        }
        self.blocks.extend(last);
        let short = |block: &[u8; 32]| {
            block[..4].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        Fingerprint {
            sha256: Digest(self.whole.finalize().into()),
            bytes: self.bytes,
            lines: self.lines,
            block_lines: self.block_lines,
            blocks: self.blocks.iter().map(short).collect(),
        }
    }
}

fn join(first: &[u8; 32], second: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(first).chain_update(second).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fingerprint(bytes: &[u8], step: usize) -> Fingerprint {
        let mut fingerprinter = Fingerprinter::new();
        bytes.chunks(step).for_each(|chunk| fingerprinter.update(chunk));
        fingerprinter.finish()
    }

    #[test]
    fn empty_files_have_no_blocks() {
        let empty = fingerprint(b"", 1);
        assert_eq!((empty.lines, empty.blocks.as_str()), (0, ""));
        assert_eq!(
            empty.sha256.to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn short_files_name_the_very_line() {
        let original = fingerprint(b"a\nb\nc\nd\n", 3);
        assert_eq!(original.first_difference(&fingerprint(b"a\nb\nC\nd\n", 3)), Some((3, 3)));
        assert_eq!(original.first_difference(&fingerprint(b"a\nb\nc\n", 3)), Some((4, 4)));
        assert_eq!(original.first_difference(&original), None);
    }

    proptest! {
        #[test]
        fn digests_round_trip(bytes: [u8; 32]) {
            prop_assert_eq!(Digest(bytes).to_string().parse(), Ok(Digest(bytes)));
        }

        #[test]
        fn differences_are_located(lines in 1_usize..5_000, changed in any::<prop::sample::Index>(), step in 1_usize..2_000) {
            let changed = changed.index(lines);
            let text = |marked: usize| -> String {
                (0..lines).map(|line| format!("{}{line}\n", if line == marked { "x" } else { "" })).collect()
            };
            let original = fingerprint(text(lines).as_bytes(), 4096);
            prop_assert!(original.blocks.len() / 8 <= Fingerprinter::BLOCKS_MAX + 1);
            prop_assert_eq!(&original, &fingerprint(text(lines).as_bytes(), step));
            let other = fingerprint(text(changed).as_bytes(), step);
            let (first, last) = original.first_difference(&other).unwrap();
            let line = changed as u64 + 1;
            prop_assert!(first <= line && line <= last);
            prop_assert_eq!(last - first + 1, original.block_lines);
        }
    }
}
