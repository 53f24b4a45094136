//! The decoders of the fuzz targets over the committed seeds, so that they run without a fuzzer too.

#[path = "../../../../fuzz/decoders/ledger_answer.rs"]
mod ledger_answer;
#[path = "../../../../fuzz/decoders/seeds.rs"]
mod seeds;

#[test]
fn ledger_answer_reads_or_refuses_every_seed() {
    seeds::run("ledger_answer", ledger_answer::decode);
}
