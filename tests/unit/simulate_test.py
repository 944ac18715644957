"""simulate_test.py DIVVY SCENARIOS: what `divvy simulate` tells: the same for the same seed, of every schedule, and no worse
than what is known of the tuning worlds."""

import json
import os
import subprocess
import sys
import tempfile

divvy, scenarios = sys.argv[1:3]
failures = 0
named = ["guarded", "static", "dynamic", "guided", "tss", "fac2", "awf-c", "af", "hguided", "iterative"]


def check(good, what):
    global failures
    if not good:
        failures += 1
        print("failed:", what, file=sys.stderr)


def run(*words):
    done = subprocess.run([divvy, "simulate", *words], capture_output=True, text=True, timeout=250)
    return done.returncode, done.stdout, done.stderr


def tell(*words):
    status, out, err = run(*words, "--json")
    check(status == 0, f"{words}: status {status}: {err}")
    return json.loads(out) if status == 0 else {"schedules": [], "scenarios": []}


def refused(expected, part, *words):
    status, out, err = run(*words)
    check(status == expected and part in err and not out, f"{words}: status {status}, said {err!r}, not {part!r}")
    check(err.count("\n") == 1, f"{words}: one line, not {err!r}")


def is_number(value, low, high):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


# Every schedule in every tuning world: figures that make sense, in their order.
told = tell("tuning", "--seeds", "3")
check(told["divvy_simulation"] == 1 and told["seeds"] == 3 and told["jobs"] == 7, "what was simulated")
check([row["schedule"] for row in told["schedules"]] == named, "the schedules")
check(len(told["scenarios"]) == 14 and told["scenarios"][1]["name"] == "fast gpu", "the worlds")
for world in told["scenarios"]:
    check(set(world) == {"name", "count", "cores", "devices", "bound_ns", "schedules"}, f"fields of {world['name']}")
    check(world["count"] >= 131072 and world["cores"] >= 2 and world["bound_ns"] > 1e6, f"facts of {world['name']}")
    check([row["schedule"] for row in world["schedules"]] == named, f"schedules in {world['name']}")
    for row in world["schedules"]:
        for when in ["cold", "warm"]:
            score = row[when]
            check(is_number(score["mean"], 0.05, 1.2) and is_number(score["spread"], 0, 1) and score["failed"] == 0,
                  f"{world['name']}, {row['schedule']}: {score}")

# The summaries are those of the worlds.
for at, row in enumerate(told["schedules"]):
    for when in ["cold", "warm"]:
        means = sorted(world["schedules"][at][when]["mean"] for world in told["scenarios"])
        product = 1
        for mean in means:
            product *= mean
        check(abs(row[when]["worst"] - means[0]) < 1e-6, f"the worst of {row}")
        check(abs(row[when]["median"] - means[7]) < 1e-6, f"the median of {row}")
        check(abs(row[when]["tenth"] - means[1]) < 1e-6, f"the tenth of {row}")
        check(abs(row[when]["mean"] - product ** (1 / 14)) < 1e-5, f"the mean of {row}")

# The default beats all others there; iterative learns; what is known of the others holds.
overall = {row["schedule"]: row for row in told["schedules"]}
for name in named[1:]:
    check(overall["guarded"]["cold"]["mean"] > overall[name]["cold"]["mean"], f"guarded against {name}, cold")
check(overall["guarded"]["cold"]["mean"] > 0.85 and overall["guarded"]["warm"]["mean"] > 0.9, "guarded")
check(overall["iterative"]["warm"]["mean"] > 0.85 > overall["static"]["warm"]["mean"], "iterative, warm")
check(0.7 < overall["hguided"]["cold"]["mean"] < 0.88, "hguided with the true powers")
check(0.6 < overall["af"]["cold"]["mean"] < 0.8 and 0.4 < overall["fac2"]["cold"]["mean"] < 0.6, "af and fac2")

# The same seed gives the same bytes, another one others, on one world and on random ones.
for words in [("spikes",), ("noisy", "jit", "--schedule", "guarded"), ("--random", "20"), ("rough", "--seed", "7")]:
    for form in [(), ("--json",)]:
        check(run(*words, *form) == run(*words, *form), f"{words}: twice the same")
check(run("spikes", "--seed", "5")[1] != run("spikes", "--seed", "6")[1], "other seeds")
check(run("--random", "20", "--seed", "5")[1] != run("--random", "20", "--seed", "6")[1], "other worlds")

# A name, a file and a file elsewhere are the same scenario.
by_name = tell("ramp_up", "--seeds", "2")
by_path = tell(os.path.join(scenarios, "ramp_up.json"), "--seeds", "2")
check(by_name == by_path, "by name and by path")

# Chosen schedules come in the order in which they are named; one seed has no spread, one job is first and last.
told = tell("regular", "--schedule", "tss,static", "--schedule", "hguided:core=1,gpu=8", "--seeds", "1", "--jobs", "1")
check([row["schedule"] for row in told["schedules"]] == ["tss", "static", "hguided:core=1,gpu=8"], "chosen schedules")
rows = told["scenarios"][0]["schedules"]
check(all(row["cold"] == row["warm"] and row["cold"]["spread"] == 0 for row in rows), "one job, one seed")

# Given powers count: the true ones give what hguided alone does, wrong ones less.
told = tell("regular", "--schedule", "hguided", "--schedule", "hguided:core=1,gpu=8", "--schedule", "hguided:core=9")
means = [row["cold"]["mean"] for row in told["schedules"]]
check(means[0] == means[1] > means[2], f"powers: {means}")

# However many devices there are: near the bound, by a number of decisions for each that does not grow.
told = tell("scale", "--schedule", "guarded", "--jobs", "2")
check([world["devices"] for world in told["scenarios"]] == [2, 8, 32, 128, 512, 2048, 4096], "the scales")
for world in told["scenarios"]:
    row = world["schedules"][0]
    check(is_number(row["warm"]["mean"], 0.7, 1.2), f"{world['name']}: {row['warm']}")
    check(is_number(row["decisions"] / world["devices"], 5, 60), f"{world['name']}: {row['decisions']} decisions")
    check(row["decision_ns"] > 0, f"{world['name']}: time of a decision")
status, out, err = run("scale", "--schedule", "static", "--jobs", "1")
check(status == 0 and "decisions, ns of one" in out and "4096 devices" in out and "first job" in out, "scale as text")

# Random worlds are told together, with their own numbers as JSON.
told = tell("--random", "30", "--schedule", "guarded,hguided")
check(len(told["scenarios"]) == 30 and told["seeds"] == 1, "random worlds")
check(all(1 <= world["cores"] <= 8 and world["cores"] < world["devices"] <= 11 for world in told["scenarios"]), "their devices")
status, out, err = run("--random", "30")
check(status == 0 and "random 3" not in out and "guarded" in out, "random worlds as text")

# Devices that fail, hang or lie do not stop a job that others can do; a scenario without one that works says so.
told = tell("hostile", "--seeds", "2", "--schedule", "guarded,dynamic")
check(len(told["scenarios"]) == 8, "hostile worlds")
check(all(row[when]["failed"] == 0 for world in told["scenarios"] for row in world["schedules"]
          for when in ["cold", "warm"]), "all jobs end")
with tempfile.TemporaryDirectory() as folder:
    lost = os.path.join(folder, "lost.json")
    with open(lost, "w") as file:
        json.dump({"divvy_scenario": 1, "name": "alone", "devices": [{"type": "gpu", "lost": {"at": 2}}]}, file)
    told = tell(lost, "--schedule", "dynamic", "--seeds", "4")
    score = told["scenarios"][0]["schedules"][0]["cold"]
    check(score["failed"] == 4 and score["mean"] == 0, f"a device that is lost: {score}")
    status, out, err = run(lost, "--schedule", "dynamic", "--seeds", "4")
    check(status == 0 and "ended without a device" in out, "which is told")

    # A kernel may have a cost of its own.
    other = os.path.join(folder, "kernels.json")
    with open(other, "w") as file:
        json.dump({"divvy_scenario": 1, "devices": [{"type": "core", "copies": 2}],
                   "kernels": [{"count": 1000}, {"name": "saxpy", "count": 5000, "times": 3}]}, file)
    check(tell(other)["scenarios"][0]["count"] == 1000, "the kernel for all others")
    check(tell(other, "--kernel", "saxpy")["scenarios"][0]["count"] == 5000, "a kernel by name")

    # What is no scenario is told with its place.
    with open(other, "w") as file:
        file.write('{"divvy_scenario": 1, "devices": [{"noise": 7}]}')
    refused(1, "devices[0].noise", other)

# Text has 80 columns, the names of all, and the deviation.
status, out, err = run("tuning", "--seeds", "2")
check(status == 0 and max(len(line) for line in out.splitlines()) <= 80, "columns")
check(all(name in out for name in named) and "±" in out and "eight cores, two gpus" in out, "tables")
check("replay" not in out, "replay is not simulated here")

# The shipped ones are named.
status, out, err = run("--list")
check(status == 0 and sorted(line.split()[0] + ".json" for line in out.splitlines()) == sorted(os.listdir(scenarios)), "list")
check(out.count("tuning") == 14 and out.count("hostile") == 8, "kinds")

# Usage.
status, out, err = run("--help")
check(status == 0 and "usage: divvy simulate" in out and not err, "help")
refused(2, "a scenario is needed")
refused(1, "there is no scenario \"fair\"", "fair")
refused(1, "/no/such.json", "/no/such.json")
refused(2, "there is no schedule \"fair\"", "regular", "--schedule", "fair")
refused(2, "there is no schedule \"replay\"", "regular", "--schedule", "replay")
refused(2, "hguided:NAME=POWER", "regular", "--schedule", "hguided:core")
for bad in ["", "tss,", "tss,,af", ",", "tss:1"]:
    refused(2, "there is no schedule", "regular", "--schedule", bad)
for option in ["--seeds", "--jobs", "--random"]:
    for bad in ["0", "-1", "x", "1x", "100001", ""]:
        refused(2, option, "regular", option, bad)
refused(2, "--seed", "regular", "--seed", "0")
refused(2, "a value is missing", "regular", "--seed")
refused(2, "no option", "regular", "--sed", "1")
refused(2, "not mixed", "regular", "--random", "3")

print(failures, "failed")
sys.exit(1 if failures else 0)
