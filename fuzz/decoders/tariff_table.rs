//! Tariff tables as they are published: two bytes for the number of slots, then the table.

use gridtally_settlement::TariffTable;

pub(crate) fn decode(bytes: &[u8]) {
    let Some((slots, table)) = bytes.split_first_chunk() else { return };
    if let Ok(read) = TariffTable::unpack(u16::from_be_bytes(*slots), table) {
        assert_eq!(read.pack(), table);
        for code in read.codes() {
            assert_eq!(read.row(code).map(<[_]>::len), Some(read.slots().into()));
        }
    }
}
