//! The decoders of the fuzz targets over the committed seeds, so that they run without a fuzzer too.

#[path = "../../../../fuzz/decoders/block_log.rs"]
mod block_log;
#[path = "../../../../fuzz/decoders/block_record.rs"]
mod block_record;
#[path = "../../../../fuzz/decoders/checkpoint.rs"]
mod checkpoint;
#[path = "../../../../fuzz/decoders/json_rpc.rs"]
mod json_rpc;
#[path = "../../../../fuzz/decoders/raw_transaction.rs"]
mod raw_transaction;
#[path = "../../../../fuzz/decoders/runner.rs"]
mod runner;

#[test]
fn block_log_reads_or_refuses_every_seed() {
    runner::run("block_log", block_log::decode);
}

#[test]
fn block_record_reads_or_refuses_every_seed() {
    runner::run("block_record", block_record::decode);
}

#[test]
fn checkpoint_reads_or_refuses_every_seed() {
    runner::run("checkpoint", checkpoint::decode);
}

#[test]
fn json_rpc_reads_or_refuses_every_seed() {
    runner::run("json_rpc", json_rpc::decode);
}

#[test]
fn raw_transaction_reads_or_refuses_every_seed() {
    runner::run("raw_transaction", raw_transaction::decode);
}
