//! What each kind of device still has to do.

use std::collections::BTreeMap;

use super::measured::{CycleState, DeviceState, EvState, Measured};
use super::reach::{self, OVERLOOKED};
use crate::household::check::{Requirement, Violation};
use crate::household::device::{
    Battery, Cycle, CycleOrder, Device, DeviceKind, Ev, EvSession, Interruptible, Modulating, Pv,
    SocMinBy, Thermal, ThermalModel,
};
use crate::household::problem::Household;
use crate::household::wish::Wish;

/// Cuts devices to the steps that are left.
pub(super) struct Cut<'a> {
    household: &'a Household,
    at: usize,
    left: usize,
    step_h: f64,
    measured: &'a Measured,
    /// What no plan can keep any more.
    pub(super) missed: Vec<Violation>,
    /// How many steps a device runs on that cannot stop, by its name.
    pub(super) busy: BTreeMap<String, usize>,
    /// Floors that begin when a store can reach them.
    pub(super) added: Vec<Wish>,
}

impl<'a> Cut<'a> {
    pub(super) fn new(household: &'a Household, at: usize, measured: &'a Measured) -> Self {
        Self {
            household,
            at,
            left: household.horizon.steps() - at,
            step_h: household.horizon.step_h(),
            measured,
            missed: Vec::new(),
            busy: BTreeMap::new(),
            added: Vec::new(),
        }
    }

    /// Returns what is left of a device, nothing where it has ended.
    pub(super) fn device(&mut self, device: &Device) -> Option<DeviceKind> {
        let state = self.measured.devices.get(&device.id).copied();
        let id = device.id.as_str();
        Some(match (&device.kind, state) {
            (DeviceKind::Pv(pv), _) => DeviceKind::Pv(Pv {
                available_kw: pv.available_kw[self.at..].to_vec(),
                curtailable: pv.curtailable,
            }),
            (DeviceKind::Cycle(cycle), Some(DeviceState::Cycle(state))) => {
                DeviceKind::Cycle(self.cycle(id, cycle, state)?)
            }
            (
                DeviceKind::Interruptible(load),
                Some(DeviceState::Interruptible { on_steps, running_steps }),
            ) => DeviceKind::Interruptible(self.interruptible(id, load, on_steps, running_steps)),
            (DeviceKind::Modulating(load), Some(DeviceState::Modulating { taken_kwh })) => {
                DeviceKind::Modulating(self.modulating(id, load, taken_kwh))
            }
            (DeviceKind::Ev(ev), Some(DeviceState::Ev(state))) => {
                DeviceKind::Ev(self.ev(id, ev, state))
            }
            (DeviceKind::Battery(battery), Some(DeviceState::Battery { soc_kwh })) => {
                DeviceKind::Battery(self.battery(id, battery, soc_kwh))
            }
            (DeviceKind::Thermal(thermal), Some(DeviceState::Thermal { state })) => {
                DeviceKind::Thermal(self.thermal(id, thermal, state))
            }
            _ => unreachable!("states are checked before"),
        })
    }

    /// A half-open range of steps of the whole, as one of what is left.
    const fn window(&self, window: [usize; 2]) -> [usize; 2] {
        [window[0].saturating_sub(self.at), window[1].saturating_sub(self.at)]
    }

    fn miss(&mut self, id: &str, requirement: Requirement, step: Option<usize>, by: f64) {
        self.missed.push(Violation { device: Some(id.to_owned()), requirement, step, by });
    }

    fn cycle(&mut self, id: &str, cycle: &Cycle, state: CycleState) -> Option<Cycle> {
        let length = cycle.profile_kw.len();
        if let CycleState::Started(start) = state {
            let rest = cycle.profile_kw.get(self.at - start..).filter(|rest| !rest.is_empty())?;
            // Who started too late for the horizon is followed as far as that goes.
            let profile_kw = rest[..rest.len().min(self.left)].to_vec();
            let latest_end = profile_kw.len();
            self.busy.insert(id.to_owned(), latest_end);
            return Some(Cycle {
                profile_kw,
                earliest_start: 0,
                latest_end,
                preferred_start: 0,
                after: None,
            });
        }
        let [mut earliest_start, mut latest_end] =
            self.window([cycle.earliest_start, cycle.latest_end]);
        let after = cycle.after.as_ref().filter(|_| self.at > 0);
        let mut kept = cycle.after.clone();
        if let Some(order) = after {
            let [first_end, last_end] = self.ends(&order.id, MOST_IN_ORDER);
            let first = first_end + signed(order.min_gap_steps);
            let last = last_end + signed(order.max_gap_steps);
            earliest_start = earliest_start.max(unsigned(first));
            let by = signed(earliest_start) - last;
            // One that has ended, or never runs, is not planned any more.
            let is_planned = (1..=signed(self.left)).contains(&first_end);
            if by > 0 || first_end > signed(self.left) {
                self.miss(id, Requirement::Order, Some(earliest_start), real(unsigned(by.max(1))));
                kept = None;
            } else if is_planned {
                kept = kept.map(|order| CycleOrder {
                    min_gap_steps: order.min_gap_steps.min(self.left),
                    max_gap_steps: order.max_gap_steps.min(self.left),
                    ..order
                });
            } else {
                latest_end = latest_end.min(unsigned(last) + length);
                kept = None;
            }
        }
        if earliest_start + length > self.left {
            self.miss(id, Requirement::Profile, None, real(earliest_start + length - self.left));
            return None;
        }
        if earliest_start + length > latest_end {
            // Late is better than never.
            let late = earliest_start + length - latest_end;
            self.miss(id, Requirement::Profile, Some(latest_end), real(late));
            latest_end = earliest_start + length;
        }
        let preferred = cycle.preferred_start.saturating_sub(self.at);
        let preferred_start = if self.at == 0 {
            preferred
        } else {
            preferred.clamp(earliest_start, latest_end - length)
        };
        let profile_kw = cycle.profile_kw.clone();
        Some(Cycle { profile_kw, earliest_start, latest_end, preferred_start, after: kept })
    }

    /// The first and the last step by which a program may have ended, counted from now on: negative for one that ended long ago, beyond the
    /// horizon for one that does not fit any more.
    fn ends(&self, id: &str, depth: usize) -> [i64; 2] {
        let device = self.household.devices.iter().find(|device| device.id == id);
        let Some(Device { kind: DeviceKind::Cycle(cycle), .. }) = device else {
            unreachable!("a household is checked when it is made");
        };
        let (at, length) = (signed(self.at), signed(cycle.profile_kw.len()));
        let state = self.measured.devices.get(id);
        if let Some(DeviceState::Cycle(CycleState::Started(start))) = state {
            return [signed(*start) + length - at; 2];
        }
        let mut first = (signed(cycle.earliest_start) - at).max(0) + length;
        let mut last = (signed(cycle.latest_end) - at).max(0);
        if let Some(order) = cycle.after.as_ref().filter(|_| depth > 0) {
            let before = self.ends(&order.id, depth - 1);
            first = first.max(before[0] + signed(order.min_gap_steps) + length);
            last = last.min(before[1] + signed(order.max_gap_steps) + length);
        }
        [first, last.max(first)]
    }

    fn interruptible(
        &mut self,
        id: &str,
        load: &Interruptible,
        on_before: usize,
        running_steps: usize,
    ) -> Interruptible {
        let window = self.window(load.window);
        let room = window[1] - window[0];
        let needed = load.on_steps.saturating_sub(on_before);
        let on_steps = needed.min(room);
        if on_steps < needed {
            self.miss(id, Requirement::OnSteps, None, real(needed - on_steps));
        }
        let running_steps = if window[0] == 0 { running_steps } else { 0 };
        let longest = (on_steps + running_steps).max(1);
        if self.at > 0 && longest < load.min_on_steps && on_steps > 0 {
            self.miss(id, Requirement::MinOnSteps, None, real(load.min_on_steps - longest));
        }
        let min_on_steps = load.min_on_steps.min(longest);
        if running_steps > 0 && running_steps < min_on_steps {
            self.busy.insert(id.to_owned(), min_on_steps - running_steps);
        }
        let preferred_start =
            load.preferred_start.saturating_sub(self.at).min(self.left - on_steps);
        let preferred_start = if self.at == 0 {
            preferred_start
        } else {
            preferred_start.max(window[0].min(self.left - on_steps))
        };
        Interruptible {
            power_kw: load.power_kw,
            on_steps,
            window,
            min_on_steps,
            preferred_start,
            running_steps,
        }
    }

    fn modulating(&mut self, id: &str, load: &Modulating, taken_kwh: f64) -> Modulating {
        let window = self.window(load.window);
        let needed = (load.energy_kwh - taken_kwh).max(0.0);
        let energy_kwh = if self.at == 0 {
            needed
        } else {
            let (least, most) = (load.p_min_kw * self.step_h, load.p_max_kw * self.step_h);
            nearest_energy(needed, (least, most), window[1] - window[0])
        };
        if (needed - energy_kwh).abs() > OVERLOOKED {
            self.miss(id, Requirement::Energy, None, (needed - energy_kwh).abs());
        }
        Modulating { energy_kwh, window, ..load.clone() }
    }

    fn ev(&mut self, id: &str, ev: &Ev, state: EvState) -> Ev {
        let at = self.at;
        let mut ev = ev.clone();
        let coming = ev.sessions.iter().filter(|session| session.departure > at);
        let mut sessions: Vec<EvSession> = coming.cloned().collect();
        let is_first_there = sessions.first().is_some_and(|session| session.arrival <= at);
        match state {
            EvState::Plugged { soc_kwh } => {
                // It may have come early.
                if let Some(session) = sessions.first_mut() {
                    session.arrival = at;
                    session.soc_arrival_kwh = soc_kwh;
                }
            }
            // It has left early, unless it only just arrives.
            EvState::Away => {
                if is_first_there && sessions[0].arrival < at {
                    let stay = sessions.remove(0);
                    self.miss(id, Requirement::Stay, Some(0), real(stay.departure - at));
                }
            }
            EvState::Late { arrives } => {
                if is_first_there {
                    sessions[0].arrival = arrives;
                }
            }
        }
        for session in &mut sessions {
            session.arrival -= at;
            session.departure -= at;
            let first = session.arrival;
            session.soc_min_by.retain(|by| by.0.checked_sub(at).is_some_and(|by| by > first));
            session.soc_min_by.iter_mut().for_each(|by| by.0 -= at);
            self.ease_session(id, &mut ev, session);
        }
        ev.sessions = sessions;
        ev
    }

    /// Lowers what a car must hold to what it can reach.
    fn ease_session(&mut self, id: &str, ev: &mut Ev, session: &mut EvSession) {
        if session.soc_arrival_kwh < ev.soc_min_kwh
            && ev.soc_min_kwh - session.soc_arrival_kwh <= OVERLOOKED
        {
            session.soc_arrival_kwh = ev.soc_min_kwh;
        }
        let fullest = reach::session_kwh(ev, session, self.step_h);
        if fullest[0] < ev.soc_min_kwh {
            let floor = ev.soc_min_kwh;
            let reached = fullest.iter().position(|soc| *soc >= floor).unwrap_or(fullest.len());
            let from = session.arrival + reached;
            self.miss(
                id,
                Requirement::SocRange,
                Some(session.arrival),
                floor - session.soc_arrival_kwh,
            );
            ev.soc_min_kwh = session.soc_arrival_kwh;
            if from < session.departure {
                let steps = [from, session.departure];
                self.added.push(Wish::Holds { device: id.to_owned(), soc_kwh: floor, steps });
            }
        }
        let last = fullest[fullest.len() - 1];
        if session.soc_target_kwh > last {
            let by = session.soc_target_kwh - last;
            if by > OVERLOOKED {
                self.miss(id, Requirement::SocTarget, Some(session.departure - 1), by);
            }
            session.soc_target_kwh = last;
        }
        for SocMinBy(by_step, soc_kwh) in &mut session.soc_min_by {
            let reached = fullest[*by_step - 1 - session.arrival];
            if *soc_kwh > reached {
                let by = *soc_kwh - reached;
                if by > OVERLOOKED {
                    let step = Some(*by_step - 1);
                    self.missed.push(Violation {
                        device: Some(id.to_owned()),
                        requirement: Requirement::SocMinBy,
                        step,
                        by,
                    });
                }
                *soc_kwh = reached;
            }
        }
    }

    fn battery(&mut self, id: &str, battery: &Battery, soc_kwh: f64) -> Battery {
        let mut battery = Battery { soc_init_kwh: soc_kwh, ..battery.clone() };
        if self.at == 0 {
            return battery;
        }
        // Rounding neither asks for energy nor gives it.
        for edge in [battery.soc_min_kwh, battery.soc_max_kwh] {
            if (battery.soc_init_kwh - edge).abs() <= OVERLOOKED {
                battery.soc_init_kwh = edge;
            }
        }
        battery.soc_max_kwh = battery.soc_max_kwh.max(battery.soc_init_kwh);
        let fullest = reach::battery_kwh(&battery, self.left, self.step_h);
        let floor = battery.soc_min_kwh;
        if fullest[0] < floor {
            let reached = fullest.iter().position(|soc| *soc >= floor).unwrap_or(self.left);
            self.miss(id, Requirement::SocRange, Some(0), floor - fullest[0]);
            // It loses a little where it may not charge.
            battery.soc_min_kwh =
                battery.soc_init_kwh * battery.retained(self.step_h * real(self.left));
            if reached < self.left {
                let steps = [reached, self.left];
                self.added.push(Wish::Holds { device: id.to_owned(), soc_kwh: floor, steps });
            }
        }
        let last = fullest[self.left - 1];
        if battery.soc_final_min_kwh > last {
            let by = battery.soc_final_min_kwh - last;
            if by > OVERLOOKED {
                self.miss(id, Requirement::SocTarget, Some(self.left - 1), by);
            }
            battery.soc_final_min_kwh = last;
        }
        battery
    }

    fn thermal(&mut self, id: &str, thermal: &Thermal, state: f64) -> Thermal {
        let at = self.at;
        let mut thermal = thermal.clone();
        if at > 0 {
            let (least, most) = (thermal.state_min[at - 1], thermal.state_max[at - 1]);
            let inside = state.clamp(least, most);
            let is_rounding = (state - inside).abs() <= OVERLOOKED;
            thermal.state_init = if is_rounding { inside } else { state };
        } else {
            thermal.state_init = state;
        }
        match &mut thermal.model {
            ThermalModel::Room(room) => {
                room.outdoor_c.drain(..at);
                room.gain_kw.drain(..at);
            }
            ThermalModel::Tank(tank) => drop(tank.draw_kw.drain(..at)),
        }
        for series in [&mut thermal.cop, &mut thermal.state_min, &mut thermal.state_max] {
            series.drain(..at);
        }
        if at > 0 {
            self.ease_band(id, &mut thermal);
        }
        thermal
    }

    /// Widens the band of a heater to what it can reach at full power and without any.
    fn ease_band(&mut self, id: &str, thermal: &mut Thermal) {
        let hottest = reach::heated(thermal, thermal.p_max_kw, self.left, self.step_h);
        let coldest = reach::heated(thermal, 0.0, self.left, self.step_h);
        if thermal.discomfort_price.is_none() {
            let mut worst: Option<(usize, f64)> = None;
            for t in 0..self.left {
                let (least, most) = (thermal.state_min[t], thermal.state_max[t]);
                let by = (least - hottest[t]).max(coldest[t] - most);
                if by > OVERLOOKED {
                    let (first, worst_by) = worst.unwrap_or((t, 0.0));
                    worst = Some((first, by.max(worst_by)));
                }
                thermal.state_min[t] = least.min(hottest[t]);
                thermal.state_max[t] = most.max(coldest[t]);
            }
            if let Some((step, by)) = worst {
                self.miss(id, Requirement::Band, Some(step), by);
            }
        }
        let last = hottest[self.left - 1];
        let by = thermal.state_final_min - last;
        if by > OVERLOOKED {
            self.miss(id, Requirement::FinalState, Some(self.left - 1), by);
        }
        thermal.state_final_min = thermal.state_final_min.min(last);
    }
}

/// How many programs that follow each other are looked at.
const MOST_IN_ORDER: usize = 20;

fn signed(steps: usize) -> i64 {
    i64::try_from(steps).expect("a horizon has ten thousand steps at most")
}

/// Returns a number of steps, none where it is negative.
fn unsigned(steps: i64) -> usize {
    usize::try_from(steps).unwrap_or(0)
}

/// The energy nearest to what is needed that so many steps can take, each off or between two energies.
fn nearest_energy(needed: f64, (least, most): (f64, f64), steps: usize) -> f64 {
    if needed <= 1e-9 {
        return 0.0;
    }
    let mut nearest = 0.0;
    for n in 1..=steps {
        let possible = needed.clamp(real(n) * least, real(n) * most);
        if (possible - needed).abs() < (nearest - needed).abs() {
            nearest = possible;
        }
        if real(n) * least > needed {
            break;
        }
    }
    nearest
}

#[expect(clippy::cast_precision_loss, reason = "numbers of steps")]
const fn real(count: usize) -> f64 {
    count as f64
}
