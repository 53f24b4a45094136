//! What metering points counted in one slot, and what of it was exchanged with the grid.

use std::collections::BTreeMap;

use gridtally_core::meter::Channel;
use gridtally_core::party::ParticipantNumber;
use gridtally_settlement::{Code, EstimatedPolicy, Gap, SlotEnergy, SlotEnergyError};
use jiff::Timestamp;

use crate::store::{Metering, ParticipantBook, ReadingRow};

/// What all metering points counted in one slot.
#[derive(Debug)]
pub(super) struct PointSlots {
    start: Timestamp,
    slot_length_s: u32,
    points: Vec<Point>,
}

/// One metering point.
#[derive(Debug)]
struct Point {
    participant: ParticipantNumber,
    metering: Metering,
    since: Option<Timestamp>,
    import: Counted,
    export: Counted,
}

/// What one channel counted so far: shorter readings are added up.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    energy_wh: i64,
    covered_s: i64,
    gap: Option<Gap>,
}

/// What a slot settles: by participant and code.
pub(super) type Exchange = BTreeMap<(ParticipantNumber, Code), SlotEnergy>;

impl PointSlots {
    pub(super) fn new(book: &ParticipantBook) -> Self {
        let points = book.metering_points().iter().zip(book.owners());
        let points = points.map(|(point, participant)| Point {
            participant,
            metering: point.metering,
            since: point.since,
            import: Counted::default(),
            export: Counted::default(),
        });
        Self { start: Timestamp::MIN, slot_length_s: 0, points: points.collect() }
    }

    /// Forgets what was counted, for the slot that starts then.
    pub(super) fn clear(&mut self, start: Timestamp, slot_length_s: u32) {
        self.start = start;
        self.slot_length_s = slot_length_s;
        for point in &mut self.points {
            (point.import, point.export) = (Counted::default(), Counted::default());
        }
    }

    /// Adds a reading of the metering point at a place of the book.
    pub(super) fn add(
        &mut self,
        place: usize,
        row: &ReadingRow,
        estimated: EstimatedPolicy,
    ) -> Result<(), SlotEnergyError> {
        let energy = SlotEnergy::of_reading(row.energy, row.quality, estimated)?;
        let point = &mut self.points[place];
        let counted = match row.channel {
            Channel::Import => &mut point.import,
            Channel::Export => &mut point.export,
        };
        match energy.settled() {
            Ok(energy_wh) => counted.energy_wh += i64::from(energy_wh),
            Err(gap) => counted.gap = counted.gap.or(Some(gap)),
        }
        counted.covered_s += row.resolution.duration_seconds();
        Ok(())
    }

    /// Returns what each participant exchanged with the grid: the sum of its metering points that count then. Where one of
    /// them has a gap, the sum has it.
    ///
    /// # Errors
    ///
    /// Names the place of the metering point with which a sum does not fit a record any more.
    pub(super) fn exchange(&self) -> Result<Exchange, (usize, SlotEnergyError)> {
        let mut exchange = Exchange::new();
        let counting = self.points.iter().enumerate();
        let counting =
            counting.filter(|(_, point)| point.since.is_none_or(|since| since <= self.start));
        for (place, point) in counting {
            let (import, export) = point.exchange(self.slot_length_s);
            for (code, energy) in [(Code::CONSUMPTION, Some(import)), (Code::FEED_IN, export)] {
                let Some(energy) = energy else { continue };
                let key = (point.participant, code);
                let before = exchange.get(&key).map_or(Ok(0), |sum| sum.settled());
                let sum = match (before, energy) {
                    (Ok(before_wh), Ok(energy_wh)) => {
                        let sum = SlotEnergy::from_wh(i64::from(before_wh) + energy_wh);
                        sum.map_err(|error| (place, error))?
                    }
                    (Err(gap), _) | (_, Err(gap)) => SlotEnergy::gap(gap),
                };
                exchange.insert(key, sum);
            }
        }
        Ok(exchange)
    }
}

impl Point {
    /// Returns what was drawn and, where it can be, what was fed in.
    fn exchange(&self, slot_length_s: u32) -> (Result<i64, Gap>, Option<Result<i64, Gap>>) {
        let (import, export) =
            (self.import.energy_wh(slot_length_s), self.export.energy_wh(slot_length_s));
        match self.metering {
            Metering::Import => (import, None),
            Metering::ImportExport => (import, Some(export)),
            Metering::Gross => match (import, export) {
                (Ok(consumption_wh), Ok(generation_wh)) => {
                    let net_wh = consumption_wh - generation_wh;
                    (Ok(net_wh.max(0)), Some(Ok((-net_wh).max(0))))
                }
                (Err(gap), _) | (_, Err(gap)) => (Err(gap), Some(Err(gap))),
            },
        }
    }
}

impl Counted {
    /// Returns the energy of a slot, or why there is none: a part of it is missing, say.
    fn energy_wh(self, slot_length_s: u32) -> Result<i64, Gap> {
        match self.gap {
            Some(gap) => Err(gap),
            None if self.covered_s < i64::from(slot_length_s) => Err(Gap::Missing),
            None => Ok(self.energy_wh),
        }
    }
}
