//! A writer is killed at any moment; what it had acknowledged is there.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use gridtally_aggregator::store::Store;
use gridtally_core::meter::Channel;

use crate::world::{add_readings, book, create, faults, now};

/// Tells the child where to write.
const FOLDER_VARIABLE: &str = "GRIDTALLY_TEST_KILL_FOLDER";
/// Readings of each import of the child.
const ROWS: usize = 40;

/// What the child does when it is started by the other test: writes until it is killed. Without a folder it writes a few
/// times into its own.
#[test]
fn a_writer_acknowledges_one_import_after_another() {
    let own = tempfile::tempdir().unwrap();
    let (folder, count) = match std::env::var_os(FOLDER_VARIABLE) {
        Some(folder) => (folder.into(), i64::MAX),
        None => {
            create(own.path()).set_participants(&book(), now()).unwrap();
            (own.path().to_owned(), 5)
        }
    };
    let mut store = Store::open(&folder).unwrap();
    let first = value(&folder);
    for value in (first..).take_while(|value| *value < first.saturating_add(count)) {
        let added =
            add_readings(&mut store, "home_1", Channel::Import, &[value + 1; ROWS]).unwrap();
        assert_eq!(added.new_count + added.changed_count, ROWS as u64);
        println!("acknowledged {}", value + 1);
    }
    assert_eq!(value(&folder), count);
}

/// Returns the value that all readings have, 0 where there are none. An import is there as a whole or not at all.
fn value(folder: &Path) -> i64 {
    let view = gridtally_aggregator::store::StoreView::open(folder).unwrap();
    let text = crate::world::readings_text(&view);
    let values: Vec<i64> =
        text.lines().map(|line| line.split_whitespace().nth(3).unwrap().parse().unwrap()).collect();
    assert!(values.is_empty() || values.len() == ROWS);
    let first = values.first().copied().unwrap_or(0);
    assert!(values.iter().all(|&value| value == first), "half an import: {values:?}");
    first
}

#[test]
fn a_killed_writer_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path()).set_participants(&book(), now()).unwrap();
    for round in 0..20_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "kill::a_writer_acknowledges_one_import_after_another",
                "--nocapture",
            ])
            .env(FOLDER_VARIABLE, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = 0;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Another number of imports each time, and the kill falls anywhere into the next one.
        for _ in 0..=(round * 7 % 11) {
            let line = lines.find(|line| line.as_ref().unwrap().contains("acknowledged "));
            let line = line.expect("the child writes until it is killed").unwrap();
            acknowledged = line.rsplit(' ').next().unwrap().parse().unwrap();
        }
        for _ in 0..round * 20_000 {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines {
            if let Some(("", value)) = line.unwrap().split_once("acknowledged ") {
                acknowledged = value.parse().unwrap();
            }
        }
        drop(Store::open(folder.path()).unwrap());
        let found = value(folder.path());
        assert!(found == acknowledged || found == acknowledged + 1, "{found} {acknowledged}");
        assert_eq!(faults(folder.path()), Vec::<String>::new());
    }
}
