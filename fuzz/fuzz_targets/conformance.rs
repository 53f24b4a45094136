//! Vector and oracle documents. The binary has no library, so its module is taken in here.
#![no_main]

#[path = "../../crates/cli/src/conformance/mod.rs"]
mod conformance;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(report) = conformance::check(bytes) {
        assert!(report.checks > 0);
        assert!(report.failed.len() <= report.failed_count);
    }
});
