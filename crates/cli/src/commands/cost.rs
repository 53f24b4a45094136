//! `gridtally cost`: what a day of records costs, from measured gas.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::ValueEnum;
use gridtally_core::decimal::parse_scaled;
use gridtally_core::rounding::divide_half_away;
use gridtally_settlement::{BLOBS_MAX, CALLDATA_RECORDS_MAX};
use serde::Serialize;

use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::output::Report;
use crate::output::number::{counted, decimal_rounded, grouped};
use crate::output::table::{Align, Table};

use self::gas::{Gas, Way};
use self::picture::{Bar, Picture};

mod gas;
mod picture;

/// Columns of a terminal that everybody has.
const COLUMNS_MAX: usize = 100;
/// The same in the small print of the picture.
const PICTURE_COLUMNS: usize = 165;
const ONE_BY_ONE: &str = "one by one";
const PACKED: &str = "packed";
/// What a record should cost less than: a tenth of a cent.
const MICRO_USD_AIM: u64 = 1_000;

/// Say what a day of settlement records costs, one by one, packed and in batches, from measured gas
///
/// Without gas and ETH prices it shows every preset.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Households that settle
    #[arg(long, default_value_t = 30, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    households: u64,
    /// Records of each household in a day: 96 are quarter-hours
    #[arg(long, default_value_t = 96, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    records: u64,
    /// Known gas and ETH prices
    #[arg(long, value_enum, value_name = "NAME", conflicts_with_all = ["gas_price_gwei", "eth_usd"])]
    preset: Option<Preset>,
    /// Price of a unit of gas in gwei, a decimal number
    #[arg(long, value_name = "GWEI", requires = "eth_usd", value_parser = gwei, allow_negative_numbers = true)]
    gas_price_gwei: Option<u64>,
    /// Price of a unit of blob gas in gwei, a decimal number [default: a sixteenth of the gas price, the floor of EIP-7918]
    #[arg(long, value_name = "GWEI", value_parser = gwei, allow_negative_numbers = true)]
    blob_price_gwei: Option<u64>,
    /// Price of an ether in US dollars, a decimal number
    #[arg(long, value_name = "USD", requires = "gas_price_gwei", value_parser = usd, allow_negative_numbers = true)]
    eth_usd: Option<u64>,
    /// What all servers of a private chain cost in a month, in US dollars: 200 are four at 50
    #[arg(long, default_value = "200", value_name = "USD", value_parser = usd, allow_negative_numbers = true)]
    private_usd_month: u64,
    /// Draw the comparison into this file, as SVG; without prices, of the first preset
    #[arg(long, value_name = "FILE.svg", value_parser = crate::arguments::svg_file)]
    picture: Option<PathBuf>,
}

/// Gas and ETH prices that people argue about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Preset {
    /// 20 gwei, USD 2,500: the mean transaction fee of June 2021, USD 4, buys 80,000 gas
    #[value(name = "june-2021-mean")]
    June2021Mean,
    /// 76.2 gwei, USD 2,500: USD 4 buys a bare transfer of ether, 21,000 gas
    #[value(name = "june-2021-strict")]
    June2021Strict,
    /// 1 gwei, USD 2,500: Ethereum in 2025 and 2026, conservative
    #[value(name = "2026")]
    Year2026,
    /// 0.005 gwei, USD 2,500: execution on a rollup; its data fee is not in it
    #[value(name = "rollup")]
    Rollup,
}

/// What gas costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Market {
    name: String,
    /// Wei for a unit of gas.
    gas_price_wei: u64,
    /// Wei for a unit of blob gas; nothing where there are no blobs.
    blob_price_wei: Option<u64>,
    /// Micro-dollars for an ether.
    eth_micro_usd: u64,
}

impl Market {
    /// Returns the known markets.
    pub(crate) fn presets() -> impl Iterator<Item = Self> {
        Preset::value_variants().iter().copied().map(Self::preset)
    }

    /// Returns what people call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns it in words: its name and its prices.
    fn said(&self) -> String {
        let gwei = |wei: u64| trimmed(&decimal_rounded(i128::from(wei), 9, 9)).to_owned();
        let blobs = self
            .blob_price_wei
            .map_or_else(String::new, |wei| format!(", blob gas {} gwei", gwei(wei)));
        let eth_usd = decimal_rounded(i128::from(self.eth_micro_usd), 6, 6);
        format!(
            "{}: {} gwei{blobs}, ETH at USD {}",
            self.name,
            gwei(self.gas_price_wei),
            trimmed(&eth_usd)
        )
    }

    fn preset(preset: Preset) -> Self {
        let gas_price_wei = match preset {
            Preset::June2021Mean => 20_000_000_000,
            Preset::June2021Strict => 76_200_000_000,
            Preset::Year2026 => 1_000_000_000,
            Preset::Rollup => 5_000_000,
        };
        let name = preset.to_possible_value().expect("no preset is skipped").get_name().to_owned();
        let has_blobs = preset != Preset::Rollup;
        let blob_price_wei = has_blobs.then(|| blob_price_floor_wei(gas_price_wei));
        Self { name, gas_price_wei, blob_price_wei, eth_micro_usd: 2_500_000_000 }
    }

    /// Returns what gas and blob gas cost, in micro-dollars, half away from zero; nothing where there are no blobs.
    fn with_blobs_micro_usd_rounded(&self, gas: u64, blob_gas: u64) -> Option<i128> {
        let blob_price_wei = if blob_gas == 0 { 0 } else { self.blob_price_wei? };
        let wei = i128::from(gas) * i128::from(self.gas_price_wei)
            + i128::from(blob_gas) * i128::from(blob_price_wei);
        Some(self.micro_usd_of_wei_rounded(wei))
    }

    /// Returns the fewest records of a batch with which a record costs less than a thousandth of a dollar, and how many blobs
    /// they need, none for calldata; nothing where no batch gets there.
    fn smallest_batch(&self, gas: &Gas) -> Option<(u64, u64)> {
        let fewest = (1..=BLOBS_MAX as u64).filter_map(|blobs| {
            let (gas, blob_gas, records_max) = gas.of_batch(blobs);
            let micro_usd = self.with_blobs_micro_usd_rounded(gas, blob_gas)?;
            let records = u64::try_from(micro_usd).ok()? / MICRO_USD_AIM + 1;
            (records <= records_max).then_some((records, blobs))
        });
        let in_calldata = (1..=u64::from(CALLDATA_RECORDS_MAX)).find(|&records| {
            let micro_usd = self.micro_usd_rounded(gas.of_calldata_batch(records));
            micro_usd < i128::from(records * MICRO_USD_AIM)
        });
        fewest.chain(in_calldata.map(|records| (records, 0))).min()
    }

    /// Returns what gas costs, in micro-dollars, half away from zero.
    pub(crate) fn micro_usd_rounded(&self, gas: u64) -> i128 {
        self.micro_usd_of_wei_rounded(i128::from(gas) * i128::from(self.gas_price_wei))
    }

    fn micro_usd_of_wei_rounded(&self, wei: i128) -> i128 {
        let micro_wei = wei.saturating_mul(i128::from(self.eth_micro_usd));
        divide_half_away(micro_wei, 1_000_000_000_000_000_000)
    }
}

/// What a day costs at one market.
#[derive(Debug, Serialize)]
struct MarketCost {
    #[serde(flatten)]
    market: Market,
    lines: Vec<Line>,
    tariff: Price,
    /// Fewest records of a batch with which a record costs less than a thousandth of a dollar.
    #[serde(skip_serializing_if = "Option::is_none")]
    smallest_batch: Option<SmallestBatch>,
}

/// A batch that is just large enough.
#[derive(Debug, Serialize)]
struct SmallestBatch {
    records: u64,
    blobs: u64,
}

/// What a day costs one way.
#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    way: Way,
    price_of_record: Price,
    price_of_day: Price,
}

/// Gas and what it costs.
#[derive(Debug, Serialize)]
struct Price {
    gas: u64,
    #[serde(skip_serializing_if = "is_zero")]
    blob_gas: u64,
    micro_usd: i128,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a day costs where gas has no price.
#[derive(Debug, Serialize)]
struct PrivateChain {
    micro_usd_month: u64,
    micro_usd_record: i128,
    micro_usd_day: i128,
}

/// The result.
#[derive(Debug, Serialize)]
struct CostReport {
    households: u64,
    records_of_household: u64,
    records: u64,
    gas_source: &'static str,
    tariff_slots: u64,
    markets: Vec<MarketCost>,
    private_chain: PrivateChain,
    assumptions: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let markets = match (arguments.preset, arguments.gas_price_gwei, arguments.eth_usd) {
        (Some(preset), _, _) => vec![Market::preset(preset)],
        (None, Some(gas_price_wei), Some(eth_micro_usd)) => {
            let blob_price_wei = Some(blob_price_floor_wei(gas_price_wei));
            let name = "given".to_owned();
            vec![Market { name, gas_price_wei, blob_price_wei, eth_micro_usd }]
        }
        _ => Market::presets().collect(),
    };
    let given = arguments.blob_price_gwei;
    let blobs_at = |market: Market| {
        let blob_price_wei = market.blob_price_wei.map(|floor| given.unwrap_or(floor));
        Market { blob_price_wei, ..market }
    };
    let markets = markets.into_iter().map(blobs_at).collect();
    let gas = Gas::committed().map_err(|error| CommandError::environment(anyhow!(error)))?;
    let report = report(arguments, &gas, markets);
    if let Some(path) = &arguments.picture {
        let drawn = picture_of(&report, &gas).svg().context("cannot draw the picture");
        let drawn = drawn.map_err(CommandError::environment)?;
        std::fs::write(path, drawn)
            .with_context(|| format!("cannot write {}", path.display()))
            .or_environment()?;
    }
    context.output.report(&report)
}

/// Returns the picture of the first market, beside a rollup and a private chain.
fn picture_of<'a>(report: &'a CostReport, gas: &'a Gas) -> Picture<'a> {
    let records = report.records;
    let MarketCost { market, lines, smallest_batch, .. } = &report.markets[0];
    let bar = |name: String, micro_usd: i128| {
        let usd = decimal_rounded(divide_half_away(micro_usd, records.into()), 6, 6);
        Bar { name, micro_usd, records, usd }
    };
    let mut bars: Vec<Bar> = lines
        .iter()
        .map(|line| bar(line.way.name.to_owned(), line.price_of_day.micro_usd))
        .collect();
    let rollup = Market::preset(Preset::Rollup);
    for way in gas.ways(report.households, report.records_of_household) {
        if way.name == ONE_BY_ONE || way.name == PACKED {
            bars.push(bar(format!("{}, rollup", way.name), rollup.micro_usd_rounded(way.gas)));
        }
    }
    bars.push(bar("private chain".to_owned(), report.private_chain.micro_usd_day));
    let subtitle = format!(
        "A day of {} ({}, {} each) at {}",
        counted(records, "record"),
        counted(report.households, "household"),
        counted(report.records_of_household, "record"),
        market.said(),
    );
    let notes = wrapped(&report.assumptions.join(" "), PICTURE_COLUMNS);
    let smallest = smallest_batch.as_ref().map(|batch| (batch.records, batch.blobs));
    Picture { market, gas, subtitle, bars, smallest, notes }
}

fn report(arguments: &Arguments, gas: &Gas, markets: Vec<Market>) -> CostReport {
    let Arguments { households, records, .. } = *arguments;
    let ways = gas.ways(households, records);
    let cost = |market: Market| {
        let price = |gas, blob_gas| {
            let micro_usd = market.with_blobs_micro_usd_rounded(gas, blob_gas)?;
            Some(Price { gas, blob_gas, micro_usd })
        };
        let count = households * records;
        let line = |way: &Way| {
            let of_record = (way.gas_of_record_rounded_up(count), way.blob_gas.div_ceil(count));
            let price_of_day = price(way.gas, way.blob_gas)?;
            // Of the day's price: rounded gas would double what a record of a large batch costs.
            let micro_usd = divide_half_away(price_of_day.micro_usd, i128::from(count));
            let price_of_record = Price { gas: of_record.0, blob_gas: of_record.1, micro_usd };
            Some(Line { way: way.clone(), price_of_record, price_of_day })
        };
        let lines = ways.iter().filter_map(line).collect();
        let micro_usd = market.micro_usd_rounded(gas.tariff);
        let tariff = Price { gas: gas.tariff, blob_gas: 0, micro_usd };
        let smallest_batch = market.smallest_batch(gas);
        let smallest_batch =
            smallest_batch.map(|(records, blobs)| SmallestBatch { records, blobs });
        MarketCost { market, lines, tariff, smallest_batch }
    };
    let count = households * records;
    // Twelve months are 365 days.
    let micro_usd_day = divide_half_away(i128::from(arguments.private_usd_month) * 12, 365);
    let micro_usd_record = divide_half_away(micro_usd_day, count.into());
    let micro_usd_month = arguments.private_usd_month;
    CostReport {
        households,
        records_of_household: records,
        records: count,
        private_chain: PrivateChain { micro_usd_month, micro_usd_record, micro_usd_day },
        gas_source: gas.source,
        tariff_slots: Gas::TARIFF_SLOTS,
        markets: markets.into_iter().map(cost).collect(),
        assumptions: vec![
            format!("Gas is {}.", gas.source),
            "Naive contract: six words stored and an event for each record, nothing checked, no money moved; compiled without \
             optimization, which costs it 3 %.".to_owned(),
            "One by one: the first record of a household and day writes a new word of the duplicate guard, later ones \
             change it."
                .to_owned(),
            format!(
                "Packed: up to {} records in a transaction, household after household; between measured sizes gas is \
                 interpolated.",
                Gas::PACKED_MAX
            ),
            "A batch is committed and made final; its records are final a week later. Calldata: up to 12,000 records, at least \
             250 gas each (EIP-7623); blobs: 12,288 records in each."
                .to_owned(),
            "Gas price times gas: no priority fee on top, no data fee of a rollup. Blob gas at its floor, a sixteenth of the \
             gas price (EIP-7918), unless given; June 2021 had no blobs: that is today's protocol at the prices of then."
                .to_owned(),
            "Rollup: execution at 0.005 gwei. Private chain: its servers are all that it costs; who runs them is to be believed."
                .to_owned(),
            "Registration of households, deposits, withdrawals and claims are extra.".to_owned(),
        ],
    }
}

impl Report for CostReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "A day of {} ({}, {} each)",
            counted(self.records, "record"),
            counted(self.households, "household"),
            counted(self.records_of_household, "record")
        )?;
        for MarketCost { market, lines, tariff, smallest_batch } in &self.markets {
            writeln!(out, "\n{}", market.said())?;
            let mut table = Table::new([
                (Align::Left, "way"),
                (Align::Right, "transactions"),
                (Align::Right, "gas / record"),
                (Align::Right, "USD / record"),
                (Align::Right, "USD / day"),
            ]);
            for line in lines {
                table.row([
                    line.way.name.to_owned(),
                    grouped(line.way.transactions),
                    grouped(line.price_of_record.gas),
                    decimal_rounded(line.price_of_record.micro_usd, 6, 6),
                    decimal_rounded(line.price_of_day.micro_usd, 6, 2),
                ]);
            }
            table.row([
                "publishing the tariff, direct mode".to_owned(),
                "1".to_owned(),
                String::new(),
                String::new(),
                decimal_rounded(tariff.micro_usd, 6, 2),
            ]);
            table.write(out)?;
            if let Some(SmallestBatch { records, blobs }) = smallest_batch {
                let blobs =
                    if *blobs == 0 { "in calldata".to_owned() } else { counted(*blobs, "blob") };
                let records = grouped(*records);
                writeln!(
                    out,
                    "  From {records} records in a batch on ({blobs}) a record costs less than USD 0.001."
                )?;
            }
        }
        let PrivateChain { micro_usd_month, micro_usd_record, micro_usd_day } = self.private_chain;
        let month = decimal_rounded(micro_usd_month.into(), 6, 6);
        writeln!(
            out,
            "\nprivate chain: no price of gas, servers at USD {} a month\n  \
             However it is settled a record costs USD {}, a day USD {}.\n",
            trimmed(&month),
            decimal_rounded(micro_usd_record, 6, 6),
            decimal_rounded(micro_usd_day, 6, 2),
        )?;
        self.assumptions.iter().try_for_each(|assumption| write_wrapped(out, assumption))
    }
}

/// Writes a point of a list in lines of at most 100 columns.
fn write_wrapped(out: &mut dyn Write, text: &str) -> io::Result<()> {
    let lines = wrapped(text, COLUMNS_MAX - 2);
    let marks = std::iter::once("-").chain(std::iter::repeat(" "));
    lines.iter().zip(marks).try_for_each(|(line, mark)| writeln!(out, "{mark} {line}"))
}

/// Returns text in lines of at most so many columns, broken at blanks.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Returns the least that blob gas costs beside gas of a price (EIP-7918).
const fn blob_price_floor_wei(gas_price_wei: u64) -> u64 {
    gas_price_wei / 16
}

/// Returns a decimal number without zeros at its end.
fn trimmed(number: &str) -> &str {
    number.trim_end_matches('0').trim_end_matches('.')
}

fn gwei(text: &str) -> Result<u64, String> {
    positive(text, 9, "gwei")
}

fn usd(text: &str) -> Result<u64, String> {
    positive(text, 6, "US dollars")
}

/// Reads a positive decimal number times `10^scale`, below a million units.
fn positive(text: &str, scale: u32, unit: &str) -> Result<u64, String> {
    let value = parse_scaled(text, scale).map_err(|error| error.to_string())?;
    let max = 1_000_000 * 10_i64.pow(scale);
    match u64::try_from(value) {
        Ok(value) if value > 0 && i64::try_from(value).is_ok_and(|value| value <= max) => Ok(value),
        _ => Err(format!("give a number of {unit} above 0, at most 1000000")),
    }
}
