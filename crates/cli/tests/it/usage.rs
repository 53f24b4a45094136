//! The command line itself: help, unknown words, readers that leave.

use std::process::Stdio;

use expect_test::expect;

use crate::run::Terminal;

#[test]
fn unknown_words_are_refused() {
    let terminal = Terminal::new();
    terminal.check(
        "sett",
        &expect![[r#"
            -- stderr
            error: unrecognized subcommand 'sett'

              tip: a similar subcommand exists: 'settle'

            Usage: gridtally [OPTIONS] <COMMAND>

            For more information, try '--help'.
            -- exit 2
        "#]],
    );
    terminal.check(
        "cost --gas 5",
        &expect![[r#"
        -- stderr
        error: unexpected argument '--gas' found

          tip: a similar argument exists: '--gas-price-gwei'

        Usage: gridtally cost --gas-price-gwei <GWEI>

        For more information, try '--help'.
        -- exit 2
    "#]],
    );
    terminal.check(
        "cost --output xml",
        &expect![[r#"
        -- stderr
        error: invalid value 'xml' for '--output <FORM>'
          [possible values: text, json]

        For more information, try '--help'.
        -- exit 2
    "#]],
    );
}

#[test]
fn without_a_command_the_help_is_shown() {
    let output = Terminal::new().output("");
    assert_eq!(output.status.code(), Some(2));
    let help = String::from_utf8(output.stderr).unwrap();
    assert!(help.contains("Usage: gridtally [OPTIONS] <COMMAND>"), "{help}");
}

#[test]
fn the_version_is_a_result() {
    let expected = format!("gridtally {}\n", env!("CARGO_PKG_VERSION"));
    let output = Terminal::new().output("--version");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let terminal = Terminal::new();
    let mut child = terminal
        .command("completions bash")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn programs_are_told_of_usage_errors_in_json() {
    let terminal = Terminal::new();
    terminal.check("settle --output json", &expect![[r#"
        -- stderr
        {"error":{"code":null,"hint":null,"kind":"usage","message":"the following required arguments were not provided:   --from <TIME>"}}
        -- exit 2
    "#]]);
    terminal.check(
        "--output=json sett",
        &expect![[r#"
            -- stderr
            {"error":{"code":null,"hint":null,"kind":"usage","message":"unrecognized subcommand 'sett'"}}
            -- exit 2
        "#]],
    );
}

#[test]
fn an_endless_configuration_is_refused() {
    Terminal::new().check(
        "chain --config /dev/zero",
        &expect![[r#"
        -- stderr
        error: the configuration /dev/zero has more than 1048576 bytes
        hint: docs/reference/config.md lists every key and its variable.
        -- exit 2
    "#]],
    );
}
