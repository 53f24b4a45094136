//! Where blobs are found, and that nobody who has them is believed.

use alloy_primitives::{B256, hex};
use gridtally_ledger::{BeaconNode, BlobSource, BlobSourceError, EndpointOptions};
use gridtally_settlement::{BLOB_LENGTH, BlobBytes, versioned_hashes};

use crate::hostile::{Hostile, Reply, impatient};

/// A blob of zeros with one byte that differs.
pub(crate) fn blob(byte: u8) -> BlobBytes {
    let mut blob = vec![0; BLOB_LENGTH];
    blob[31] = byte;
    blob.try_into().expect("the length of a blob")
}

pub(crate) fn hash(blob: &BlobBytes) -> B256 {
    versioned_hashes(std::slice::from_ref(blob)).expect("elements of the field")[0]
}

fn body(text: impl Into<String>) -> Reply {
    Reply::Body(text.into())
}

fn data(blobs: &[String]) -> Reply {
    body(format!(r#"{{"execution_optimistic":false,"finalized":true,"data":{blobs:?}}}"#))
}

/// Asks a beacon node that answers so for the blobs of a block 600 s after its start.
async fn ask(
    mut script: Vec<Reply>,
    hashes: &[B256],
) -> Result<Option<Vec<BlobBytes>>, BlobSourceError> {
    let genesis = body(r#"{"data":{"genesis_time":"1000","genesis_fork_version":"0x00000000"}}"#);
    let spec = body(r#"{"data":{"SECONDS_PER_SLOT":"12","SLOTS_PER_EPOCH":"32"}}"#);
    script.splice(0..0, [genesis, spec]);
    let server = Hostile::start(script);
    let options = EndpointOptions { answer_bytes_max: 1 << 20, ..impatient() };
    let node = BeaconNode::new(&server.address, options).expect("an address");
    BlobSource::Beacon(node).blobs(hashes, 1_600).await
}

#[tokio::test]
async fn blobs_come_in_the_order_in_which_they_are_named() {
    let (one, two) = (blob(1), blob(2));
    let hashes = [hash(&two), hash(&one)];
    let answer = data(&[hex::encode_prefixed(&one[..]), hex::encode_prefixed(&two[..])]);
    assert_eq!(ask(vec![answer], &hashes).await.unwrap(), Some(vec![two, one]));
}

#[tokio::test]
async fn blobs_that_are_gone_are_no_error() {
    let named = [hash(&blob(1))];
    for reply in [Reply::Status(404), data(&[])] {
        assert_eq!(ask(vec![reply], &named).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_node_that_lies_is_found() {
    let wanted = [hash(&blob(1))];
    let text = hex::encode_prefixed(&blob(2)[..]);
    let mut above_the_field = blob(1);
    above_the_field[..32].fill(0xff);
    let answers = [
        data(std::slice::from_ref(&text)),
        data(&[text[..text.len() - 2].to_owned()]),
        data(&[format!("{text}00")]),
        data(&[hex::encode_prefixed(&above_the_field[..])]),
        data(&vec!["0x".to_owned(); 200]),
    ];
    for answer in answers {
        let error = ask(vec![answer], &wanted).await.unwrap_err();
        assert!(
            matches!(error, BlobSourceError::Differs { hash, .. } if hash == wanted[0]),
            "{error}"
        );
    }
    let no_answers = [body("[]"), body("{}"), body(r#"{"data":7}"#), body(r#"{"data":["0xzz"]}"#)];
    for answer in no_answers {
        let error = ask(vec![answer], &wanted).await.unwrap_err();
        assert!(error.to_string().contains("gave no valid answer to getBlobs"), "{error}");
    }
    for reply in [Reply::Drop, Reply::Silence, Reply::Endless, Reply::Status(500)] {
        let error = ask(vec![reply], &wanted).await.unwrap_err();
        assert!(matches!(error, BlobSourceError::Endpoint(_)), "{error}");
    }
}

#[tokio::test]
async fn slots_that_make_no_sense_are_refused() {
    let genesis = |time: &str| body(format!(r#"{{"data":{{"genesis_time":"{time}"}}}}"#));
    let spec = |slot: &str| body(format!(r#"{{"data":{{"SLOT_DURATION_MS":"{slot}"}}}}"#));
    let cases = [
        (genesis("soon"), spec("1000")),
        (genesis("-1"), spec("1000")),
        (genesis("0"), spec("0")),
        (genesis("0"), spec("18446744073709551616")),
        (genesis("0"), body(r#"{"data":{}}"#)),
    ];
    for (genesis, spec) in cases {
        let server = Hostile::start(vec![genesis, spec]);
        let node = BeaconNode::new(&server.address, impatient()).unwrap();
        let error = BlobSource::Beacon(node).blobs(&[B256::ZERO], 5).await.unwrap_err();
        assert!(matches!(error, BlobSourceError::SlotsInvalid { .. }), "{error}");
    }
    // A block from before the beacon chain has no blobs.
    let server = Hostile::start(vec![genesis("1000"), spec("12000")]);
    let node = BeaconNode::new(&server.address, impatient()).unwrap();
    assert_eq!(BlobSource::Beacon(node).blobs(&[B256::ZERO], 5).await.unwrap(), None);
}
