//! Where settings come from, and how wrong ones are refused.

use expect_test::expect;
use serde_json::json;

use crate::run::Terminal;
use crate::server::Server;

#[test]
fn flags_stand_above_variables_above_the_file() {
    let terminal = Terminal::new()
        .file("gridtally.toml", "[chain]\nchain_id = 5\nlisten = '127.0.0.1:0'\nfolder = 'one'\n")
        .variable("GRIDTALLY_CHAIN_CHAIN_ID", "6")
        .variable("GRIDTALLY_CHAIN_FOLDER", "two");
    let server = Server::start(&terminal, "chain --folder three");
    assert_eq!(server.report["chain_id"], json!(6));
    assert!(terminal.path("three").exists() && !terminal.path("two").exists());
}

#[test]
fn paths_in_a_file_start_at_the_file() {
    let terminal = Terminal::new()
        .file("etc/settings.toml", "[chain]\nlisten = '127.0.0.1:0'\nfolder = 'chain'\n");
    drop(Server::start(&terminal, "chain --config etc/settings.toml"));
    assert!(terminal.path("etc/chain").exists());
}

#[test]
fn unknown_keys_name_their_place() {
    let file = Terminal::new().file("gridtally.toml", "[chain]\nlissten = '127.0.0.1:0'\n");
    file.check(
        "chain",
        &expect![[r#"
        -- stderr
        error: unknown key chain.lissten in gridtally.toml:2
        hint: docs/reference/config.md lists every key and its variable.
        -- exit 2
    "#]],
    );
    let variable = Terminal::new().variable("GRIDTALLY_CHAIN_LISSTEN", "127.0.0.1:0");
    variable.check(
        "chain",
        &expect![[r#"
        -- stderr
        error: unknown variable GRIDTALLY_CHAIN_LISSTEN
        hint: docs/reference/config.md lists every key and its variable.
        -- exit 2
    "#]],
    );
}

#[test]
fn bad_values_name_their_place() {
    let file = Terminal::new().file("gridtally.toml", "[chain]\nattempts = 0\n");
    file.check(
        "chain",
        &expect![[r#"
        -- stderr
        error: chain.attempts = 0 in gridtally.toml:2 is not a whole number from 1 to 100
        -- exit 2
    "#]],
    );
    let variable = Terminal::new().variable("GRIDTALLY_MARKET_ZONE", "Europe/Olso");
    variable.check("chain", &expect![[r#"
        -- stderr
        error: market.zone = "Europe/Olso" in the variable GRIDTALLY_MARKET_ZONE is not a time zone such as Europe/Oslo
        -- exit 2
    "#]]);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    Terminal::new().check(
        "chain --config nowhere.toml",
        &expect![[r#"
        -- stderr
        error: cannot read the configuration nowhere.toml: No such file or directory (os error 2)
        hint: docs/reference/config.md lists every key and its variable.
        -- exit 2
    "#]],
    );
    Terminal::new().variable("GRIDTALLY_CONFIG", "nowhere.toml").check(
        "chain",
        &expect![[r#"
        -- stderr
        error: cannot read the configuration nowhere.toml: No such file or directory (os error 2)
        hint: docs/reference/config.md lists every key and its variable.
        -- exit 2
    "#]],
    );
}
