//! The whole way in batches through the real binary: settle, correct, watch, prove, verify.

use std::fs;
use std::path::PathBuf;

use expect_test::expect;
use serde_json::{Value, json};

use crate::run::Terminal;
use crate::settle::{IMPORT_READINGS, check, prepared, readings};

/// A store with a day of readings.
pub(crate) fn imported() -> Terminal {
    let terminal = prepared(&readings(None));
    import(&terminal);
    terminal
}

pub(crate) fn import(terminal: &Terminal) {
    let mut command = terminal.command("");
    let words = IMPORT_READINGS.split_whitespace().map(|word| word.replace("Y_%", "Y %"));
    let output = command.args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a command that must succeed, and returns its document.
pub(crate) fn document(terminal: &Terminal, command: &str) -> Value {
    let output = terminal.output(&format!("{command} --output json"));
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {messages}");
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn said(terminal: &Terminal, command: &str) -> String {
    let output = terminal.output(command);
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {messages}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) const SETTLE: &str =
    "settle --from 2026-06-01T00:00:00Z --until 2026-06-02T00:00:00Z --mode batch";

#[test]
fn a_day_is_settled_in_a_batch_corrected_and_final_when_asked_for() {
    let terminal = imported();
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

        Contract  HASH on chain 31337, in batches: 48 settled now, 0 of them corrections; 0 before
        Batches   1 committed now, 1 in all, 0 final; 1,549 gas for a record
                  only final counts: the newest can be final after TIME
        Store   7 journal lines and 9 files, 8,550 bytes: every byte compared with its hash
        Runs    1 run, 48 records computed again from the readings
        Chain   the embedded chain in gridtally-store/chain, block N
                contract HASH which holds 2.00
                2 participants, 1 tariff, 48 equal records
                batches: 1, final: 0, corrections: 0; each judged by the rules

        Nothing is wrong.
        -- exit 0
    "#]],
    );
    // The store knows its mode from now on, and says so when it is asked for another one.
    check(
        &terminal,
        &SETTLE.replace("batch", "direct"),
        &expect![[r#"
        error: the store settles in mode batch, not direct [settlement-mode-differs]
        hint: Leave --mode and settlement.mode out, or settle with a store of its own.
        -- exit 1
    "#]],
    );
    let again = document(&terminal, SETTLE.trim_end_matches(" --mode batch"));
    let counts = |report: &Value| {
        let chain = &report["chain"];
        ["settled", "corrected", "already_settled", "batch_count", "final_count"]
            .map(|key| chain[key].as_u64().unwrap())
    };
    assert_eq!(counts(&again), [0, 0, 48, 1, 0]);
    assert_eq!(again["repeated"], json!(true));

    // A reading was wrong: the difference is settled, not the day once more.
    let text = readings(None).replacen("03:00,500,", "03:00,700,", 1);
    let terminal = terminal.file("707057500000000018.csv", text);
    import(&terminal);
    let corrected = document(&terminal, SETTLE);
    assert_eq!(counts(&corrected), [1, 1, 47, 2, 0]);
    let batch = &corrected["chain"]["batches"][0];
    assert_eq!((&batch["run"], &batch["record_count"]), (&json!(1), &json!(1)));
    assert_eq!(counts(&document(&terminal, &format!("{SETTLE} --finalize"))), [0, 0, 48, 2, 2]);

    check(
        &terminal,
        "verify",
        &expect![[r#"
        Store   9 journal lines and 13 files, 11,294 bytes: every byte compared with its hash
        Runs    2 runs, 96 records computed again from the readings
        Chain   the embedded chain in gridtally-store/chain, block N
                contract HASH which holds 2.00
                2 participants, 1 tariff, 48 equal records
                batches: 2, final: 2, corrections: 1; each judged by the rules

        Nothing is wrong.
        -- exit 0
    "#]],
    );
    // What a participant does, with nothing but the store's configuration.
    let watched = said(&terminal, "watch --once");
    assert!(watched.ends_with("batches: 2, final: 2: all valid\n"), "{watched}");
    for (run, file) in [(0, "first.json"), (1, "second.json")] {
        let period = batch["period"].as_u64().unwrap();
        let export = format!(
            "export proof --participant 1 --period {period} --slot 0 --code 32 --run {run} --out {file}"
        );
        let exported = said(&terminal, &export);
        assert!(exported.contains(", final, header 0x"), "{exported}");
        let proof: Value = serde_json::from_slice(&fs::read(terminal.path(file)).unwrap()).unwrap();
        assert!(proof.to_string().contains("signature"), "{proof}");
    }
    said(&terminal, "export header --out header.hex");
    let proved = said(&terminal, "verify --proof second.json --header header.hex");
    assert!(proved.contains("run 1, slot 0, code 32"), "{proved}");
    let claim = said(&terminal, "claim --participant 1 --dry-run");
    assert!(claim.starts_with("participant 1: 0.000000 to no address yet"), "{claim}");
}

#[test]
fn verify_finds_a_store_that_was_altered_and_an_archive_that_was() {
    let terminal = imported();
    said(&terminal, SETTLE);
    let archive = terminal.path("gridtally-store/batches");
    let files = || fs::read_dir(&archive).unwrap().map(|entry| entry.unwrap().path());
    let is_data = |path: &PathBuf| path.extension().is_some_and(|ending| ending != "signatures");
    let published = files().find(is_data).unwrap();
    let whole = fs::read(&published).unwrap();
    let mut changed = whole.clone();
    changed[5] ^= 1;
    fs::write(&published, changed).unwrap();
    let output = terminal.output("verify");
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{messages}");
    assert!(messages.contains("the archive of batches: "), "{messages}");
    fs::write(&published, whole).unwrap();
    said(&terminal, "verify");
    // A hub that lost signatures cannot answer: that shows before somebody demands them.
    let signatures = files().find(|path| !is_data(path)).unwrap();
    let kept = fs::read(&signatures).unwrap();
    fs::remove_file(&signatures).unwrap();
    let output = terminal.output("verify");
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{messages}");
    assert!(messages.contains("the signatures of batch 1 are not there"), "{messages}");
    fs::write(&signatures, kept).unwrap();
    let aside = terminal.path("aside");
    fs::rename(&archive, &aside).unwrap();
    let output = terminal.output("verify");
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{messages}");
    assert!(messages.contains("published is not there"), "{messages}");
    fs::rename(&aside, &archive).unwrap();

    // A corrected reading that was computed and not settled: the chain is the measure.
    let text = readings(None).replacen("03:00,500,", "03:00,501,", 1);
    let terminal = terminal.file("707057500000000018.csv", text);
    import(&terminal);
    let computed = SETTLE.replace("--mode batch", "--no-chain");
    said(&terminal, &computed);
    let output = terminal.output("verify");
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{messages}");
    assert!(messages.contains("the books say 501 Wh, the chain says 500 Wh"), "{messages}");
    said(&terminal, SETTLE);
    said(&terminal, "verify");
}

#[test]
fn the_mode_is_chosen_by_the_configuration_too() {
    let terminal = imported();
    let configuration = fs::read_to_string(terminal.path("gridtally.toml")).unwrap();
    let terminal =
        terminal.file("gridtally.toml", configuration.replace("mode = \"\"", "mode = \"batch\""));
    let report = document(&terminal, SETTLE.trim_end_matches(" --mode batch"));
    assert_eq!(report["chain"]["batch_count"], json!(1));
    let output = terminal.output(&format!("{} --finalize", SETTLE.replace("batch", "direct")));
    assert_eq!(output.status.code(), Some(1), "the store settles in batches");
    let other = imported();
    let direct = format!("{} --finalize", SETTLE.replace("batch", "direct"));
    let output = other.output(&direct);
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{messages}");
    expect![[r#"
        error: records that are settled one by one are final at once
        hint: Leave --finalize out, or settle with --mode batch.
    "#]]
    .assert_eq(&messages);
    let nothing = other.output("watch --once");
    let messages = String::from_utf8_lossy(&nothing.stderr);
    assert_eq!(nothing.status.code(), Some(2), "{messages}");
}
