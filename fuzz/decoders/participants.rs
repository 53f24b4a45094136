//! The list of parties and metering points, as TOML.

use gridtally_aggregator::store::ParticipantBook;

pub(crate) fn decode(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(book) = toml::from_str::<ParticipantBook>(text) else { return };
    let written = toml::to_string(&book).expect("a list can be written");
    assert_eq!(toml::from_str::<ParticipantBook>(&written).as_ref(), Ok(&book));
    assert!(book.check_follows(&book).is_ok());
}
