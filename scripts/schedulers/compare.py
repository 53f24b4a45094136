"""Runs all planners on each problem, one after the other, and prints what they need side by side."""

import argparse
import json
import pathlib
import statistics
import subprocess

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
PROBLEMS = ["car-battery-panels-96", "car-battery-panels-192", "ten-devices-96", "ten-devices-288"]
# Longest that one planner may take for one problem, all rounds together, s.
PATIENCE_S = 900


def lines(command):
    """The JSON objects that a command prints, one a line; others are its own business."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        return [{"failed": f"not done after {PATIENCE_S} s"}]
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    if not found or done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        found.append({"failed": said[:200]})
    return found


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--environments", type=pathlib.Path, required=True)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--problems", nargs="+", default=PROBLEMS, choices=PROBLEMS)
    arguments.add_argument("--write", type=pathlib.Path, default=ROOT / "target" / "schedulers.json")
    arguments = arguments.parse_args()
    peers = [(name, arguments.environments / name) for name in ("flexmeasures", "emhass")]
    report = []
    for name in arguments.problems:
        problem = str(ROOT / "fixtures" / "plans" / f"{name}.json")
        rounds = str(arguments.rounds)
        ours = ["cargo", "bench", "--quiet", "--package", "gridtally-schedule", "--features", "highs", "--bench", "schedulers", "--"]
        rows = lines([*ours, problem, rounds])
        for peer, environment in peers:
            python = environment / "bin" / "python"
            if (environment / "installed").exists():
                rows += [{"planner": peer} | row for row in lines([str(python), str(HERE / f"run_{peer}.py"), problem, rounds])]
            else:
                rows.append({"planner": peer, "failed": "not installed"})
        first = next((statistics.median(row["seconds"]) for row in rows if "seconds" in row), None)
        print(f"\n{name}\n  {'planner':32} {'median ms':>10} {'times':>8} {'cost':>12}  left out")
        for row in rows:
            row["problem"] = name
            if "seconds" not in row:
                why = row.get("failed") or f"cannot express {row.get('inexpressible')}"
                print(f"  {row.get('planner', 'gridtally'):32} {why}")
                continue
            row["median_s"] = statistics.median(row["seconds"])
            left_out = ", ".join(row["left_out"]) or "nothing"
            print(f"  {row['planner']:32} {1e3 * row['median_s']:10.1f} {row['median_s'] / first:8.1f} {row['cost']:12.4f}  {left_out}")
        report += rows
    arguments.write.parent.mkdir(parents=True, exist_ok=True)
    arguments.write.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\nWritten to {arguments.write}.")


main()
