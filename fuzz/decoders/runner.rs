//! The committed seeds, for the tests that run without a fuzzer.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

/// Runs a decoder over all seeds, also over those of the other decoders.
///
/// # Panics
///
/// When the decoder panics, with the name of the seed, and when a decoder has no seeds of its own.
pub(crate) fn run(decoder: &str, decode: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let (mut own, mut panicked) = (0, Vec::new());
    for targets in fs::read_dir(&folder).expect("the seeds are committed") {
        let target = targets.expect("it is a folder").path();
        for seed in fs::read_dir(&target).expect("it is a folder") {
            let path = seed.expect("it is a file").path();
            let bytes = fs::read(&path).expect("it is a file");
            own += usize::from(target.ends_with(decoder));
            if catch_unwind(|| decode(&bytes)).is_err() {
                panicked.push(path);
            }
        }
    }
    assert!(own > 0, "{decoder} has no seeds");
    assert!(panicked.is_empty(), "{decoder} panics: {panicked:?}");
}
