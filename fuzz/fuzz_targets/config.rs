//! The configuration file. The binary has no library, so its module is taken in here.
#![no_main]

#[path = "../../crates/cli/src/config/mod.rs"]
mod config;

use std::fs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let path = folder.path().join(config::FILE_NAME);
    fs::write(&path, bytes).expect("the folder can be written");
    if let Ok(settings) = config::Settings::load(Some(&path), []) {
        let _config = config::Config::new(&settings);
    }
});
