//! The section of a sealed batch as somebody else wrote it: read or refused, and what is shown is what the document says.

use gridtally_settlement::{KnownSection, SectionFile};

pub(crate) fn decode(bytes: &[u8]) {
    let Ok(file) = serde_json::from_slice::<SectionFile>(bytes) else { return };
    if let Ok(read) = file.read() {
        assert_eq!(read.section.leaves.len(), file.records.len());
        assert_eq!(read.signatures.len(), file.records.len());
        // Whatever was written, opening it ends, and what is in the batch opens.
        let is_there = read.section.check(&read.header).is_ok();
        let known = KnownSection::from(&read.section);
        for place in 0..known.leaves.len().min(4) {
            let opened = known.open(place, read.header.count);
            assert!(!is_there || opened.is_some_and(|leaf| read.header.has_record(&leaf)));
        }
    }
    if let Ok(checked) = file.check() {
        assert_eq!(checked.section.account.participant.0, file.participant);
        assert!(checked.header.has_account(&KnownSection::from(&checked.section).account));
    }
    let again = serde_json::to_vec(&file).expect("a document can be written");
    assert!(serde_json::from_slice::<SectionFile>(&again).is_ok_and(|again| again == file));
}
