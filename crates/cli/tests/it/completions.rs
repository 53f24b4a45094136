//! `gridtally completions`.

use crate::run::Terminal;

#[test]
fn every_shell_learns_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = Terminal::new().output(&format!("completions {shell}"));
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("cost") && script.contains("eth-usd"), "{shell}");
    }
}
