//! What `gridtally dispatch` answers, for programs and for an aggregator.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::anyhow;
use gridtally_schedule::fleet::{Fleet, FleetCheck, FleetPlan, Limit, fairness};
use serde::Serialize;

use crate::error::CommandError;
use crate::output::Report;
use crate::output::number::{counted, grouped, money, to_six_decimals};
use crate::output::table::{Align, Table};

/// The answer where there is a plan.
#[derive(Debug, Serialize)]
pub(super) struct DispatchReport {
    id: String,
    currency: String,
    status: &'static str,
    devices: usize,
    cost: f64,
    bound: f64,
    gap: f64,
    /// Whether the time was over before the gap was reached that was asked for.
    is_cut_short: bool,
    rounds: usize,
    load_kw: Vec<f64>,
    transformer_price_per_kwh: Vec<f64>,
    feeder_price_per_kwh: Vec<Vec<f64>>,
    up_reserve_price_per_kwh: Vec<f64>,
    down_reserve_price_per_kwh: Vec<f64>,
    peak_kw: f64,
    fairness: FairnessReport,
    /// Steps in which a limit has a price, by limit.
    binding_steps: BTreeMap<String, usize>,
    /// What the checker finds broken: nothing.
    broken: usize,
}

/// Who waits, and who saves, of the cars that only charge and the programs.
#[derive(Debug, Serialize)]
struct FairnessReport {
    shifted_devices: usize,
    shifted_kwh: f64,
    benefit: f64,
    /// Of what each saves for a kWh.
    benefit_gini: f64,
    delay_mean: f64,
    delay_rms: f64,
}

impl FairnessReport {
    fn new(fleet: &Fleet, found: &FleetPlan) -> Self {
        let fairness = fairness(fleet, found);
        Self {
            shifted_devices: fairness.shifted_devices,
            shifted_kwh: to_six_decimals(fairness.shifted_kwh),
            benefit: to_six_decimals(fairness.benefit),
            benefit_gini: to_six_decimals(fairness.gini),
            delay_mean: to_six_decimals(fairness.delay_mean),
            delay_rms: to_six_decimals(fairness.delay_rms),
        }
    }
}

impl DispatchReport {
    pub(super) fn new(
        fleet: &Fleet,
        found: &FleetPlan,
        checked: &FleetCheck,
        is_cut_short: bool,
    ) -> Self {
        let whole = fleet.base_load_kw.iter().zip(&found.load_kw).map(|(base, load)| base + load);
        let mut binding_steps = BTreeMap::new();
        let mut bind = |limit: Limit, prices: &[f64]| {
            let steps = prices.iter().filter(|price| **price > 1e-6).count();
            if steps > 0 {
                binding_steps.insert(fleet.names.limit(limit), steps);
            }
        };
        bind(Limit::Transformer, &found.prices.transformer);
        for (f, prices) in found.prices.feeders.iter().enumerate() {
            bind(Limit::Feeder(f), prices);
        }
        bind(Limit::UpReserve, &found.prices.up_reserve);
        bind(Limit::DownReserve, &found.prices.down_reserve);
        Self {
            id: fleet.id.clone(),
            currency: fleet.currency.clone(),
            status: if found.gap() <= 1e-9 { "optimal" } else { "feasible" },
            devices: fleet.devices(),
            cost: to_six_decimals(checked.cost),
            bound: to_six_decimals(found.bound),
            gap: found.gap(),
            is_cut_short,
            rounds: found.rounds,
            load_kw: all_rounded(&found.load_kw),
            transformer_price_per_kwh: all_rounded(&found.prices.transformer),
            feeder_price_per_kwh: found
                .prices
                .feeders
                .iter()
                .map(|prices| all_rounded(prices))
                .collect(),
            up_reserve_price_per_kwh: all_rounded(&found.prices.up_reserve),
            down_reserve_price_per_kwh: all_rounded(&found.prices.down_reserve),
            peak_kw: to_six_decimals(whole.fold(0.0, f64::max)),
            fairness: FairnessReport::new(fleet, found),
            binding_steps,
            broken: checked.devices.len() + checked.limits.len(),
        }
    }

    /// Refuses a plan that the checker does not let pass.
    pub(super) fn verdict(&self) -> Result<(), CommandError> {
        if self.broken == 0 {
            return Ok(());
        }
        let broken = counted(self.broken as u64, "requirement");
        Err(CommandError::refused(anyhow!(
            "the checker found {broken} broken: this plan must not be used"
        )))
    }
}

impl Report for DispatchReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let currency = &self.currency;
        writeln!(out, "{}: {}\n", self.id, counted(self.devices as u64, "device"))?;
        writeln!(out, "  cost   {currency} {}", money(self.cost))?;
        writeln!(
            out,
            "  bound  {currency} {}: no plan saves more than {:.4} %",
            money(self.bound),
            self.gap * 100.0
        )?;
        if self.is_cut_short {
            writeln!(out, "  The time was over: this is the best that was found.")?;
        }
        let rounds = counted(self.rounds as u64, "round");
        writeln!(
            out,
            "  peak   {:.1} kW at the transformer\n  found in {rounds} of prices and answers",
            self.peak_kw
        )?;
        if self.fairness.shifted_devices > 0 {
            let devices = counted(self.fairness.shifted_devices as u64, "device");
            writeln!(
                out,
                "  {devices} wait, {:.0} % of their time on average; Gini coefficient of the benefit per kWh {:.2}",
                self.fairness.delay_mean * 100.0,
                self.fairness.benefit_gini
            )?;
        }
        writeln!(out)?;
        if self.binding_steps.is_empty() {
            return writeln!(out, "  No limit is reached.");
        }
        let mut table =
            Table::new([(Align::Left, "limit"), (Align::Right, "steps in which it has a price")]);
        for (limit, steps) in &self.binding_steps {
            table.row([limit.clone(), grouped(*steps as u64)]);
        }
        table.write(out)
    }
}

/// The answer where the limits leave too little.
#[derive(Debug, Serialize)]
pub(super) struct ExceededReport {
    id: String,
    status: &'static str,
    exceeded: Vec<Exceeded>,
}

#[derive(Debug, Serialize)]
struct Exceeded {
    limit: String,
    step: usize,
    excess_kw: f64,
}

/// How many are shown as text.
const SHOWN_MAX: usize = 20;
/// Less than this is not shown, kW.
const SHOWN_KW: f64 = 0.05;

impl ExceededReport {
    pub(super) fn new(
        fleet: &Fleet,
        status: &'static str,
        exceeded: &[(Limit, usize, f64)],
    ) -> Self {
        let exceeded = exceeded
            .iter()
            .map(|&(limit, step, kw)| Exceeded {
                limit: fleet.names.limit(limit),
                step,
                excess_kw: to_six_decimals(kw),
            })
            .collect();
        Self { id: fleet.id.clone(), status, exceeded }
    }
}

impl Report for ExceededReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let said = if self.status == "infeasible" {
            "the limits leave too little"
        } else {
            "the time was over before a plan within the limits was found; the best exceeds them"
        };
        writeln!(out, "{}: {said}\n", self.id)?;
        let mut table = Table::new([
            (Align::Left, "limit"),
            (Align::Right, "step"),
            (Align::Right, "exceeded by, kW"),
        ]);
        // The most first.
        let mut shown: Vec<&Exceeded> =
            self.exceeded.iter().filter(|exceeded| exceeded.excess_kw >= SHOWN_KW).collect();
        shown.sort_by(|a, b| b.excess_kw.total_cmp(&a.excess_kw).then(a.step.cmp(&b.step)));
        for exceeded in shown.iter().take(SHOWN_MAX) {
            let Exceeded { limit, step, excess_kw } = exceeded;
            table.row([limit.clone(), step.to_string(), format!("{excess_kw:.1}")]);
        }
        table.write(out)?;
        match self.exceeded.len().saturating_sub(shown.len().min(SHOWN_MAX)) {
            0 => Ok(()),
            more => writeln!(out, "  and less in {}", counted(more as u64, "more step")),
        }
    }
}

fn all_rounded(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| to_six_decimals(*value)).collect()
}
