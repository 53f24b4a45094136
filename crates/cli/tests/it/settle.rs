//! The whole way through the real binary: init, import, settle, verify, with files that people have.

use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::run::Terminal;

const PARTICIPANTS: &str = r#"
[[party]]
id = "home_01"
role = "prosumer"
participant = 1

[[metering_point]]
id = "707057500000000018"
party = "home_01"
metering = "import_export"
"#;

const TARIFF: &str = r#"
name = "flat"
currency = "EUR"

[[version]]
valid_from = "2026-01-01T00:00:00Z"
import = [{ part = "spot", area = "NO2", margin_micro_per_kwh = 1000 }]
export = [{ part = "fixed", price_micro_per_kwh = 50000 }]
"#;

/// Hourly prices in EUR/MWh, semicolons and decimal commas as spreadsheets write them.
fn prices(hours: u32) -> String {
    let rows = (0..hours).map(|hour| {
        format!("2026-06-{:02}T{:02}:00:00Z;{},5\n", 1 + hour / 24, hour % 24, 30 + hour % 24)
    });
    format!("hour;NO2\n{}", rows.collect::<String>())
}

/// Readings of 1 June 2026 (UTC) in local time of Oslo, at the end of each hour.
pub(crate) fn readings(missing: Option<u32>) -> String {
    let rows = (0..24_u32).filter(|hour| Some(*hour) != missing).map(|hour| {
        let local = hour + 3;
        format!("{:02}.06.2026 {:02}:00,{},{}\n", 1 + local / 24, local % 24, 500 + hour, hour % 2)
    });
    format!("end,import_wh,export_wh\n{}", rows.collect::<String>())
}

fn terminal(readings: &str) -> Terminal {
    Terminal::new()
        .file("participants.toml", PARTICIPANTS)
        .file("tariff.toml", TARIFF)
        .file("prices.csv", prices(48))
        .file("707057500000000018.csv", readings)
}

/// The same with everything in a store but the readings.
pub(crate) fn prepared(readings: &str) -> Terminal {
    let terminal = terminal(readings);
    for command in [
        "init --slots 24",
        "import participants participants.toml",
        "import tariff tariff.toml",
        "import prices prices.csv --stamp start --clock UTC --resolution 60 --time-column hour --decimal comma \
         --column NO2=NO2:per_MWh",
    ] {
        assert!(terminal.output(command).status.success(), "{command}");
    }
    terminal
}

pub(crate) const IMPORT_READINGS: &str = "import readings 707057500000000018.csv --stamp end --clock Europe/Oslo --resolution 60 \
     --time-column end --time-format %d.%m.%Y_%H:%M --column import_wh=import:Wh --column export_wh=export:Wh";

/// Runs a command and shows what it said, without what differs from run to run.
pub(crate) fn check(terminal: &Terminal, arguments: &str, expected: &Expect) {
    let mut command = terminal.command("");
    // The format of the time has a blank, which arguments are split at.
    let arguments = arguments.split_whitespace().map(|word| word.replace("Y_%", "Y %"));
    let output = command.args(arguments).output().unwrap();
    let mut shown = String::from_utf8(output.stdout).unwrap();
    shown.push_str(&String::from_utf8(output.stderr).unwrap());
    shown.push_str(&format!("-- exit {}\n", output.status.code().unwrap_or(-1)));
    let shown = terminal.without_folder(&shown);
    let mut before = "";
    let words = shown.split_inclusive([' ', '\n']).map(|word| {
        let previous = std::mem::replace(&mut before, word);
        let after_block = previous == "block ";
        let is_number = word.trim_end().bytes().all(|byte| byte.is_ascii_digit());
        let end = &word[word.trim_end().len()..];
        if word.starts_with("0x") && word.len() > 20 {
            format!("HASH{end}")
        } else if after_block && is_number {
            // What is sent at the same time may share a block.
            format!("N{end}")
        } else if previous == "after " && word.trim_end().ends_with('Z') {
            // The chain's clock goes on while it works.
            format!("TIME{end}")
        } else {
            word.to_owned()
        }
    });
    expected.assert_eq(&without_sealed_gas(words.collect()));
}

/// The roots of sealed batches are random, and what bytes of zero in them save shows in the gas.
fn without_sealed_gas(text: String) -> String {
    let is_sealed = text.contains("in sealed batches");
    let Some((before, after)) = text.split_once(" gas for a record").filter(|_| is_sealed) else {
        return text;
    };
    let before = before.trim_end_matches(|of: char| of.is_ascii_digit() || of == ',');
    format!("{before}GAS gas for a record{after}")
}

#[test]
fn files_become_payments_that_verify() {
    let terminal = terminal(&readings(None));
    check(
        &terminal,
        "init --slots 24",
        &expect![[r#"
        Configuration  gridtally.toml
        Store          gridtally-store: EUR, Europe/Oslo, 24 slots of 3600 s

        Next:
          who takes part        gridtally import participants FILE.toml
          what energy costs     gridtally import tariff FILE.toml
          market prices         gridtally import prices FILE... --help
          meter readings        gridtally import readings FILE... --help
          records on the chain  gridtally settle --from DAY --until DAY
        -- exit 0
    "#]],
    );
    check(
        &terminal,
        "import participants participants.toml",
        &expect![[r#"
        Journal line 2: 1 participant, 1 metering point
        -- exit 0
    "#]],
    );
    check(
        &terminal,
        "import tariff tariff.toml",
        &expect![[r#"
        Journal line 3: tariff flat with 1 version
        -- exit 0
    "#]],
    );
    let import_prices = "import prices prices.csv --stamp start --clock UTC --resolution 60 --time-column hour \
         --decimal comma --column NO2=NO2:per_MWh";
    check(
        &terminal,
        &format!("{import_prices} --dry-run"),
        &expect![[r#"
            prices.csv: 48 rows, 48 would be new, 0 another version, 0 known already
              what  values  from (UTC)        until (UTC)       min  gaps  absent  mean per kWh
              ----  ------  ----------------  ----------------  ---  ----  ------  ------------
              NO2       48  2026-06-01 00:00  2026-06-03 00:00   60     0       0        0.0420
            -- exit 0
        "#]],
    );
    check(
        &terminal,
        import_prices,
        &expect![[r#"
            prices.csv: 48 rows, 48 new, 0 another version, 0 known already
              what  values  from (UTC)        until (UTC)       min  gaps  absent  mean per kWh
              ----  ------  ----------------  ----------------  ---  ----  ------  ------------
              NO2       48  2026-06-01 00:00  2026-06-03 00:00   60     0       0        0.0420
            -- exit 0
        "#]],
    );
    check(
        &terminal,
        IMPORT_READINGS,
        &expect![[r#"
            707057500000000018.csv: 24 rows, 48 new, 0 another version, 0 known already
              what                       values  from (UTC)        until (UTC)       min  gaps  absent   kWh
              -------------------------  ------  ----------------  ----------------  ---  ----  ------  ----
              707057500000000018 import      24  2026-06-01 00:00  2026-06-02 00:00   60     0       0  12.3
              707057500000000018 export      24  2026-06-01 00:00  2026-06-02 00:00   60     0       0   0.0
            -- exit 0
        "#]],
    );
    check(
        &terminal,
        IMPORT_READINGS,
        &expect![[r#"
            707057500000000018.csv: 24 rows, 0 new, 0 another version, 48 known already
              what                       values  from (UTC)        until (UTC)       min  gaps  absent   kWh
              -------------------------  ------  ----------------  ----------------  ---  ----  ------  ----
              707057500000000018 import      24  2026-06-01 00:00  2026-06-02 00:00   60     0       0  12.3
              707057500000000018 export      24  2026-06-01 00:00  2026-06-02 00:00   60     0       0   0.0
            -- exit 0
        "#]],
    );
    let settle = "settle --from 2026-06-01T00:00:00Z --until 2026-06-02T00:00:00Z";
    check(
        &terminal,
        settle,
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

            Contract  HASH on chain 31337: 48 settled now, 0 before; 6,727 gas for a record
            Store   7 journal lines and 9 files, 8,180 bytes: every byte compared with its hash
            Runs    1 run, 48 records computed again from the readings
            Chain   the embedded chain in gridtally-store/chain, block N
                    contract HASH which holds 0.53
                    2 participants, 2 tariffs, 48 equal records

            Nothing is wrong.
            -- exit 0
        "#]],
    );
    check(
        &terminal,
        settle,
        &expect![[r#"
            Run       HASH (journal line 6, the same bytes as before)
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

            Contract  HASH on chain 31337: 0 settled now, 48 before; 0 gas for a record
            Store   7 journal lines and 9 files, 8,180 bytes: every byte compared with its hash
            Runs    1 run, 48 records computed again from the readings
            Chain   the embedded chain in gridtally-store/chain, block N
                    contract HASH which holds 0.53
                    2 participants, 2 tariffs, 48 equal records

            Nothing is wrong.
            -- exit 0
        "#]],
    );
    check(
        &terminal,
        "verify",
        &expect![[r#"
            Store   7 journal lines and 9 files, 8,180 bytes: every byte compared with its hash
            Runs    1 run, 48 records computed again from the readings
            Chain   the embedded chain in gridtally-store/chain, block N
                    contract HASH which holds 0.53
                    2 participants, 2 tariffs, 48 equal records

            Nothing is wrong.
            -- exit 0
        "#]],
    );
    check(
        &terminal,
        "verify --no-chain",
        &expect![[r#"
            Store   7 journal lines and 9 files, 8,180 bytes: every byte compared with its hash
            Runs    1 run, 48 records computed again from the readings
            Chain   not asked, as --no-chain says

            Nothing is wrong.
            -- exit 0
        "#]],
    );
}

#[test]
fn a_missing_reading_is_not_zero() {
    let terminal = prepared(&readings(Some(5)));
    check(
        &terminal,
        IMPORT_READINGS,
        &expect![[r#"
            707057500000000018.csv: 23 rows, 46 new, 0 another version, 0 known already
              what                       values  from (UTC)        until (UTC)       min  gaps  absent   kWh
              -------------------------  ------  ----------------  ----------------  ---  ----  ------  ----
              707057500000000018 import      23  2026-06-01 00:00  2026-06-02 00:00   60     1       1  11.8
              707057500000000018 export      23  2026-06-01 00:00  2026-06-02 00:00   60     1       1   0.0
            -- exit 0
        "#]],
    );
    let settle = "settle --from 2026-06-01T00:00:00Z --until 2026-06-02T00:00:00Z --no-chain";
    check(
        &terminal,
        settle,
        &expect![[r#"
            error: home_01 export at 707057500000000018: the slot from 2026-06-01T05:00:00Z (slot 5 of settlement period 9648) is missing [run-slot-missing]
            hint: Import the readings, or settle with --missing leave_out: a later run settles what comes late.
            -- exit 1
        "#]],
    );
    check(
        &terminal,
        &format!("{settle} --missing leave_out"),
        &expect![[r#"
        Run       HASH (journal line 6)
        Span      2026-06-01T00:00:00Z to 2026-06-02T00:00:00Z, 1 settlement period
        Records   46, 2 left out for lack of values

          code  energy               records   kWh  participants get, EUR
          ----  -------------------  -------  ----  ---------------------
             1  fed into the grid         23   0.0                   0.00
            32  drawn from the grid       23  11.8                  -0.51

          #  participant     participants get, EUR
          -  --------------  ---------------------
          1  home_01                         -0.51
          0  the aggregator                   0.51

        The chain was left alone.
        -- exit 0
    "#]],
    );
}

#[test]
fn refused_rows_are_named_and_nothing_is_half_imported() {
    let rows = "end,import_wh,export_wh\n01.06.2026 03:00,NaN,0\n01.06.2026 03:20,1,0\n29.03.2026 02:30,1,0\n\
                01.06.2026 04:00,-5,0\n01.06.2099 04:00,5,0\n01.06.2026 05:00,1e3,0\n01.06.2026 06:00,7,0\n";
    let terminal = terminal(rows);
    for command in ["init --slots 24", "import participants participants.toml"] {
        assert!(terminal.output(command).status.success(), "{command}");
    }
    check(
        &terminal,
        IMPORT_READINGS,
        &expect![[r#"
        707057500000000018.csv: refused
          707057500000000018.csv:2: import_wh "NaN": the value is not a finite number [number-not-finite]; leave the row out: missing is not zero
          707057500000000018.csv:3: end "01.06.2026 03:20": the time does not lie on the grid of the resolution [time-not-aligned]; check the resolution, and whether stamps mark start or end
          707057500000000018.csv:4: end "29.03.2026 02:30": the local time does not exist, clocks jump over it [time-nonexistent]; check the time zone of the file
          707057500000000018.csv:5: import_wh "-5": energy in an import or export channel is negative [energy-negative]; give feed-in as the export channel
          707057500000000018.csv:6: end "01.06.2099 04:00": the period is not over yet [time-future]; check the clock of the source and the time zone of the file
          707057500000000018.csv:7: import_wh "1e3": the value has an exponent [number-exponent]; write all digits
        error: 1 file refused, nothing of it was stored
        hint: docs/reference/rejections.md explains the reasons.
        -- exit 1
    "#]],
    );
    let journal = fs::read_to_string(terminal.path("gridtally-store/journal")).unwrap();
    assert_eq!(journal.lines().count(), 2, "created, participants");
    check(
        &terminal,
        &format!("{IMPORT_READINGS} --skip-refused"),
        &expect![[r#"
            707057500000000018.csv: 7 rows, 2 new, 0 another version, 0 known already
              what                       values  from (UTC)        until (UTC)       min  gaps  absent  kWh
              -------------------------  ------  ----------------  ----------------  ---  ----  ------  ---
              707057500000000018 import       1  2026-06-01 03:00  2026-06-01 04:00   60     0       0  0.0
              707057500000000018 export       1  2026-06-01 03:00  2026-06-01 04:00   60     0       0  0.0
              6 refused rows passed over:
              707057500000000018.csv:2: import_wh "NaN": the value is not a finite number [number-not-finite]; leave the row out: missing is not zero
              707057500000000018.csv:3: end "01.06.2026 03:20": the time does not lie on the grid of the resolution [time-not-aligned]; check the resolution, and whether stamps mark start or end
              707057500000000018.csv:4: end "29.03.2026 02:30": the local time does not exist, clocks jump over it [time-nonexistent]; check the time zone of the file
              707057500000000018.csv:5: import_wh "-5": energy in an import or export channel is negative [energy-negative]; give feed-in as the export channel
              707057500000000018.csv:6: end "01.06.2099 04:00": the period is not over yet [time-future]; check the clock of the source and the time zone of the file
              707057500000000018.csv:7: import_wh "1e3": the value has an exponent [number-exponent]; write all digits
            -- exit 0
        "#]],
    );
}

#[test]
fn what_is_not_there_is_said() {
    let terminal = terminal(&readings(None));
    check(
        &terminal,
        "settle --from 2026-06-01 --until 2026-06-02",
        &expect![[r#"
            error: gridtally-store is not a store, create one with init [store-missing]
            hint: Create a store with gridtally init, or name one with --store.
            -- exit 3
        "#]],
    );
    check(
        &terminal,
        "verify --store nowhere",
        &expect![[r#"
            error: nowhere is not a store, create one with init [store-missing]
            hint: Create a store with gridtally init, or name one with --store.
            -- exit 3
        "#]],
    );
    check(
        &terminal,
        "import tariff nowhere.toml",
        &expect![[r#"
            error: nowhere.toml: the file cannot be read: No such file or directory (os error 2) [file-unreadable]; check the path and the permissions
            -- exit 3
        "#]],
    );
    assert!(terminal.output("init").status.success());
    check(
        &terminal,
        "init",
        &expect![[r#"
            error: FOLDER/gridtally-store holds "store.toml" already, a store needs an empty folder [store-not-empty]
            hint: Name another folder with --store: an existing store is never overwritten.
            -- exit 1
        "#]],
    );
    check(
        &terminal,
        "settle --from 2026-06-01 --until 2026-06-02",
        &expect![[r#"
            error: nobody is registered, import participants first [run-nobody-registered]
            hint: Import participants first: gridtally import participants.
            -- exit 1
        "#]],
    );
    check(
        &terminal,
        "import tariff participants.toml",
        &expect![[r#"
            error: participants.toml:7: metering_point "": the tariff is not valid: there is no key metering_point here, but one of name, currency, version [tariff-invalid]; correct it as the detail says
            hint: docs/guides/import.md shows the form.
            -- exit 1
        "#]],
    );
    check(
        &terminal,
        IMPORT_READINGS,
        &expect![[r#"
            707057500000000018.csv: refused
              707057500000000018.csv:2: import_wh "707057500000000018": nobody registered this identifier: the file has 24 values of it [id-unknown]; import parties and metering points first
            error: 1 file refused, nothing of it was stored
            hint: docs/reference/rejections.md explains the reasons.
            -- exit 1
        "#]],
    );
    check(
        &terminal,
        "import prices prices.csv",
        &expect![[r#"
        error: prices.csv is a table and needs --column
        hint: Write --column NAME=AREA:per_MWh, such as --column no2_eur_mwh=NO2:per_MWh.
        -- exit 2
    "#]],
    );
    check(
        &terminal,
        "import prices prices.csv --column NO2=NO2:per_MWh",
        &expect![[r#"
        error: a table needs --stamp start, or --stamp end
        -- exit 2
    "#]],
    );
    check(
        &terminal,
        "settle --from 2026-06-01 --until yesterday",
        &expect![[r#"
        error: invalid value 'yesterday' for '--until <TIME>': write it as 2026-10-25 or 2026-10-24T22:00:00Z

        For more information, try '--help'.
        -- exit 2
    "#]],
    );
}

#[test]
fn an_endpoint_that_is_not_there_is_named_without_its_secrets() {
    let terminal = prepared(&readings(None));
    check(
        &terminal,
        IMPORT_READINGS,
        &expect![[r#"
            707057500000000018.csv: 24 rows, 48 new, 0 another version, 0 known already
              what                       values  from (UTC)        until (UTC)       min  gaps  absent   kWh
              -------------------------  ------  ----------------  ----------------  ---  ----  ------  ----
              707057500000000018 import      24  2026-06-01 00:00  2026-06-02 00:00   60     0       0  12.3
              707057500000000018 export      24  2026-06-01 00:00  2026-06-02 00:00   60     0       0   0.0
            -- exit 0
        "#]],
    );
    let terminal = terminal.variable("GRIDTALLY_CHAIN_ATTEMPTS", "1");
    // Nothing listens on port 1.
    let settle = "settle --from 2026-06-01T00:00:00Z --until 2026-06-02T00:00:00Z --endpoint http://127.0.0.1:1/v3/SECRET";
    check(
        &terminal,
        settle,
        &expect![[r#"
            error: http://127.0.0.1:1 is unreachable (eth_chainId, 1 attempts): error sending request: client error (Connect): tcp connect error: Connection refused (os error 111) [endpoint-unreachable]
            hint: Start the chain there, or name another endpoint with --endpoint.
            -- exit 3
        "#]],
    );
}

#[test]
fn what_the_chain_can_never_take_is_not_recorded() {
    let terminal = prepared(&readings(None));
    // The prices of the first day alone, so that nobody can publish those of the second before it begins.
    let terminal = terminal
        .file("gridtally.toml", "[store]\nfolder = \"one-day\"\n")
        .file("one.csv", prices(24));
    let import_prices = "--stamp start --clock UTC --resolution 60 --time-column hour --decimal comma --column NO2=NO2:per_MWh";
    let settle = |day: u32| {
        format!("settle --from 2026-06-0{day}T00:00:00Z --until 2026-06-0{}T00:00:00Z", day + 1)
    };
    let done = |arguments: &str| {
        let words = arguments.split_whitespace().map(|word| word.replace("Y_%", "Y %"));
        let output = terminal.command("").args(words).output().unwrap();
        assert!(
            output.status.success(),
            "{arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    done("init --slots 24");
    done("import participants participants.toml");
    done("import tariff tariff.toml");
    done(&format!("import prices one.csv {import_prices}"));
    done(IMPORT_READINGS);
    done(&settle(1));
    done(&format!("import prices prices.csv {import_prices}"));
    check(
        &terminal,
        &format!("{} --missing leave_out", settle(2)),
        &expect![[r#"
        error: period 9649 started at 1780358400, the chain's time is 1780358401: too late [tariff-too-late]
        hint: Import the prices of the days after a span before settling it: tariffs are published before their period begins.
        -- exit 1
    "#]],
    );
    done("verify");

    // Another value for a settled hour stays in the store; what was settled stays settled.
    let changed = readings(None).replace("12:00,509", "12:00,777");
    fs::write(terminal.path("707057500000000018.csv"), changed).unwrap();
    done(IMPORT_READINGS);
    check(
        &terminal,
        &settle(1),
        &expect![[r#"
            error: home_01, metered at 707057500000000018, slot from 2026-06-01T09:00:00Z: 777 Wh now, but the run of journal line 6 recorded 509 Wh (period 9648 slot 9 code 32 from 1 to 0 run 0); this needs a correction, and only a store that settles in batches takes one; what was imported since stays in the store as the newest version, and --as-of 5 repeats the earlier run [run-energy-recorded]
            hint: Repeat the earlier run with --as-of: only a store that settles in batches takes corrections.
            -- exit 1
        "#]],
    );
    done("verify");
}

/// Settles a scenario with real data, twice, and verifies it. Returns the report of the second time.
fn settle_scenario(name: &str) -> Option<Value> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    if !repository.join("../shared").exists() {
        println!("left out: settle {name}, because ../shared is not there");
        return None;
    }
    let scenario = repository.join("fixtures/scenarios").join(name);
    let terminal = Terminal::new();
    let settle = format!("settle --output json --store store --scenario {}", scenario.display());
    let run = || {
        let output = terminal.output(&settle);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let (first, second) = (run(), run());
    assert_eq!(first["run"], second["run"]);
    assert_eq!(first["chain"]["settled"], first["record_count"]);
    assert_eq!(second["chain"]["settled"], json!(0));
    let verify = terminal.output("verify --store store");
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stderr));
    Some(second)
}

#[test]
fn a_month_of_the_fontana_homes_settles_in_one_command() {
    let Some(report) = settle_scenario("fontana.toml") else { return };
    // 11 homes, 30 days of 24 hours, drawn and fed in.
    assert_eq!(report["record_count"], json!(11 * 30 * 24 * 2));
    assert_eq!(report["price_shift_weeks"], json!(417));
}

#[test]
fn a_month_of_the_half_hourly_homes_settles_in_one_command() {
    let Some(report) = settle_scenario("sgsc.toml") else { return };
    let counted = |key: &str| report[key].as_u64().unwrap();
    assert_eq!(counted("record_count") + counted("left_out_count"), 7 * 31 * 48);
    assert!(counted("left_out_count") > 0, "the meters of this trial have gaps");
}
