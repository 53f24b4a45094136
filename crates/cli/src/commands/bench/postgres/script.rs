//! Their side: what psql is given.
//!
//! Each period is a transaction, as each of our batches is a file: its readings are copied into a table of their own, without
//! any index, then priced and summed in one statement. That is the fastest of the usual ways: nothing is sought, nothing is
//! scanned twice, and all sums of a statement follow one order.

use std::fmt::Write as _;
use std::io::{BufWriter, Seek as _, Write as _};

use anyhow::Context as _;

use crate::commands::bench::settlement::{CODES, SLOTS, rows, table};
use gridtally_core::period::Slot;

use super::batches::{HOUSEHOLDS, OPENING_MICRO, line};

/// Memory of a session for sorting; the usual 4 MB would send each period through files.
const WORK_MEMORY: &str = "64MB";

/// Asks for all balances by participant number, the hub's first.
pub(super) const BALANCES: &str = "select balance from accounts order by participant;";

/// Returns the statements that make a ledger where nothing was settled.
pub(super) fn fresh() -> String {
    let table = table();
    let price = |code, slot| table.price(code, Slot(slot)).map(|price| price.micro_per_kwh());
    let mut sql = "
        drop schema public cascade;
        create schema public;
        create table prices (
            code smallint, slot smallint, price integer not null, primary key (code, slot)
        );
        create table accounts (participant integer primary key, balance bigint not null);
        create table records (
            period integer not null, participant integer not null, code smallint not null,
            slot smallint not null, value integer not null, amount bigint not null,
            balance_after bigint not null, hub_after bigint not null
        );
    "
    .to_owned();
    for code in CODES {
        for (slot, price) in (0..SLOTS).filter_map(|slot| Some((slot, price(code, slot)?))) {
            let row = format!("({}, {slot}, {price})", code.number());
            sql.push_str(&format!("insert into prices values {row};\n"));
        }
    }
    let _infallible = write!(
        sql,
        "insert into accounts select number, {OPENING_MICRO} from generate_series(0, {HOUSEHOLDS}) number;
        analyze; checkpoint;"
    );
    sql
}

/// Writes the statements that settle so many periods, with their readings.
///
/// # Errors
///
/// When there is no place for the file.
pub(super) fn write(periods: u32) -> anyhow::Result<std::fs::File> {
    let file = tempfile::tempfile().context("cannot write what PostgreSQL is to read")?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    writeln!(out, "set work_mem = '{WORK_MEMORY}';")?;
    for period in 1..=periods {
        writeln!(
            out,
            "begin;
            create table readings_{period} (
                participant integer not null, code smallint not null, slot smallint not null,
                quality smallint not null, value integer not null
            );
            copy readings_{period} from stdin;"
        )?;
        for row in rows(period, HOUSEHOLDS) {
            out.write_all(line(&row).as_bytes())?;
        }
        writeln!(out, "\\.")?;
        writeln!(
            out,
            "with hub as (select balance from accounts where participant = 0),
            priced as (
                select participant, code, slot, value,
                    value::bigint * price / 1000 * (case when code < 32 then 1 else -1 end) as amount
                from readings_{period} join prices using (code, slot)
            ),
            settled as (
                insert into records
                select {period}, participant, code, slot, value, amount,
                    balance + sum(amount) over (
                        partition by participant order by code, slot rows unbounded preceding),
                    (select balance from hub) - sum(amount) over (
                        order by participant, code, slot rows unbounded preceding)
                from priced join accounts using (participant)
                returning participant, amount
            ),
            moved as (
                select participant, sum(amount) as amount from settled group by participant
                union all select 0, -sum(amount) from settled
            )
            update accounts set balance = balance + moved.amount
            from moved where moved.participant = accounts.participant;
            commit;"
        )?;
    }
    let mut file = out.into_inner().map_err(|error| error.into_error())?;
    file.rewind()?;
    Ok(file)
}

/// Reads the answer to [`BALANCES`].
///
/// # Errors
///
/// When a line is no number.
pub(super) fn balances(answer: &str) -> anyhow::Result<Vec<i64>> {
    let number = |line: &str| line.parse().with_context(|| format!("not a balance: {line:?}"));
    answer.lines().map(number).collect()
}
