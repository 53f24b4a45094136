//! The reference page of the JSON-RPC interface names what there is.

use std::{collections::BTreeSet, path::Path};

use gridtally_chain::{
    REQUEST_BYTES_MAX,
    rpc::{BATCH_MAX, BATCH_RESPONSE_BYTES_MAX, VALUES_MAX},
};

use crate::rpc_hostile::methods;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/json-rpc.md");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_method_is_named() {
    let page = page();
    let named: BTreeSet<_> = page.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let missing: Vec<_> = methods().into_iter().filter(|method| !named.contains(method)).collect();
    assert!(missing.is_empty(), "not in docs/reference/json-rpc.md: {missing:?}");
    let methods: BTreeSet<_> = methods().into_iter().collect();
    let is_method = |name: &&String| {
        ["eth_", "net_", "web3_", "debug_", "trace_", "txpool_", "evm_", "anvil_", "hardhat_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    let unknown: Vec<_> =
        named.iter().filter(is_method).filter(|name| !methods.contains(*name)).collect();
    assert!(unknown.is_empty(), "no such methods: {unknown:?}");
}

#[test]
fn bounds_are_those_of_the_code() {
    let page = page();
    for (bound, shown) in [
        (REQUEST_BYTES_MAX, "16 MiB"),
        (BATCH_RESPONSE_BYTES_MAX, "64 MiB"),
        (BATCH_MAX, "1,000 requests"),
        (VALUES_MAX, "250,000 values"),
    ] {
        let number: usize =
            shown.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap();
        let unit = if shown.ends_with("MiB") { 1 << 20 } else { 1 };
        assert_eq!(bound, number * unit);
        assert!(page.contains(shown), "docs/reference/json-rpc.md does not say {shown}");
    }
}
