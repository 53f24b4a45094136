"""FlexMeasures on a household: its device scheduler with its own default solver, without its database, server and queue."""

import logging
import math
from datetime import timedelta

import pandas as pd
from flask import Flask

from flexmeasures.data.models.planning import FlowCommitment
from flexmeasures.data.models.planning.linear_optimization import device_scheduler
from flexmeasures.data.models.planning.utils import initialize_df
from problem import Inexpressible, main, step_h

COLUMNS = [
    "equals", "max", "min", "efficiency", "derivative equals", "derivative max", "derivative min",
    "derivative down efficiency", "derivative up efficiency", "stock delta",
]


def make(problem):
    logging.disable(logging.WARNING)
    app = Flask("schedulers")
    app.config |= {"FLEXMEASURES_LP_SOLVER": "highspy", "LOGGING_LEVEL": "WARNING"}
    steps, hours = problem["steps"], step_h(problem)
    start = pd.Timestamp("2025-05-05")
    resolution = timedelta(minutes=problem["resolution_min"])
    frame = lambda: initialize_df(COLUMNS, start, start + steps * resolution, resolution)
    left_out = []

    load = frame()
    load["derivative equals"] = problem["site"]["load_kw"]
    devices, stocks, wear = [load], [0.0], []
    for device in problem["devices"]:
        if device["kind"] == "battery" and device["wear_per_kwh"] > 0:
            wear.append((len(devices), device["wear_per_kwh"]))
        for constraints, stock in frames(device, frame, steps, hours, left_out):
            devices.append(constraints)
            stocks.append(stock)
    ems = frame()
    ems["derivative max"] = problem["site"]["import_limit_kw"]
    ems["derivative min"] = -problem["site"]["export_limit_kw"]
    if problem["tariff"]["capacity"]["type"] != "none":
        left_out.append("stepped tariff")
    index = ems.index
    prices = {name: pd.Series(problem["tariff"][f"{name}_price"], index=index) * hours for name in ("import", "export")}
    every = list(range(len(devices)))

    def commitments():
        energy = FlowCommitment(
            name="energy", quantity=0, index=index,
            upwards_deviation_price=prices["import"], downwards_deviation_price=prices["export"],
            device=pd.Series([every] * steps, index=index), device_group="house",
        )
        worn = [
            FlowCommitment(
                name=f"wear {number}", quantity=0, index=index,
                upwards_deviation_price=pd.Series(0.0, index=index),
                downwards_deviation_price=pd.Series(-price * hours, index=index),
                device=pd.Series(number, index=index),
            )
            for number, price in wear
        ]
        return [energy, *worn]

    def plan():
        with app.app_context():
            _, cost, results, _ = device_scheduler(
                device_constraints=[device.copy() for device in devices], ems_constraints=ems.copy(),
                commitments=commitments(), initial_stock=stocks,
            )
        if str(results.solver.termination_condition) != "optimal":
            raise RuntimeError(f"FlexMeasures says {results.solver.termination_condition}")
        return float(cost)

    return plan, left_out


def frames(device, frame, steps, hours, left_out):
    """The constraints of a device and its stock at the start."""
    constraints = frame()
    kind = device["kind"]
    if kind == "pv":
        constraints["derivative min"] = [-available for available in device["available_kw"]]
        constraints["derivative max"] = 0.0 if device["curtailable"] else constraints["derivative min"]
        return [(constraints, 0.0)]
    if kind == "battery":
        retained = math.exp(-device["self_discharge_per_h"] * hours)
        constraints["max"] = (device["soc_max_kwh"] - device["soc_init_kwh"]) / hours
        constraints["min"] = (device["soc_min_kwh"] - device["soc_init_kwh"]) / hours
        constraints.iloc[-1, constraints.columns.get_loc("min")] = (device["soc_final_min_kwh"] - device["soc_init_kwh"]) / hours
        constraints["derivative max"] = device["p_max_charge_kw"]
        constraints["derivative min"] = -device["p_max_discharge_kw"]
        constraints["derivative up efficiency"] = device["eta_charge"]
        constraints["derivative down efficiency"] = device["eta_discharge"]
        constraints["efficiency"] = retained
        return [(constraints, device["soc_init_kwh"] / hours)]
    if kind == "ev" and device["p_max_discharge_kw"] == 0:
        if device["p_min_charge_kw"] > 0:
            left_out.append(f"least power of {device['id']}")
        # Each stay is a device of its own, whose stock begins at zero.
        stays = []
        for session in device["sessions"]:
            stay = frame()
            at = range(session["arrival"], session["departure"])
            stay["derivative min"] = 0.0
            stay["derivative max"] = [device["p_max_charge_kw"] if t in at else 0.0 for t in range(steps)]
            stay["derivative up efficiency"] = device["eta_charge"]
            stay["max"] = (device["capacity_kwh"] - session["soc_arrival_kwh"]) / hours
            target = (session["soc_target_kwh"] - session["soc_arrival_kwh"]) / hours
            stay["min"] = [0.0 if t + 1 < session["departure"] else target for t in range(steps)]
            stays.append((stay, session["soc_arrival_kwh"] / hours))
        return stays
    if kind == "thermal" and device["discomfort_price"] is None:
        if device["model"] != "tank":
            # A stock that leaks to the outside temperature is not a stock that leaks to nothing.
            left_out.append(f"{device['id']}, a room")
            return []
        retained = math.exp(-device["loss_per_h"] * hours)
        first = device["state_init"]
        constraints["max"] = [(most - first) / hours for most in device["state_max"]]
        constraints["min"] = [(least - first) / hours for least in device["state_min"]]
        constraints.iloc[-1, constraints.columns.get_loc("min")] = (device["state_final_min"] - first) / hours
        constraints["derivative min"], constraints["derivative max"] = 0.0, device["p_max_kw"]
        constraints["derivative up efficiency"] = device["cop"]
        constraints["efficiency"] = retained
        constraints["stock delta"] = [-draw for draw in device["draw_kw"]]
        return [(constraints, first / hours)]
    if kind in ("cycle", "interruptible"):
        # It has a scheduler for one process beside others that are fixed, none for several at once.
        left_out.append(device["id"])
        return []
    raise Inexpressible(f"{device['id']} ({kind})")


main("FlexMeasures 1.0.1", make)
