"""EMHASS on a household: its day-ahead optimization, without Home Assistant, forecasts and server."""

import copy
import json
import logging
import pathlib

import emhass
import numpy as np
import pandas as pd

from emhass.optimization import Optimization
from problem import Inexpressible, main, step_h

SERIES = {
    "nominal_power_of_deferrable_loads": None,
    "minimum_power_of_deferrable_loads": 0.0,
    "operating_hours_of_each_deferrable_load": 0,
    "start_timesteps_of_each_deferrable_load": 0,
    "end_timesteps_of_each_deferrable_load": 0,
    "treat_deferrable_load_as_semi_cont": False,
    "set_deferrable_load_single_constant": False,
    "set_deferrable_startup_penalty": 0.0,
    "set_deferrable_max_startups": 0,
    "def_minimum_on_time": 0,
    "def_minimum_off_time": 0,
    "deferrable_load_max_cost": 0.0,
    "is_electric_load": True,
    "cost_forecast_per_deferrable_load": None,
}


def make(problem):
    logging.disable(logging.WARNING)
    steps, hours = problem["steps"], step_h(problem)
    defaults = json.loads((pathlib.Path(emhass.__file__).parent / "data" / "config_defaults.json").read_text())
    conf = defaults | {
        "optimization_time_step": pd.Timedelta(minutes=problem["resolution_min"]),
        "time_zone": "UTC",
        "delta_forecast_daily": pd.Timedelta(hours=steps * hours),
        "lp_solver_mip_rel_gap": 1e-4,
        "num_threads": 1,
        "maximum_power_from_grid": 1000 * problem["site"]["import_limit_kw"],
        "maximum_power_to_grid": 1000 * problem["site"]["export_limit_kw"],
        "set_nodischarge_to_grid": False,
        "set_use_pv": True,
        "number_of_batteries": 1,
    }
    left_out, loads, panels = [], [], np.zeros(steps)
    soc_init = soc_final = None
    for device in problem["devices"]:
        kind = device["kind"]
        if kind == "pv":
            panels += 1000 * np.array(device["available_kw"])
            conf["compute_curtailment"] = device["curtailable"]
        elif kind == "battery" and not conf["set_use_battery"]:
            capacity = device["capacity_kwh"]
            conf |= {
                "set_use_battery": True,
                "battery_charge_power_max": 1000 * device["p_max_charge_kw"],
                "battery_discharge_power_max": 1000 * device["p_max_discharge_kw"],
                "battery_charge_efficiency": device["eta_charge"],
                "battery_discharge_efficiency": device["eta_discharge"],
                "battery_nominal_energy_capacity": 1000 * capacity,
                "battery_minimum_state_of_charge": device["soc_min_kwh"] / capacity,
                "battery_maximum_state_of_charge": device["soc_max_kwh"] / capacity,
                "weight_battery_discharge": device["wear_per_kwh"],
            }
            soc_init, soc_final = device["soc_init_kwh"] / capacity, device["soc_final_min_kwh"] / capacity
        elif kind == "ev" and device["p_max_discharge_kw"] == 0:
            # Each stay is a load with a window and an energy.
            if device["p_min_charge_kw"] > 0:
                left_out.append(f"least power of {device['id']}")
            for session in device["sessions"]:
                energy_kwh = (session["soc_target_kwh"] - session["soc_arrival_kwh"]) / device["eta_charge"]
                loads.append({
                    "nominal_power_of_deferrable_loads": 1000 * device["p_max_charge_kw"],
                    "operating_hours_of_each_deferrable_load": energy_kwh / device["p_max_charge_kw"],
                    "start_timesteps_of_each_deferrable_load": session["arrival"],
                    "end_timesteps_of_each_deferrable_load": session["departure"],
                })
        elif kind == "cycle":
            if "after" in device:
                left_out.append(f"order of {device['id']}")
            loads.append({
                "nominal_power_of_deferrable_loads": [1000 * power for power in device["profile_kw"]],
                "operating_hours_of_each_deferrable_load": len(device["profile_kw"]) * hours,
                "start_timesteps_of_each_deferrable_load": device["earliest_start"],
                "end_timesteps_of_each_deferrable_load": device["latest_end"],
            })
        elif kind == "interruptible":
            loads.append({
                "nominal_power_of_deferrable_loads": 1000 * device["power_kw"],
                "operating_hours_of_each_deferrable_load": device["on_steps"] * hours,
                "start_timesteps_of_each_deferrable_load": device["window"][0],
                "end_timesteps_of_each_deferrable_load": device["window"][1],
                "treat_deferrable_load_as_semi_cont": True,
                "def_minimum_on_time": device["min_on_steps"],
            })
        elif kind == "thermal":
            # Its rooms lose heat in steps, its tanks know a temperature: other physics than the exact solution here.
            left_out.append(device["id"])
        else:
            raise Inexpressible(f"{device['id']} ({kind})")
    if problem["tariff"]["capacity"]["type"] != "none":
        left_out.append("stepped tariff")
    conf["number_of_deferrable_loads"] = len(loads)
    conf |= {name: [load.get(name, default) for load in loads] for name, default in SERIES.items()}
    index = pd.date_range("2025-05-05", periods=steps, freq=f"{problem['resolution_min']}min", tz="UTC")
    data = pd.DataFrame(index=index)
    data["unit_load_cost"] = problem["tariff"]["import_price"]
    data["unit_prod_price"] = problem["tariff"]["export_price"]
    load = pd.Series(1000 * np.array(problem["site"]["load_kw"]), index=index)
    solar = pd.Series(panels, index=index)

    def plan():
        # A new one each time: what it remembers would be a warm start.
        copies = [copy.deepcopy(conf) for _ in range(3)]
        optimization = Optimization(
            *copies, "unit_load_cost", "unit_prod_price", "profit", {}, logging.getLogger("emhass"), num_timesteps=steps,
        )
        result = optimization.perform_dayahead_forecast_optim(data, solar, load, soc_init=soc_init, soc_final=soc_final)
        if optimization.optim_status is None or "optimal" not in str(optimization.optim_status).lower():
            raise RuntimeError(f"EMHASS says {optimization.optim_status}")
        grid_kw = result["P_grid"].to_numpy() / 1000
        price = np.where(grid_kw > 0, data["unit_load_cost"], data["unit_prod_price"])
        cost = float((grid_kw * price).sum() * hours)
        if "P_batt" in result:
            given_kw = result["P_batt"].clip(lower=0).to_numpy() / 1000
            cost += float(given_kw.sum() * hours * conf["weight_battery_discharge"])
        return cost

    return plan, left_out


main("EMHASS 0.18.7", make)
