//! The decoders of the fuzz targets over the committed seeds, so that they run without a fuzzer too.

#[path = "../../../../fuzz/decoders/runner.rs"]
mod runner;
#[path = "../../../../fuzz/decoders/tariff.rs"]
mod tariff;
#[path = "../../../../fuzz/decoders/vocabulary.rs"]
mod vocabulary;

#[test]
fn tariff_reads_or_refuses_every_seed() {
    runner::run("tariff", tariff::decode);
}

#[test]
fn vocabulary_reads_or_refuses_every_seed() {
    runner::run("vocabulary", vocabulary::decode);
}
