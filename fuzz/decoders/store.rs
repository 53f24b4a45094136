//! A store that somebody else wrote. The input is the journal, one entry a line, without its digests, which are made to
//! fit; after a line with a hyphen comes what stands in every file that the journal names, but for the settings.

use std::fs;
use std::sync::OnceLock;

use gridtally_aggregator::store::{Digest, Settings, Store, StoreView};
use gridtally_core::calendar::Zone;
use gridtally_core::period::SettlementCalendar;
use gridtally_core::quantity::Currency;
use jiff::Timestamp;

pub(crate) fn decode(bytes: &[u8]) {
    let parts = bytes.windows(3).position(|part| part == b"\n-\n");
    let (journal, content) = match parts {
        Some(end) => (&bytes[..end], &bytes[end + 3..]),
        None => (bytes, &[][..]),
    };
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let (settings, content_of_settings) = settings();
    fs::write(folder.path().join(settings), content_of_settings)
        .expect("the folder can be written");
    let mut text = Vec::new();
    let mut previous = Digest::ZERO;
    for body in journal.split(|&byte| byte == b'\n') {
        previous = Digest::of(&[previous.to_string().as_bytes(), b" ", body].concat());
        text.extend_from_slice(previous.to_string().as_bytes());
        text.extend_from_slice(&[b" ", body, b"\n"].concat());
    }
    fs::write(folder.path().join("journal"), text).expect("the folder can be written");
    if let Ok(view) = StoreView::open(folder.path()) {
        let named = view.lines().iter().flat_map(|line| line.entry.content.files());
        for file in named.filter(|file| file.path != *settings) {
            let path = folder.path().join(&file.path);
            fs::create_dir_all(path.parent().expect("it is in the folder"))
                .expect("it can be made");
            fs::write(path, content).expect("the folder can be written");
        }
        ask(&view);
        drop(view);
        let _writer = Store::open(folder.path());
    }
}

/// Returns name and content of the settings of a new store.
fn settings() -> &'static (String, Vec<u8>) {
    static FILE: OnceLock<(String, Vec<u8>)> = OnceLock::new();
    FILE.get_or_init(|| {
        let genesis = Timestamp::from_second(1_767_225_600).expect("it is in range");
        let calendar = SettlementCalendar::new(genesis, 14_400, 4).expect("it is valid");
        let zone = Zone::new("Europe/Oslo").expect("it is in the database");
        let settings = Settings::new(Currency::EUR, zone, calendar);
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let store = Store::create(folder.path(), &settings, genesis).expect("it can be created");
        let mut files = store.view().lines().iter().flat_map(|line| line.entry.content.files());
        let path = files.next().expect("the settings are a file").path.clone();
        let content = fs::read(folder.path().join(&path)).expect("it was created");
        (path, content)
    })
}

/// Asks for everything that a store can be asked for.
fn ask(view: &StoreView) {
    let _check = view.check(&mut |_| {});
    let (from, until, as_of) = (Timestamp::MIN, Timestamp::MAX, view.last());
    let _rows = view.readings(from, until, as_of).take(1_000).filter(Result::is_ok).count();
    let _rows = view.prices(from, until, as_of).take(1_000).filter(Result::is_ok).count();
    for shift_s in [0, 604_800, -604_800 * 500] {
        let _prices = view.spot_prices(from, until, as_of, shift_s);
    }
    let _book = view.participants(as_of);
    for (_, file) in view.tariff_lines(as_of).values() {
        let _tariff = view.tariff(file);
    }
    let _deployment = view.deployment();
    for (_, run) in view.runs() {
        let _line = view.run_line(run.id);
    }
}
