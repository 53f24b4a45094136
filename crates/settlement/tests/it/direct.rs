//! Direct records against hand-made bytes.

use expect_test::expect;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_settlement::{Code, DirectRecord, DirectRecordError, Record};

#[test]
fn a_record_against_the_hub_becomes_direct_by_its_code() {
    let direct = |code: u8| {
        let code = Code::new(code).unwrap();
        let record = Record::new(ParticipantNumber(7), code, Slot(95), -1).unwrap();
        DirectRecord::of_record(SettlementPeriod(20), 2, &record)
    };
    let parties = |code| direct(code).map(|record| (record.from.0, record.to.0));
    assert_eq!(parties(0), None);
    assert_eq!(parties(1), Some((0, 7)));
    assert_eq!(parties(31), Some((0, 7)));
    assert_eq!(parties(32), Some((7, 0)));
    assert_eq!(parties(62), Some((7, 0)));
    assert_eq!(parties(63), None);
    assert_eq!(direct(1).unwrap().signing_party(), Some(ParticipantNumber(7)));
    assert_eq!(direct(32).unwrap().signing_party(), Some(ParticipantNumber(7)));
    expect!["0000000700000000000000140002005f20ffffffff"]
        .assert_eq(&hex::encode(direct(32).unwrap().pack()));
}

#[test]
fn bytes_that_are_no_direct_record_are_refused() {
    assert_eq!(DirectRecord::unpack(&[0; 20]), Err(DirectRecordError::Length(20)));
    assert_eq!(DirectRecord::unpack(&[0; 22]), Err(DirectRecordError::Length(22)));
    let mut bytes = [0; 21];
    bytes[16] = 64;
    assert_eq!(DirectRecord::unpack(&bytes), Err(DirectRecordError::Code(64)));
}
