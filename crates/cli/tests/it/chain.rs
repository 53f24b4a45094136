//! `gridtally chain`.

use std::net::TcpListener;

use expect_test::expect;
use serde_json::json;

use crate::run::Terminal;
use crate::server::Server;

#[test]
fn a_chain_serves_until_it_is_asked_to_end_and_goes_on_later() {
    let terminal = Terminal::new();
    let arguments = "chain --folder chain --listen 127.0.0.1:0";
    let server = Server::start(&terminal, arguments);
    assert_eq!(server.ask("eth_chainId", json!([])), json!("0x7a69"));
    let accounts = server.report["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), 10);
    let (sender, receiver) = (&accounts[0]["address"], &accounts[1]["address"]);
    let transfer = json!([{ "from": sender, "to": receiver, "value": "0x1" }]);
    let hash = server.ask("eth_sendTransaction", transfer);
    assert!(hash.as_str().unwrap().starts_with("0x"), "{hash}");
    // What waits for a block is not kept; a block follows at once.
    while server.ask("eth_blockNumber", json!([])) == json!("0x0") {
        std::thread::yield_now();
    }
    let (code, messages) = server.terminate();
    assert_eq!((code, messages.as_str()), (Some(0), "The chain ends at block 1.\n"));

    let again = Server::start(&terminal, arguments);
    assert_eq!(again.report["head"], json!(1));
    assert_eq!(again.ask("eth_getTransactionReceipt", json!([hash]))["status"], json!("0x1"));
}

#[test]
fn the_first_block_can_lie_in_the_past() {
    let terminal = Terminal::new();
    let server = Server::start(
        &terminal,
        "chain --in-memory --listen 127.0.0.1:0 --genesis-time 2013-10-27T00:00:00Z --chain-id 77",
    );
    let block = server.ask("eth_getBlockByNumber", json!(["0x0", false]));
    assert_eq!(block["timestamp"], json!(format!("{:#x}", 1_382_832_000)));
    assert_eq!(server.report["chain_id"], json!(77));
}

#[test]
fn a_folder_of_another_chain_is_refused() {
    let terminal = Terminal::new();
    drop(Server::start(&terminal, "chain --folder chain --listen 127.0.0.1:0"));
    terminal.check(
        "chain --folder chain --listen 127.0.0.1:0 --chain-id 5",
        &expect![[r#"
            -- stderr
            error: chain holds chain 31337, not chain 5 [chain-other-id]
            hint: Name another folder, or the id that this one was made with.
            -- exit 1
        "#]],
    );
}

#[test]
fn public_addresses_need_force() {
    Terminal::new().check("chain --in-memory --listen 0.0.0.0:0", &expect![[r#"
        -- stderr
        error: 0.0.0.0:0 can be reached from other computers, but everybody knows the keys of this chain [chain-exposed]
        hint: Listen on 127.0.0.1, or add --force-public where nothing of value can be lost.
        -- exit 2
    "#]]);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let terminal = Terminal::new();
    let output = terminal.output(&format!("chain --in-memory --listen {address}"));
    let messages = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3));
    expect![[r#"
        error: cannot listen on ADDRESS: Address already in use (os error 98) [chain-port-taken]
        hint: Name another port with --listen: another program may listen there.
    "#]]
    .assert_eq(&messages.replace(&address, "ADDRESS"));
}

#[test]
fn wrong_values_are_refused_before_anything_is_made() {
    let terminal = Terminal::new();
    terminal.check("chain --interval 0.0001", &expect![[r#"
        -- stderr
        error: invalid value '0.0001' for '--interval <SECONDS>': give seconds from 0 to 86400 with at most three decimals

        For more information, try '--help'.
        -- exit 2
    "#]]);
    terminal.check("chain --genesis-time yesterday", &expect![[r#"
        -- stderr
        error: invalid value 'yesterday' for '--genesis-time <TIME>': write it as 2026-10-24T00:00:00Z

        For more information, try '--help'.
        -- exit 2
    "#]]);
    terminal.check("chain --chain-id 0", &expect![[r#"
        -- stderr
        error: chain.chain_id = 0 in the flag --chain-id is not a whole number from 1 to 9007199254740991
        -- exit 2
    "#]]);
    terminal.check(
        "chain --listen 8545",
        &expect![[r#"
        -- stderr
        error: invalid value '8545' for '--listen <ADDRESS:PORT>': invalid socket address syntax

        For more information, try '--help'.
        -- exit 2
    "#]],
    );
    assert!(!terminal.path("gridtally-chain").exists());
}
