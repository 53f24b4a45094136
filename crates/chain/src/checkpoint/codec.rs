//! Numbers and bytes in a checkpoint: numbers in groups of seven bits, the last without the highest bit.

use std::io::{self, Read, Write};

use alloy_primitives::U256;

/// Bytes of one contract code at most; the protocol allows 24 KB, a patch more.
const BYTES_MAX: u64 = 1 << 26;

/// Writes values and keeps the checksum of everything written.
#[derive(Debug)]
pub(crate) struct Encoder<W> {
    out: W,
    checksum: crc32fast::Hasher,
}

impl<W: Write> Encoder<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, checksum: crc32fast::Hasher::new() }
    }

    pub(crate) fn fixed(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum.update(bytes);
        self.out.write_all(bytes)
    }

    pub(crate) fn number(&mut self, mut number: u64) -> io::Result<()> {
        let mut bytes = [0; 10];
        let mut len = 0;
        loop {
            bytes[len] = number.to_le_bytes()[0] & 0x7f;
            number >>= 7;
            len += 1;
            if number == 0 {
                return self.fixed(&bytes[..len]);
            }
            bytes[len - 1] |= 0x80;
        }
    }

    pub(crate) fn count(&mut self, count: usize) -> io::Result<()> {
        self.number(count as u64)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.count(bytes.len())?;
        self.fixed(bytes)
    }

    pub(crate) fn word(&mut self, word: U256) -> io::Result<()> {
        let bytes = word.to_be_bytes::<32>();
        self.bytes(&bytes[word.leading_zeros() / 8..])
    }

    /// Writes the checksum and returns what was written to.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let checksum = self.checksum.finalize();
        self.out.write_all(&checksum.to_le_bytes())?;
        Ok(self.out)
    }
}

/// Reads what an [`Encoder`] wrote. The checksum has been compared before.
#[derive(Debug)]
pub(crate) struct Decoder<R> {
    input: R,
}

impl<R: Read> Decoder<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input }
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn number(&mut self) -> io::Result<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.fixed()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(io::Error::from(io::ErrorKind::InvalidData))
    }

    /// Reads a number that has to fit a smaller type.
    pub(crate) fn small<T: TryFrom<u64>>(&mut self) -> io::Result<T> {
        T::try_from(self.number()?).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
    }

    pub(crate) fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let len = self.number()?;
        if len > BYTES_MAX {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        let mut bytes = Vec::new();
        let read = (&mut self.input).take(len).read_to_end(&mut bytes)?;
        if read as u64 == len { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    pub(crate) fn word(&mut self) -> io::Result<U256> {
        let len: usize = self.small()?;
        let mut bytes = [0; 32];
        let tail = 32_usize.checked_sub(len).and_then(|start| bytes.get_mut(start..));
        self.input.read_exact(tail.ok_or(io::ErrorKind::InvalidData)?)?;
        Ok(U256::from_be_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            number: u64, bytes in prop::collection::vec(any::<u8>(), 0..50), limbs: [u64; 4], shift in 0_usize..256
        ) {
            let word = U256::from_limbs(limbs) >> shift;
            let mut encoder = Encoder::new(Vec::new());
            encoder.number(number).unwrap();
            encoder.bytes(&bytes).unwrap();
            encoder.word(word).unwrap();
            let written = encoder.finish().unwrap();
            let mut decoder = Decoder::new(written.as_slice());
            prop_assert_eq!(decoder.number().unwrap(), number);
            prop_assert_eq!(decoder.bytes().unwrap(), bytes);
            prop_assert_eq!(decoder.word().unwrap(), word);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut decoder = Decoder::new(bytes.as_slice());
            while decoder.number().is_ok() {
                drop((decoder.bytes(), decoder.word(), decoder.small::<u32>()));
            }
        }
    }
}
