"""A household of the schema gridtally-household-1, as other planners see it."""

import json
import time


class Inexpressible(Exception):
    """A problem has something that a planner has no words for."""


def load(path):
    with open(path) as file:
        return json.load(file)


def step_h(problem):
    return problem["resolution_min"] / 60


def retained_rate(per_h, problem):
    import math

    return math.exp(-per_h * step_h(problem))


def timed(plan, rounds):
    """Calls `plan` once to warm up and `rounds` times for the clock; returns the seconds of each and the last result."""
    result = plan()
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        result = plan()
        seconds.append(time.perf_counter() - begin)
    return seconds, result


def main(name, make):
    """Reads arguments `PROBLEM ROUNDS` and prints one JSON object with what `make(problem)` returns: a function to time, and what is lost."""
    import sys

    problem, rounds = load(sys.argv[1]), int(sys.argv[2])
    report = {"planner": name}
    try:
        plan, left_out = make(problem)
        seconds, cost = timed(plan, rounds)
        report |= {"seconds": seconds, "cost": cost, "left_out": left_out}
    except Inexpressible as why:
        report["inexpressible"] = str(why)
    print(json.dumps(report))
