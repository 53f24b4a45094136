//! Heat pumps and heating elements with the room or the tank that they heat.

/// A heater that is off or between two powers, and a state that must stay in a band.
#[derive(Debug, Clone, PartialEq)]
pub struct Thermal {
    /// What is heated.
    pub model: ThermalModel,
    /// Most that it uses, kW.
    pub p_max_kw: f64,
    /// Least that it uses when it is on, kW.
    pub p_min_kw: f64,
    /// Heat for each unit of electricity in each step.
    pub cop: Vec<f64>,
    /// The state at the start, °C or kWh.
    pub state_init: f64,
    /// Lower edge of the band at the end of each step, °C or kWh.
    pub state_min: Vec<f64>,
    /// Upper edge of the band at the end of each step, °C or kWh.
    pub state_max: Vec<f64>,
    /// Least state at the end of the horizon, °C or kWh; never violated.
    pub state_final_min: f64,
    /// What it costs to leave the band, currency per K·h or kWh·h; `None` where it must not be left.
    pub discomfort_price: Option<f64>,
    /// The state that the user would hold, °C or kWh.
    pub preferred_state: f64,
}

/// What is heated.
#[derive(Debug, Clone, PartialEq)]
pub enum ThermalModel {
    /// A room; its state is its temperature, °C.
    Room(Room),
    /// A tank; its state is the heat in it, kWh.
    Tank(Tank),
}

/// A room with one thermal mass.
#[derive(Debug, Clone, PartialEq)]
pub struct Room {
    /// Heat capacity, kWh per K.
    pub c_kwh_per_k: f64,
    /// Heat loss to the outside, kW per K.
    pub ua_kw_per_k: f64,
    /// Temperature outside in each step, °C.
    pub outdoor_c: Vec<f64>,
    /// Heat from people, sun and devices in each step, kW.
    pub gain_kw: Vec<f64>,
}

/// A tank of water.
#[derive(Debug, Clone, PartialEq)]
pub struct Tank {
    /// Part of the heat that is lost, per hour: `exp(-loss_per_h * h)` is left.
    pub loss_per_h: f64,
    /// Heat that is taken out in each step, kW.
    pub draw_kw: Vec<f64>,
}

/// How a state follows from the one before: `retained * state + gain_per_kw * power + drift`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThermalStep {
    /// Part of the state that is left.
    pub retained: f64,
    /// What a kW of electricity adds.
    pub gain_per_kw: f64,
    /// What is added without it.
    pub drift: f64,
}

impl Thermal {
    /// Returns how the state at the end of step `t` follows from the one before it. The room's is the exact solution of its
    /// differential equation for constant power over the step.
    #[must_use]
    pub fn step(&self, t: usize, step_h: f64) -> ThermalStep {
        match &self.model {
            ThermalModel::Room(room) => {
                let retained = (-room.ua_kw_per_k * step_h / room.c_kwh_per_k).exp();
                let per_kw = (1.0 - retained) / room.ua_kw_per_k;
                let drift = (1.0 - retained) * room.outdoor_c[t] + per_kw * room.gain_kw[t];
                ThermalStep { retained, gain_per_kw: per_kw * self.cop[t], drift }
            }
            ThermalModel::Tank(tank) => ThermalStep {
                retained: (-tank.loss_per_h * step_h).exp(),
                gain_per_kw: step_h * self.cop[t],
                drift: -step_h * tank.draw_kw[t],
            },
        }
    }
}
