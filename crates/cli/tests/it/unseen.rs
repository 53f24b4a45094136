//! Settlement vectors that nobody has seen, from a seed of this moment: an independent model writes them, `gridtally conformance` agrees.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::run::Terminal;

/// How many documents, which `GRIDTALLY_PROVE_TIMES` multiplies.
fn documents() -> u32 {
    let Ok(text) = std::env::var("GRIDTALLY_PROVE_TIMES") else { return 1 };
    text.parse().ok().filter(|&times| times > 0).expect("GRIDTALLY_PROVE_TIMES is a number from 1")
}

/// The seed of the first document: `GRIDTALLY_PROVE_SEED`, or another one in each run.
fn seed() -> u64 {
    if let Ok(text) = std::env::var("GRIDTALLY_PROVE_SEED") {
        return text.parse().expect("GRIDTALLY_PROVE_SEED is a number");
    }
    u64::from(std::process::id()) << 32 | u64::from(rand_bits())
}

/// The standard library's hasher is keyed at random.
fn rand_bits() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap()
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vectors")
}

#[test]
fn vectors_that_nobody_has_seen_agree() {
    let first = seed();
    let mut answers = 0;
    for seed in first..first + u64::from(documents()) {
        println!("replay with GRIDTALLY_PROVE_SEED={seed}");
        let model = Command::new("python3")
            .arg(vectors().join("settlement.py"))
            .arg(seed.to_string())
            .output()
            .expect("python3 runs");
        assert!(model.status.success(), "{}", String::from_utf8_lossy(&model.stderr));
        let terminal = Terminal::new().file("unseen.json", model.stdout);
        let output = terminal.output("conformance unseen.json");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["failed"], json!([]), "seed {seed}");
        assert_eq!(report["not_checked"], json!([]), "seed {seed}");
        assert_eq!(output.status.code(), Some(0), "seed {seed}");
        answers += report["checks"].as_u64().unwrap();
    }
    assert!(answers > 300, "{answers}");
    println!(
        "proved: {} unseen documents agree, from seed {first} on: {answers} answers",
        documents()
    );
}
