//! Keeps the repository as ARCHITECTURE.md says it is: dependency direction, registered tests, living links.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each crate may depend on, dev-dependencies aside. ARCHITECTURE.md draws the same arrows.
const ALLOWED: [(&str, &[&str]); 7] = [
    ("gridtally-core", &[]),
    ("gridtally-schedule", &["gridtally-core"]),
    ("gridtally-settlement", &["gridtally-core"]),
    ("gridtally-chain", &[]),
    ("gridtally-ledger", &["gridtally-core", "gridtally-settlement"]),
    (
        "gridtally-aggregator",
        &[
            "gridtally-core",
            "gridtally-schedule",
            "gridtally-settlement",
            "gridtally-ledger",
            "gridtally-chain",
        ],
    ),
    (
        "gridtally",
        &[
            "gridtally-core",
            "gridtally-schedule",
            "gridtally-settlement",
            "gridtally-ledger",
            "gridtally-chain",
            "gridtally-aggregator",
        ],
    ),
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every file below `folder` that git would track, by its ending.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let skipped = ["target", "node_modules", ".git", "out", "cache", "corpus"];
            if !skipped.contains(&name.as_str()) {
                files(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(repository().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .unwrap();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    for package in &metadata.packages {
        let may = allowed
            .get(package.name.as_str())
            .unwrap_or_else(|| panic!("{} has no ring: add it to ALLOWED", package.name));
        for dependency in &package.dependencies {
            let normal = dependency.kind == cargo_metadata::DependencyKind::Normal;
            if normal && dependency.name.starts_with("gridtally") {
                assert!(
                    may.contains(&dependency.name.as_str()),
                    "{} must not depend on {}",
                    package.name,
                    dependency.name
                );
            }
        }
    }
}

#[test]
fn pure_crates_know_no_io_and_no_async() {
    for name in ["core", "schedule", "settlement"] {
        let mut sources = Vec::new();
        files(&repository().join("crates").join(name).join("src"), ".rs", &mut sources);
        assert!(!sources.is_empty());
        for source in sources {
            let text = fs::read_to_string(&source).unwrap();
            for word in ["std::fs", "std::net", "std::process", "tokio::", "async fn", "SystemTime"]
            {
                assert!(!text.contains(word), "{} says {word}", source.display());
            }
        }
    }
}

#[test]
fn every_integration_test_file_is_registered() {
    for entry in fs::read_dir(repository().join("crates")).unwrap() {
        let folder = entry.unwrap().path().join("tests/it");
        if !folder.is_dir() {
            continue;
        }
        let main = fs::read_to_string(folder.join("main.rs")).unwrap();
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            let is_module =
                path.extension().is_some_and(|e| e == "rs") || path.join("mod.rs").exists();
            if is_module && stem != "main" {
                assert!(main.contains(&format!("mod {stem};")), "{} is not run", path.display());
            }
        }
    }
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut documents = Vec::new();
    files(&repository(), ".md", &mut documents);
    let mut broken = BTreeSet::new();
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for part in text.split("](").skip(1) {
            let target = part.split([')', ' ']).next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            let is_local =
                !path.is_empty() && !path.contains("://") && !path.starts_with("mailto:");
            if is_local && !document.parent().unwrap().join(path).exists() {
                broken.insert(format!("{} -> {target}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn documents_name_no_machine() {
    let mut documents = Vec::new();
    for ending in [".md", ".rs", ".toml", ".sol", ".mjs", ".json"] {
        files(&repository(), ending, &mut documents);
    }
    let marks = [concat!("/wo", "rk/"), concat!("registry.", "npmjs"), concat!("python", "hosted")];
    for document in documents {
        let text = fs::read_to_string(&document).unwrap_or_default();
        for mark in marks {
            assert!(!text.contains(mark), "{} contains {mark}", document.display());
        }
    }
}
