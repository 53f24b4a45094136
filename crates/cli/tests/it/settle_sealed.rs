//! One's own data in sealed batches, through the real binary: settle, verify, watch, deliver, prove, claim, erase.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use expect_test::expect;
use serde_json::{Value, json};

use crate::run::Terminal;
use crate::settle::{check, readings};
use crate::settle_batch::{SETTLE, document, import, imported, said};

const AUDITOR: &str = "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc";

/// A store with a day of readings, whose configuration names an auditor.
fn audited() -> Terminal {
    let terminal = imported();
    configure(&terminal, "auditor = \"\"", &format!("auditor = \"{AUDITOR}\""));
    terminal
}

/// Changes a line of the configuration.
fn configure(terminal: &Terminal, from: &str, to: &str) {
    let configuration = fs::read_to_string(terminal.path("gridtally.toml")).unwrap();
    assert!(configuration.contains(from), "{configuration}");
    fs::write(terminal.path("gridtally.toml"), configuration.replace(from, to)).unwrap();
}

/// Runs a command that must be refused, and returns what it said.
fn refused(terminal: &Terminal, command: &str) -> String {
    let Output { status, stderr, .. } = terminal.output(command);
    let messages = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{command}: {messages}");
    messages
}

#[test]
fn a_day_is_sealed_verified_delivered_claimed_and_erased() {
    let terminal = audited();
    check(
        &terminal,
        SETTLE,
        &expect![[r#"
        Run       HASH (journal line 6)
        Span      2026-06-01T00:00:00Z to 2026-06-02T00:00:00Z, 1 settlement period
        Records   48, 0 left out for lack of values

          code  energy               records   kWh  participants get, EUR
          ----  -------------------  -------  ----  ---------------------
             1  fed into the grid         24   0.0                   0.00
            32  drawn from the grid       24  12.3                  -0.53

          #  participant     participants get, EUR
          -  --------------  ---------------------
          1  home_01                         -0.53
          0  the aggregator                   0.53

        Contract  HASH on chain 31337, in sealed batches: 48 settled now, 0 of them corrections; 0 before
        Batches   1 committed now, 1 in all, 0 final; GAS gas for a record
                  only final counts: the newest can be final after TIME
        Store   7 journal lines and 9 files, 8,605 bytes: every byte compared with its hash
        Runs    1 run, 48 records computed again from the readings
        Chain   the embedded chain in gridtally-store/chain, block N
                contract HASH which holds 2.00
                2 participants, 1 tariff, 48 equal records
                batches: 1, final: 0, corrections: 0; each judged by the rules
                sealed: 1

        Nothing is wrong.
        -- exit 0
    "#]],
    );
    let again = document(&terminal, SETTLE);
    assert_eq!(again["chain"]["already_settled"], json!(48));
    assert_eq!(again["chain"]["sealed"], json!(true));
    let text = readings(None).replacen("03:00,500,", "03:00,700,", 1);
    fs::write(terminal.path("707057500000000018.csv"), text).unwrap();
    import(&terminal);
    let corrected = document(&terminal, &format!("{SETTLE} --finalize"));
    let period = corrected["chain"]["batches"][0]["period"].as_u64().unwrap();
    assert_eq!(corrected["chain"]["final_count"], json!(2));

    // The store's own configuration finds contract, archive and sections.
    expect![[r#"
        batch 1: valid, 50 records
        batch 2: valid, 1 record
    "#]]
    .assert_eq(said(&terminal, "watch --once").split_once("contract").unwrap().0);
    for run in [0, 1] {
        said(
            &terminal,
            &format!(
                "export proof --participant 1 --period {period} --slot 0 --code 32 --run {run} --out {run}.json"
            ),
        );
    }
    said(&terminal, "export header --out header.hex");
    said(&terminal, "verify --proof 1.json --header header.hex");
    let claim = said(&terminal, "claim --participant 1 --dry-run");
    assert!(claim.starts_with("participant 1: 0.000000 to no address yet"), "{claim}");
    said(&terminal, "export section --batch 1 --all --out delivered");
    let sections: Vec<_> = fs::read_dir(terminal.path("delivered")).unwrap().collect();
    assert_eq!(sections.len(), 2);
    for section in sections {
        check_owner_alone(&section.unwrap().path());
    }
    // What a stranger sees, who has no store.
    let contract = corrected["chain"]["contract"].as_str().unwrap();
    let chain = terminal.path("gridtally-store/chain").display().to_string();
    let stranger = format!("[store]\nfolder = \"elsewhere\"\n[chain]\nfolder = \"{chain}\"\n");
    fs::write(terminal.path("stranger.toml"), stranger).unwrap();
    let watch = format!("watch --once --contract {contract} --config stranger.toml");
    let watched = said(&terminal, &watch);
    expect![[r#"
        batch 1: sealed, 50 records: contents not judged
        batch 2: sealed, 1 record: contents not judged
    "#]]
    .assert_eq(watched.split_once("contract").unwrap().0);

    // Nothing is erased by a slip, and nothing that is still needed.
    let says = refused(&terminal, "erase section --batch 2 --participant 1 --yes");
    assert!(says.contains("erase-newest-final"), "{says}");
    check(
        &terminal,
        "erase section --batch 1 --participant 1",
        &expect![[r#"
        batch 1, settlement period 9648, run 0: 1 section
        1 section of 1 participant would be erased: keys, records and signatures
        error: nothing was erased
        hint: What is erased cannot be brought back. Say the same with --yes to do it.
        -- exit 1
    "#]],
    );
    said(&terminal, "verify");
    check(
        &terminal,
        "erase section --batch 1 --participant 1 --yes",
        &expect![[r#"
        batch 1, settlement period 9648, run 0: 1 section
        1 section of 1 participant erased: keys, records and signatures (journal line 10)
        -- exit 0
    "#]],
    );
    let says = refused(&terminal, "erase section --batch 1 --participant 1 --yes");
    assert!(says.contains("erase-nothing"), "{says}");
    check(
        &terminal,
        "verify",
        &expect![[r#"
        Store   10 journal lines and 13 files, 11,349 bytes: every byte compared with its hash
        Runs    2 runs, 96 records computed again from the readings
        Chain   the embedded chain in gridtally-store/chain, block N
                contract HASH which holds 2.00
                2 participants, 1 tariff, 0 equal records
                batches: 2, final: 2, corrections: 1; each judged by the rules
                sealed: 2; 1 section erased, so 48 records not compared

        Nothing is wrong.
        -- exit 0
    "#]],
    );
    expect![[r#"
        batch 1: sealed, 50 records: 1 of 2 sections judged, the others not, 1 section erased
        batch 2: sealed, 1 record: all 2 sections judged
    "#]]
    .assert_eq(said(&terminal, "watch --once").split_once("contract").unwrap().0);
    let proof = "export proof --participant 1 --period PERIOD --slot 0 --code 32 --out no.json";
    let says = refused(&terminal, &proof.replace("PERIOD", &period.to_string()));
    assert!(says.contains("export-section-missing"), "{says}");
    let settled = document(&terminal, SETTLE);
    assert_eq!(settled["chain"]["erased"], json!(48));
    assert_eq!(settled["chain"]["settled"], json!(0));
    let verified: Value = document(&terminal, "verify");
    let counts = json!({ "batch_count": 2, "erased_section_count": 1, "erased_record_count": 48 });
    assert_eq!(verified["chain"]["sealed"], counts);
}

#[test]
fn what_cannot_be_sealed_is_refused_with_a_remedy() {
    let terminal = imported();
    check(
        &terminal,
        &format!("{SETTLE} --records sealed"),
        &expect![[r#"
        error: batches cannot be sealed without an auditor [batch-no-auditor]
        hint: Name one with batch.auditor before the first settlement of a store.
        -- exit 1
    "#]],
    );
    let direct = format!("{} --records sealed", SETTLE.replace("batch", "direct"));
    assert_eq!(terminal.output(&direct).status.code(), Some(2));
    assert_eq!(terminal.output(&format!("{SETTLE} --records closed")).status.code(), Some(2));

    let terminal = audited();
    said(&terminal, SETTLE);
    check(
        &terminal,
        &format!("{SETTLE} --records open"),
        &expect![[r#"
        error: batch 1 is sealed, and none after it can be published in the open [batch-sealed-before]
        hint: Leave --records and settlement.records out, or settle in the open with a store of its own.
        -- exit 1
    "#]],
    );
    let other = "0x976EA74026E726554dB657fA54763abd0C3a0aa9";
    configure(&terminal, AUDITOR, other);
    for command in [SETTLE, "watch --once", "claim --participant 1 --dry-run"] {
        let says = refused(&terminal, command);
        assert!(says.contains("batch-auditor-differs"), "{command}: {says}");
        assert!(says.contains(&format!("is {AUDITOR}, not {other}")), "{says}");
    }
    configure(&terminal, other, "");
    said(&terminal, "watch --once");
    let says = refused(&terminal, "erase section --period 9 --all --yes");
    assert!(says.contains("erase-no-batch"), "{says}");
    let says = refused(&terminal, "erase section --batch 1 --all --yes");
    assert!(says.contains("erase-pending"), "{says}");

    // A store that lost what it sealed says so, and settles no more.
    let sections = terminal.path("gridtally-store/sections");
    fs::rename(&sections, terminal.path("aside")).unwrap();
    let says = refused(&terminal, "verify");
    assert!(says.contains("the store of sections: those of batch 1 are not there"), "{says}");
    let says = refused(&terminal, SETTLE);
    assert!(says.contains("batch-sections-missing"), "{says}");
    fs::rename(terminal.path("aside"), &sections).unwrap();
    said(&terminal, "verify");
}

/// A key in a section opens all of it.
fn check_owner_alone(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}

/// `watch --once` looked once: an error after the first batch was left to a second look, and it said that nothing is wrong.
#[test]
fn a_section_file_that_is_damaged_is_found_also_behind_batches_that_are_whole() {
    let terminal = audited();
    said(&terminal, SETTLE);
    let sections = terminal.path("gridtally-store/sections");
    let files = || -> Vec<PathBuf> {
        fs::read_dir(&sections).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let first = files();
    let text = readings(None).replacen("03:00,500,", "03:00,700,", 1);
    fs::write(terminal.path("707057500000000018.csv"), text).unwrap();
    import(&terminal);
    said(&terminal, SETTLE);
    let second = files().into_iter().find(|path| !first.contains(path)).unwrap();
    fs::write(second, "gridtally sections 1\n").unwrap();
    let watched = terminal.output("watch --once");
    assert_eq!(watched.status.code(), Some(1));
    let said = String::from_utf8(watched.stdout).unwrap();
    assert!(said.contains("batch 1: valid"), "what was found is told: {said}");
    assert!(said.contains("batches: 2, final: 0: not all judged"), "{said}");
    let period = "--participant 1 --period 9648 --slot 0 --code 32 --out no.json";
    for command in ["export header --out no.hex", &format!("export proof {period}")] {
        let says = refused(&terminal, command);
        assert!(says.contains("section-store-damaged"), "{command}: {says}");
    }
}

/// A new chain was made in its place, and was in the way of a copy.
#[test]
fn a_store_that_lost_its_chain_settles_on_no_new_one() {
    let terminal = audited();
    said(&terminal, SETTLE);
    let chain = terminal.path("gridtally-store/chain");
    fs::rename(&chain, terminal.path("aside")).unwrap();
    let says = refused(&terminal, SETTLE);
    assert!(says.contains("[chain-missing]"), "{says}");
    assert!(!chain.exists());
    fs::rename(terminal.path("aside"), &chain).unwrap();
    said(&terminal, "verify");
}
