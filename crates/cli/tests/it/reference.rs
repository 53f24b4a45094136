//! The generated pages of the reference are fresh.

use expect_test::expect_file;

use crate::run::Terminal;

fn page(name: &str) -> String {
    let output = Terminal::new().output(&format!("reference {name}"));
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_page_of_commands_is_what_help_prints() {
    expect_file!["../../../../docs/reference/cli.md"].assert_eq(&page("cli"));
}

#[test]
fn the_page_of_settings_is_what_the_defaults_say() {
    expect_file!["../../../../docs/reference/config.md"].assert_eq(&page("config"));
}

#[test]
fn the_page_of_refusals_is_what_stands_beside_the_errors() {
    expect_file!["../../../../docs/reference/refusals.md"].assert_eq(&page("refusals"));
}
