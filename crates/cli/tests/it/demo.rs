//! `gridtally demo`, and what a newcomer does next.

use std::fs;

use expect_test::expect;
use serde_json::{Value, json};

use crate::run::Terminal;
use crate::server::Server;

/// Runs a small demonstration in the folder `gridtally-demo`.
fn demo(terminal: &Terminal) -> Value {
    let output = terminal.output("demo --households 3 --output json");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_neighborhood_settles_and_anybody_can_verify_it() {
    let terminal = Terminal::new();
    let report = demo(&terminal);
    // Three import channels and one export channel over 25 and 24 hours.
    assert_eq!(report["record_count"], json!(4 * (100 + 96)));
    assert_eq!(report["balance_micro"], json!(0));
    assert_eq!(report["is_verified"], json!(true));
    for record in report["records"].as_array().unwrap() {
        assert_eq!(record["recomputed_micro"], record["chain_micro"]);
    }
    let verify = "verify --config gridtally-demo/gridtally.toml";
    let output = terminal.output(verify);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    assert_eq!(report["batch"]["is_verified"], json!(true));
    prove_and_claim(&terminal);

    let [readings] = &files(&terminal, "gridtally-demo/store/readings")[..] else { panic!() };
    let text = fs::read_to_string(readings).unwrap();
    fs::write(readings, text.replacen(",15,", ",15,9", 1)).unwrap();
    let output = terminal.output(verify);
    assert_eq!(output.status.code(), Some(1));
    let messages = String::from_utf8(output.stderr).unwrap();
    let name = readings.file_name().unwrap().to_string_lossy().into_owned();
    expect![[r#"
        error: readings/NAME:1-2: the file has 48918 bytes instead of 48917
        hint: Bytes of the store were changed or lost: restore the file from a copy.
    "#]]
    .assert_eq(&messages.replace(&name, "NAME"));
}

/// A household proves a record of its own and asks what it can claim, at the embedded chain that the configuration names.
fn prove_and_claim(terminal: &Terminal) {
    let run = |line: &str| {
        let output = terminal.output(line);
        let messages = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {messages}");
        String::from_utf8(output.stdout).unwrap()
    };
    let there = "--config gridtally-demo/batch.toml";
    run(&format!("verify {there}"));
    let export = format!(
        "export proof {there} --participant 1 --period 2 --slot 5 --code 32 --out mine.json"
    );
    let said = run(&export);
    assert!(said.contains(", final, header 0x"), "{said}");
    run(&format!("export header {there} --out header.json"));
    let said = run("verify --proof mine.json --header header.json");
    assert!(said.contains("participant 1, period 2, run 0, slot 5, code 32"), "{said}");
    let said = run(&format!("watch --once {there}"));
    assert!(said.ends_with("all valid\n"), "{said}");
    let claim = format!("claim {there} --participant 1,2");
    let said = run(&format!("{claim} --dry-run"));
    assert!(
        said.starts_with("participant 1: 0.000000 to 0x"),
        "the demonstration has claimed: {said}"
    );
    let twice = terminal.output(&claim);
    let messages = String::from_utf8_lossy(&twice.stderr);
    assert_eq!(twice.status.code(), Some(1), "{messages}");
    assert!(messages.contains("nothing to pay out"), "{messages}");
}

#[test]
fn the_chain_stays_up_and_other_programs_find_it() {
    let terminal = Terminal::new();
    let server = Server::start(&terminal, "demo --households 1 --serve");
    let note = terminal.path("gridtally-demo/store/chain/endpoint");
    while !note.exists() {
        std::thread::yield_now();
    }
    let output = terminal.output("verify --config gridtally-demo/gridtally.toml --output json");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let endpoint = fs::read_to_string(&note).unwrap();
    assert_eq!(report["asked"], json!(format!("the embedded chain at {}", endpoint.trim())));
    assert_eq!(report["chain"]["record_count"], json!(196));
    let (code, _) = server.terminate();
    assert_eq!(code, Some(0));
    assert!(!note.exists());
}

#[test]
fn verifying_changes_no_byte_of_the_chain() {
    let terminal = Terminal::new();
    assert!(terminal.output("demo --households 1").status.success());
    let verify = "verify --config gridtally-demo/gridtally.toml";
    let folder = terminal.path("gridtally-demo/store/chain");
    let path = folder.join("blocks.log");
    let bytes = fs::read(&path).unwrap();
    assert!(terminal.output(verify).status.success());
    assert!(fs::read(&path).unwrap() == bytes);

    let cut = &bytes[..bytes.len() - 1];
    fs::write(&path, cut).unwrap();
    let output = terminal.output(verify);
    assert_eq!(output.status.code(), Some(1));
    let messages = String::from_utf8(output.stderr).unwrap();
    assert!(messages.contains("blocks.log ends with an unfinished block at byte "), "{messages}");
    assert!(messages.contains(" [chain-unfinished]\nhint: Restore the folder from a copy, or "));
    assert!(fs::read(&path).unwrap() == cut);

    fs::remove_dir_all(&folder).unwrap();
    let output = terminal.output(verify);
    assert_eq!(output.status.code(), Some(1));
    let messages = String::from_utf8(output.stderr).unwrap();
    assert!(messages.starts_with("error: no chain in "), "{messages}");
    assert!(!folder.exists());
}

#[test]
fn only_an_earlier_demonstration_is_replaced() {
    let terminal = Terminal::new().file("mine/letter.txt", "dear");
    terminal.check(
        "demo --folder mine",
        &expect![[r#"
        -- stderr
        error: mine is not empty and not from a demonstration
        hint: Name another folder with --folder.
        -- exit 1
    "#]],
    );
    assert!(terminal.path("mine/letter.txt").exists());
    demo(&terminal);
    assert_eq!(demo(&terminal)["record_count"], json!(784));
}

fn files(terminal: &Terminal, folder: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(terminal.path(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_demonstration_that_is_in_use_is_left_alone() {
    let terminal = Terminal::new();
    demo(&terminal);
    let chain = Server::start(
        &terminal,
        "chain --config gridtally-demo/gridtally.toml --listen 127.0.0.1:0",
    );
    terminal.check(
        "demo --households 3",
        &expect![[r#"
        -- stderr
        error: another program works with the demonstration in gridtally-demo
        hint: End it, or name another folder with --folder.
        -- exit 3
    "#]],
    );
    assert_eq!(chain.ask("eth_chainId", json!([])), json!("0x7a69"));
}
