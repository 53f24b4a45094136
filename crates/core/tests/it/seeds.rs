//! The decoders of the fuzz targets over the committed seeds, so that they run without a fuzzer too.

#[path = "../../../../fuzz/decoders/seeds.rs"]
mod seeds;
#[path = "../../../../fuzz/decoders/tariff.rs"]
mod tariff;
#[path = "../../../../fuzz/decoders/vocabulary.rs"]
mod vocabulary;

#[test]
fn tariff_reads_or_refuses_every_seed() {
    seeds::run("tariff", tariff::decode);
}

#[test]
fn vocabulary_reads_or_refuses_every_seed() {
    seeds::run("vocabulary", vocabulary::decode);
}
