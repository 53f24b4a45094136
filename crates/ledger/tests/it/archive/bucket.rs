//! Object storage, true and hostile.

use std::fs;
use std::time::Duration;

use gridtally_ledger::{BatchArchive, BatchArchiveError, BucketCredentials, BucketError};
use gridtally_settlement::calldata_hash;

use super::keeps_what_it_has_and_says_what_is_wrong;
use super::storage::{SECRET_KEY, Storage, archive, options};
use crate::hostile::{Hostile, Reply, impatient};

const DATA: &[u8; 10] = b"0123456789";

#[tokio::test]
async fn a_bucket_keeps_what_it_has_and_says_what_is_wrong() {
    let storage = Storage::start().await;
    let whole = archive("s3://batches", storage.options());
    keeps_what_it_has_and_says_what_is_wrong(&whole, &storage.path()).await;
    let deep = archive("s3://batches/a/b", storage.options());
    keeps_what_it_has_and_says_what_is_wrong(&deep, &storage.path().join("a/b")).await;
}

#[tokio::test]
async fn several_hubs_that_write_at_once_do_no_harm() {
    let storage = Storage::start().await;
    let data: Vec<u8> = (0..1_000_u16).flat_map(u16::to_be_bytes).collect();
    let writers = (0..8).map(|_| {
        let (archive, data) = (archive("s3://batches/a", storage.options()), data.clone());
        tokio::spawn(async move { archive.keep_calldata(&data).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
    }
    let archive = archive("s3://batches/a", storage.options());
    assert_eq!(archive.calldata(calldata_hash(&data)).await.unwrap().unwrap(), data);
}

#[tokio::test]
async fn wrong_keys_and_buckets_are_named_and_no_key_is_shown() {
    let storage = Storage::start().await;
    let with_secret = |secret: &str| {
        let credentials = BucketCredentials {
            access_key: super::storage::ACCESS_KEY.to_owned(),
            secret_key: secret.to_owned(),
            session_token: None,
        };
        let credentials = Some(credentials);
        archive(
            "s3://batches",
            gridtally_ledger::BucketOptions { credentials, ..storage.options() },
        )
    };
    let wrong = with_secret("not-the-secret");
    for error in [
        wrong.keep_calldata(DATA).await.unwrap_err(),
        wrong.calldata(calldata_hash(DATA)).await.unwrap_err(),
        wrong.signatures(calldata_hash(DATA), 1, 0).await.unwrap_err(),
    ] {
        let BatchArchiveError::Bucket(BucketError::Denied { code, .. }) = &error else {
            panic!("{error}")
        };
        assert_eq!(code, "SignatureDoesNotMatch");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("secret") && !shown.contains("Signature="), "{shown}");
    }
    assert_eq!(fs::read_dir(storage.path()).unwrap().count(), 0);

    // The server of the tests makes a bucket that is missing; others say so.
    let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 40\r\n\r\n<Error><Code>NoSuchBucket</Code></Error>";
    let (kept, _) = keep(vec![Reply::Raw(missing.as_bytes())]).await;
    let error = kept.unwrap_err();
    assert!(
        matches!(error, BatchArchiveError::Bucket(BucketError::BucketMissing { .. })),
        "{error}"
    );
}

/// Asks a server that answers so, and keeps something there.
async fn keep(script: Vec<Reply>) -> (Result<(), BatchArchiveError>, Hostile) {
    let server = Hostile::start(script);
    let patience = impatient();
    let options = gridtally_ledger::BucketOptions { patience, ..options(&server.address) };
    (archive("s3://batches", options).keep_calldata(DATA).await, server)
}

fn there() -> Reply {
    Reply::Body(String::from_utf8(DATA.to_vec()).unwrap())
}

#[tokio::test]
async fn what_fails_for_a_moment_is_tried_again() {
    let done = || Reply::Body(String::new());
    let absent = || Reply::Status(404);
    for script in [
        vec![absent(), done(), there()],
        vec![Reply::Status(503), absent(), Reply::Drop, done(), Reply::Status(500), there()],
        // Carried out, but the answer was lost: the second attempt meets the first.
        vec![absent(), Reply::Drop, Reply::Status(412), there()],
        // Another writer in the same moment.
        vec![absent(), Reply::Status(409), Reply::Status(412), there()],
        // A store without conditional writes.
        vec![absent(), Reply::Status(501), done(), there()],
    ] {
        let requests = script.len();
        let (kept, server) = keep(script.clone()).await;
        kept.unwrap_or_else(|error| panic!("{script:?}: {error}"));
        assert_eq!(server.requests(), requests, "{script:?}");
    }
}

#[tokio::test]
async fn a_store_that_lies_or_is_silent_is_found() {
    let done = || Reply::Body(String::new());
    let absent = || Reply::Status(404);
    let other = || Reply::Body("0123456780".to_owned());
    for (script, expected) in [
        (vec![other()], "is not what its name says"),
        (vec![absent(), Reply::Status(412), other()], "is not what its name says"),
        (vec![absent(), done(), other()], "is not what its name says"),
        (vec![absent(), done(), Reply::Body(String::new())], "is not what its name says"),
        (vec![absent(), done(), absent()], "an object that was written is not there"),
        (vec![absent(), Reply::Status(507)], "HTTP status 507"),
        (vec![Reply::Status(301)], "HTTP status 301"),
        (vec![absent(), Reply::Status(403)], "refused"),
        (vec![Reply::Status(503)], "HTTP status 503,  (3 attempts)"),
        (vec![Reply::Silence], "no answer within 500 ms (3 attempts)"),
        (vec![Reply::Drop], "is unreachable (3 attempts)"),
        (vec![Reply::Raw(b"\xff\x00 not HTTP")], "is unreachable (3 attempts)"),
    ] {
        let (kept, _) = keep(script.clone()).await;
        let error = kept.unwrap_err().to_string();
        assert!(error.contains(expected), "{script:?}: {error}");
        assert!(!error.contains(SECRET_KEY) && !error.contains("X-Amz"), "{error}");
    }
    // Zeros without end: no more than what may be there is read.
    let read = tokio::time::timeout(Duration::from_secs(5), keep(vec![Reply::Endless])).await;
    let error = read.unwrap().0.unwrap_err();
    assert!(matches!(error, BatchArchiveError::Differs { .. }), "{error}");
}

#[tokio::test]
async fn a_list_that_is_none_is_refused() {
    let ask = async |text: &str| {
        let server = Hostile::start(vec![Reply::Body(text.to_owned())]);
        let archive: BatchArchive = archive("s3://batches/a", options(&server.address));
        archive.signatures(calldata_hash(DATA), 1, 0).await
    };
    let list = |key: &str| {
        format!(
            r#"<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated><Contents><Key>{key}</Key></Contents></ListBucketResult>"#
        )
    };
    assert_eq!(
        ask(&list("x").replace("<Contents><Key>x</Key></Contents>", "")).await.unwrap(),
        Vec::<Vec<u8>>::new()
    );
    for text in ["", "{}", "<html>", "\u{0}", &list("x"), &list("a/../../x"), &list("a/b")] {
        let error = ask(text).await.unwrap_err();
        assert!(
            matches!(error, BatchArchiveError::Bucket(BucketError::AnswerInvalid { .. })),
            "{text}: {error}"
        );
    }
}
