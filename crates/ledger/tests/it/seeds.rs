//! The decoders of the fuzz targets over the committed seeds, so that they run without a fuzzer too.

#[path = "../../../../fuzz/decoders/archive.rs"]
mod archive;
#[path = "../../../../fuzz/decoders/ledger_answer.rs"]
mod ledger_answer;
#[path = "../../../../fuzz/decoders/runner.rs"]
mod runner;

#[test]
fn archive_reads_or_refuses_every_seed() {
    runner::run("archive", archive::decode);
}

#[test]
fn ledger_answer_reads_or_refuses_every_seed() {
    runner::run("ledger_answer", ledger_answer::decode);
}
