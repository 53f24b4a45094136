//! Manifests of runs, as JSON: one that is read is written and read again, and keeps its name.

use gridtally_settlement::RunManifest;

pub(crate) fn decode(bytes: &[u8]) {
    let Ok(manifest) = serde_json::from_slice::<RunManifest>(bytes) else { return };
    let written = serde_json::to_vec(&manifest).expect("a manifest can be written");
    let again: RunManifest = serde_json::from_slice(&written).expect("what was written is read");
    assert_eq!(again, manifest);
    assert_eq!(again.id(), manifest.id());
    assert!(manifest.canonical().is_ascii());
}
