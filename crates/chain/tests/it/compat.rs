//! The chain as clients see it: 90 checks with ethers, web3.js, viem and cast, compared with anvil.

use std::{path::Path, process::Command};

use gridtally_chain::{Chain, ChainConfig, Exposure};

#[test]
fn clients_get_what_they_ask_for_and_what_anvil_answers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat");
    let modules = folder.join("node_modules");
    assert!(
        modules.exists(),
        "{} is missing: npm ci --prefix {}",
        modules.display(),
        folder.display()
    );
    // The same settings as `gridtally chain`: the clock runs, and blocks are sealed at once.
    let chain = Chain::open(ChainConfig::default()).unwrap();
    let server = chain.serve(([127, 0, 0, 1], 0).into(), Exposure::Loopback).unwrap();
    let mut node = Command::new("node");
    let node = node.current_dir(folder).args(["compare.mjs", "--url", &server.url()]);
    let output = node.output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}
