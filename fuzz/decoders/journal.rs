//! The journal of a store: as it is, and each line with the digest that fits.

use std::fmt::Write;

use gridtally_aggregator::store::{Digest, Line};

pub(crate) fn decode(bytes: &[u8]) {
    if let Ok(lines) = Line::read_all(bytes) {
        assert!((1..).zip(&lines).all(|(number, line)| line.entry.sequence == number));
    }
    let (mut journal, mut digest) = (String::new(), Digest::ZERO);
    for line in String::from_utf8_lossy(bytes).lines() {
        // A seed has digests already.
        let body =
            line.get(65..).filter(|_| line.as_bytes()[..64].iter().all(u8::is_ascii_hexdigit));
        let body = body.unwrap_or(line);
        digest = Digest::of(format!("{digest} {body}").as_bytes());
        writeln!(journal, "{digest} {body}").expect("memory can be written to");
    }
    if let Ok(lines) = Line::read_all(journal.as_bytes()) {
        assert_eq!(lines.last().map(|line| line.digest), Some(digest));
        let paths = lines.iter().flat_map(|line| line.entry.content.files());
        assert!(paths.into_iter().all(|file| !file.path.contains("..")));
    }
}
