//! A folder.

use gridtally_ledger::BatchArchive;

use super::keeps_what_it_has_and_says_what_is_wrong;

#[tokio::test]
async fn a_folder_keeps_what_it_has_and_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("batches");
    keeps_what_it_has_and_says_what_is_wrong(&BatchArchive::new(&path), &path).await;
}
