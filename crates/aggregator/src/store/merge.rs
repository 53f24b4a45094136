//! Many tables read as one, ascending, the newest version of each row.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

use super::error::StoreError;
use super::journal::TableFile;
use super::names::Names;
use super::row::RowText;
use super::table::TableReader;

/// The rows of many tables by ascending start, the newest version of each. Only tables that overlap in time are open at once.
#[derive(Debug)]
pub(super) struct Merge<'a, R> {
    folder: &'a Path,
    names: &'a Names,
    /// Tables that are not open yet with their place in the journal, the earliest last.
    waiting: Vec<(usize, &'a TableFile)>,
    open: Vec<Option<(TableReader<R>, R)>>,
    order: BinaryHeap<Reverse<Next>>,
    places_free: Vec<usize>,
}

/// Key of the next row of an open table; of equal keys the later version comes first; then the table's place in `open`.
type Next = ((i64, u32, u8), Reverse<usize>, usize);

impl<'a, R: RowText> Merge<'a, R> {
    /// Merges tables that are given in the order of the journal.
    pub(super) fn new(
        folder: &'a Path,
        names: &'a Names,
        tables: impl IntoIterator<Item = &'a TableFile>,
    ) -> Self {
        let mut waiting: Vec<_> = tables.into_iter().enumerate().collect();
        waiting.sort_by_key(|(_, table)| Reverse(table.from));
        let (open, order, places_free) = (Vec::new(), BinaryHeap::new(), Vec::new());
        Self { folder, names, waiting, open, order, places_free }
    }

    /// Returns the next row.
    pub(super) fn next(&mut self) -> Result<Option<R>, StoreError> {
        self.open_due()?;
        let Some(Reverse((key, _, _))) = self.order.peek().copied() else { return Ok(None) };
        let mut newest = None;
        while let Some(&Reverse((next, Reverse(version), place))) = self.order.peek() {
            if next != key {
                break;
            }
            self.order.pop();
            let row = self.advance(version, place)?;
            newest.get_or_insert(row);
        }
        Ok(newest)
    }

    /// Opens the tables in which the next row can stand.
    fn open_due(&mut self) -> Result<(), StoreError> {
        while let Some(&(version, table)) = self.waiting.last() {
            let next_s = self.order.peek().map(|Reverse(((start_s, _, _), _, _))| *start_s);
            if next_s.is_some_and(|next_s| next_s < table.from.as_second()) {
                break;
            }
            self.waiting.pop();
            let mut reader = TableReader::open(self.folder, &table.file)?;
            if let Some(row) = reader.next(self.names)? {
                let place = self.places_free.pop().unwrap_or_else(|| {
                    self.open.push(None);
                    self.open.len() - 1
                });
                self.open[place] = Some((reader, row));
                self.order.push(Reverse((row.key(), Reverse(version), place)));
            }
        }
        Ok(())
    }

    /// Takes the row of an open table and goes on to its next one.
    fn advance(&mut self, version: usize, place: usize) -> Result<R, StoreError> {
        let (reader, row) = self.open[place].as_mut().expect("an ordered table is open");
        let taken = *row;
        match reader.next(self.names)? {
            Some(next) => {
                *row = next;
                self.order.push(Reverse((next.key(), Reverse(version), place)));
            }
            None => {
                self.open[place] = None;
                self.places_free.push(place);
            }
        }
        Ok(taken)
    }
}
