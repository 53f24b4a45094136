//! The decoders of the fuzz targets over the committed seeds, so that they run without a fuzzer too.

#[path = "../../../../fuzz/decoders/batch_header.rs"]
mod batch_header;
#[path = "../../../../fuzz/decoders/judge.rs"]
mod judge;
#[path = "../../../../fuzz/decoders/published.rs"]
mod published;
#[path = "../../../../fuzz/decoders/record.rs"]
mod record;
#[path = "../../../../fuzz/decoders/record_proof.rs"]
mod record_proof;
#[path = "../../../../fuzz/decoders/run_manifest.rs"]
mod run_manifest;
#[path = "../../../../fuzz/decoders/runner.rs"]
mod runner;
#[path = "../../../../fuzz/decoders/section_file.rs"]
mod section_file;
#[path = "../../../../fuzz/decoders/signature.rs"]
mod signature;
#[path = "../../../../fuzz/decoders/snapshot.rs"]
mod snapshot;
#[path = "../../../../fuzz/decoders/tariff_table.rs"]
mod tariff_table;

#[test]
fn batch_header_reads_or_refuses_every_seed() {
    runner::run("batch_header", batch_header::decode);
}

#[test]
fn judge_decides_every_seed() {
    runner::run("judge", judge::decode);
}

#[test]
fn published_reads_or_refuses_every_seed() {
    runner::run("published", published::decode);
}

#[test]
fn record_reads_or_refuses_every_seed() {
    runner::run("record", record::decode);
}

#[test]
fn record_proof_reads_or_refuses_every_seed() {
    runner::run("record_proof", record_proof::decode);
}

#[test]
fn run_manifest_reads_or_refuses_every_seed() {
    runner::run("run_manifest", run_manifest::decode);
}

#[test]
fn section_file_reads_or_refuses_every_seed() {
    runner::run("section_file", section_file::decode);
}

#[test]
fn signature_reads_or_refuses_every_seed() {
    runner::run("signature", signature::decode);
}

#[test]
fn snapshot_reads_or_refuses_every_seed() {
    runner::run("snapshot", snapshot::decode);
}

#[test]
fn tariff_table_reads_or_refuses_every_seed() {
    runner::run("tariff_table", tariff_table::decode);
}
