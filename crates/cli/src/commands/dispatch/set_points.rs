//! Set-points as a table that a controller reads and writes.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use gridtally_schedule::fleet::dispatch::{Record, SetPoint, Status};
use gridtally_schedule::fleet::{Fleet, FleetDevice};

use crate::error::{Blame, CommandError};
use crate::input::read_bounded;

/// Largest table that is read, in bytes after unpacking.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// The columns, in order. The name says to people what kind and number say.
const COLUMNS: [&str; 8] =
    ["device", "number", "from", "until", "power_kw", "version", "status", "name"];

/// Writes every set-point of a record, those of a device beside each other.
pub(super) fn write(path: &Path, fleet: &Fleet, record: &Record) -> Result<(), CommandError> {
    let write = || -> std::io::Result<()> {
        let mut out = csv::Writer::from_writer(BufWriter::new(File::create(path)?));
        out.write_record(COLUMNS)?;
        for (device, set_point) in record.iter() {
            let (kind, number) = device.word();
            let SetPoint { from, until, power_kw, version, status } = set_point;
            out.write_record([
                kind,
                &number.to_string(),
                &from.to_string(),
                &until.to_string(),
                &format!("{power_kw:.6}"),
                &version.to_string(),
                &status.to_string(),
                &fleet.names.device(device),
            ])?;
        }
        out.flush()
    };
    write().with_context(|| format!("cannot write {}", path.display())).or_environment()
}

/// Reads what [`write()`] wrote, also with statuses that have moved on.
pub(super) fn read(path: &Path, fleet: &Fleet) -> Result<Record, CommandError> {
    let content = read_bounded(path, FILE_BYTES_MAX)?;
    let shown = path.display();
    let mut reader = csv::Reader::from_reader(content.as_slice());
    let header = reader.headers().with_context(|| format!("{shown} is no table")).or_refused()?;
    if !header.iter().eq(COLUMNS) {
        let expected = COLUMNS.join(",");
        return Err(CommandError::refused(anyhow!("{shown}: line 1: the columns are {expected}")));
    }
    let mut set_points = Vec::new();
    for (i, row) in reader.records().enumerate() {
        // The line after the header is the second.
        let line = i + 2;
        let row = row.with_context(|| format!("{shown}: line {line}")).or_refused()?;
        let set_point = parse(&row).ok_or_else(|| {
            let message = "a value is not what its column asks for; set-points are written by gridtally dispatch --set-points";
            CommandError::refused(anyhow!("{shown}: line {line}: {message}"))
        })?;
        set_points.push(set_point);
    }
    Record::new(fleet, set_points, |i| format!("line {}", i + 2)).map_err(|refused| {
        CommandError::refused(anyhow::Error::new(refused).context(shown.to_string()))
    })
}

fn parse(row: &csv::StringRecord) -> Option<(FleetDevice, SetPoint)> {
    let device = FleetDevice::of_word(&row[0], row[1].parse().ok()?)?;
    let set_point = SetPoint {
        from: row[2].parse().ok()?,
        until: row[3].parse().ok()?,
        power_kw: row[4].parse().ok()?,
        version: row[5].parse().ok()?,
        status: Status::of_word(&row[6])?,
    };
    Some((device, set_point))
}
