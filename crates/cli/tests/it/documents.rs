//! What the documents tell people to type.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::Terminal;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A fenced block of a document: its language, its text, and the paragraph before it.
struct Block {
    language: String,
    text: String,
    before: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut parts = document.split("```");
    let mut blocks = Vec::new();
    while let (Some(before), Some(block)) = (parts.next(), parts.next()) {
        let (language, text) = block.split_once('\n').unwrap();
        let before = before.trim_end().rsplit("\n\n").next().unwrap_or_default();
        let (language, text) = (language.to_owned(), text.to_owned());
        blocks.push(Block { language, text, before: before.to_owned() });
    }
    blocks
}

#[test]
fn the_tutorial_works_as_it_is_written() {
    let terminal = Terminal::new();
    let document = fs::read_to_string(repository().join("docs/tutorial.md")).unwrap();
    let (mut cheated, mut verified) = (false, Vec::new());
    for block in blocks(&document) {
        if block.language == "toml" {
            let name = block.before.rsplit_once("Save as `").unwrap().1.split('`').next().unwrap();
            fs::write(terminal.path(name), block.text).unwrap();
            continue;
        }
        for line in block.text.lines() {
            let program = Path::new(env!("CARGO_BIN_EXE_gridtally")).parent().unwrap();
            let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
            let mut shell = Command::new("bash");
            shell.args(["-ec", line]).env("PATH", path).current_dir(terminal.path(""));
            let output = shell.output().unwrap();
            cheated |= line.starts_with("sed ");
            if line == "gridtally verify" {
                verified.push(output.status.success());
                assert_eq!(output.status.success(), !cheated);
            } else {
                assert!(
                    output.status.success(),
                    "{line}: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
            }
        }
    }
    assert_eq!(verified, [true, false], "verified, and verified again after the store was changed");
}

#[test]
fn every_command_in_the_documents_exists() {
    let terminal = Terminal::new();
    let folder = repository().join("docs/guides");
    let guides = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut count = 0;
    for document in guides.chain([repository().join("README.md")]) {
        let text = fs::read_to_string(&document).unwrap().replace("\\\n", " ");
        let lines = blocks(&text).into_iter().filter(|block| block.language != "js");
        for line in
            lines.flat_map(|block| block.text.lines().map(str::to_owned).collect::<Vec<_>>())
        {
            let Some((_, arguments)) = line
                .split_once("gridtally ")
                .filter(|(before, _)| before.is_empty() || before.ends_with("... "))
            else {
                continue;
            };
            let arguments = arguments.split(" #").next().unwrap();
            let output = terminal.output(&format!("{arguments} --help"));
            assert!(output.status.success(), "{}: gridtally {arguments}", document.display());
            count += 1;
        }
    }
    assert!(count > 8, "{count} commands were found");
}

#[test]
fn the_costs_in_the_readme_are_what_the_command_prints() {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let block =
        blocks(&readme).into_iter().find(|block| block.text.contains("USD / record")).unwrap();
    let line = block.before.replace('\n', " ");
    let arguments =
        line.rsplit_once("`gridtally ").unwrap().1.split('`').next().unwrap().to_owned();
    let output = Terminal::new().output(&arguments);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains(&format!("\n{}\n", block.text)), "gridtally {arguments}:\n{printed}");
}
