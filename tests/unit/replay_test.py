"""replay_test.py DIVVY: what `divvy replay` makes of recorded jobs whose devices and costs are known."""

import json
import os
import subprocess
import sys
import tempfile

divvy = sys.argv[1]
failures = 0
folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "profile.json")
named = ["guarded", "static", "dynamic", "guided", "tss", "fac2", "awf-c", "af", "hguided", "iterative"]
devices = [
    {"id": "cpu:0", "name": "core 0", "backend": "cpu", "class": "core", "type": "core", "granule": 1, "fixed_ns": 2000},
    {"id": "cpu:1", "name": "core 1", "backend": "cpu", "class": "core", "type": "core", "granule": 1, "fixed_ns": 2000},
    {"id": "opencl:0", "name": "A \x1b[2J gpu", "backend": "opencl", "class": "gpu", "type": "gpu", "granule": 64,
     "staged": True, "fixed_ns": 300000},
]
rates = [1000, 1000, 125]


def check(good, what):
    global failures
    if not good:
        failures += 1
        print("failed:", what, file=sys.stderr)


def until(shape, x):
    return x if shape == "flat" else 0.1 * x + 0.95 * x * x


def divide(count, size, shape, work=rates):
    """A job that is divided as dynamic does, in exact time: the gpu from the far end, the cores from the front."""
    near, far, free, partitions = 0, count, [0, 0, 0], []
    while near < far:
        device = min(range(3), key=lambda d: free[d])
        taken = min(size * 4 if device == 2 else size, far - near)
        first = far - taken if device == 2 else near
        near, far = (near, far - taken) if device == 2 else (near + taken, far)
        cost = count * (until(shape, (first + taken) / count) - until(shape, first / count)) / until(shape, 1)
        start = free[device]
        free[device] += round(devices[device]["fixed_ns"] + work[device] * cost)
        partitions.append({"device": device, "first": first, "count": taken, "start_ns": start + 1000,
                           "end_ns": free[device] + 1000, "outcome": "accepted"})
    return partitions


def job_of(partitions, count, id=1, schedule="dynamic", kernel="saxpy"):
    end = max(partition["end_ns"] for partition in partitions)
    uses = []
    for device in range(3):
        own = [partition for partition in partitions if partition["device"] == device]
        uses.append({"device": device, "partitions": len(own), "items": sum(p["count"] for p in own),
                     "busy_ns": sum(p["end_ns"] - p["start_ns"] for p in own), "ready_ns": 1000, "ns_per_item": None})
    return {"id": id, "name": kernel, "kernel": kernel, "count": count, "schedule": schedule, "start_ns": 1000,
            "end_ns": end, "bound_ns": (end - 1000) * 9 // 10, "bound_basis": "measured", "status": "OK",
            "summary": {"devices": uses}, "partitions": partitions}


def write(*jobs, **others):
    with open(path, "w") as file:
        json.dump({"divvy_profile": 1, "devices": devices, "jobs": list(jobs), **others}, file)


def run(*words):
    done = subprocess.run([divvy, "replay", *words], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def tell(*words):
    status, out, err = run(path, *words, "--json")
    check(status == 0, f"{words}: status {status}: {err}")
    return json.loads(out) if status == 0 else {"devices": [], "schedules": [], "again": []}


def refused(expected, part, *words):
    status, out, err = run(*words)
    check(status == expected and part in err and not out, f"{words}: status {status}, said {err!r}, not {part!r}")


def near(value, expected, part):
    return abs(value / expected - 1) <= part


# Rates are found where the work lies evenly, and where it does not; the same schedule takes the same time again.
for shape, tolerance in [("flat", 0.001), ("ramp", 0.02)]:
    partitions = divide(131072, 512, shape)
    write(job_of(partitions, 131072))
    told = tell()
    found = {device["id"]: device for device in told["devices"]}
    ratio = found["cpu:0"]["ns_per_item"] / found["opencl:0"]["ns_per_item"]
    check(near(ratio, 8, tolerance), f"{shape}: a core's rate over the gpu's is {ratio}, not 8")
    check(near(found["cpu:1"]["ns_per_item"], 1000, tolerance), f"{shape}: {found}")
    check(near(told["again"][0]["over_recorded"], 1, 0.1), f"{shape}: again {told['again']}")
    check([row["schedule"] for row in told["schedules"]] == named, f"{shape}: schedules")
    for row in told["schedules"]:
        check(0 < row["efficiency"] < 1.01 and near(row["bound_ns"] / row["efficiency"], row["time_ns"], 1e-4),
              f"{shape}: {row}")
        check(near(sum(share["share"] for share in row["shares"]), 1, 1e-4), f"{shape}: shares of {row}")
    times = {row["schedule"]: row["time_ns"] for row in told["schedules"]}
    check(times["guarded"] < times["dynamic"] and times["guarded"] < times["static"], f"{shape}: {times}")

# Fewer devices take longer, by what was recorded of them.
flat = divide(131072, 512, "flat")
write(job_of(flat, 131072))
everything = tell("--schedule", "guarded")["schedules"][0]
cores = tell("--schedule", "guarded", "--devices", "cpu")
check([device["id"] for device in cores["devices"]] == ["cpu:0", "cpu:1"], "cores alone")
check(near(cores["schedules"][0]["time_ns"], 131072 * 1000 / 2, 0.01), f"two cores: {cores['schedules']}")
one = tell("--schedule", "static", "--devices", "cpu:1")["schedules"][0]
check(near(one["time_ns"], 131072 * 1000, 0.01), f"one core: {one}")
gpu = tell("--schedule", "static", "--devices", "opencl:name~GPU")["schedules"][0]
check(near(gpu["time_ns"], 131072 * 125 + 300000, 0.01), f"the gpu alone: {gpu}")
check(everything["time_ns"] < gpu["time_ns"], "all together")

# Given powers count.
times = [tell("--schedule", text)["schedules"][0]["time_ns"] for text in ["hguided:cpu=1,opencl=8", "hguided:gpu=0.1"]]
check(times[0] < times[1], f"powers: {times}")

# Duplicates and failures beside what was accepted do not disturb it.
noisy = [dict(flat[0], outcome="failed"), dict(flat[3], outcome="dropped")] + flat
write(job_of(noisy, 131072))
check(tell("--schedule", "static")["devices"] == tell("--schedule", "static")["devices"], "again")
check(near(tell("--schedule", "static")["devices"][0]["ns_per_item"], 1000, 0.001), "failed partitions")

# A job that others came before is simulated with what they learned.
second = job_of([dict(p, start_ns=p["start_ns"] + 10**9, end_ns=p["end_ns"] + 10**9) for p in flat], 131072, id=2)
second["start_ns"] = 10**9 + 1000
for use in second["summary"]["devices"]:
    use["ready_ns"] = 10**9 + 1000
write(job_of(flat, 131072), second)
first, later = tell("--job", "1", "--schedule", "static"), tell("--job", "2", "--schedule", "static")
check(first["job"]["first_of_kernel"] and not later["job"]["first_of_kernel"], "first and later")
check(later["schedules"][0]["efficiency"] > 0.95 > first["schedules"][0]["efficiency"], "what static has learned")

# A job by number, name or kernel; by default the longest that kept its partitions.
short = job_of(divide(13107, 512, "flat"), 13107, id=7, kernel="short")
long = dict(job_of(flat, 131072, id=8, kernel="long"), partitions=[])
long["end_ns"] += 10**10
write(short, job_of(flat, 131072, id=9), long)
check(tell()["job"]["id"] == 9 and tell("--job", "short")["job"]["id"] == 7 and tell("--job", "7")["job"]["id"] == 7, "jobs")
refused(1, "DIVVY_PROFILE_JOBS", path, "--job", "long")
refused(1, "no job", path, "--job", "other")

# Partitions that do not cover the job, or are not there, are refused with what to do.
write(job_of(flat[1:], 131072))
refused(1, "do not cover", path)
write(dict(job_of(flat, 131072), partitions=[]))
refused(1, "DIVVY_PROFILE_JOBS", path)
write()
refused(1, "no job", path)
with open(path, "w") as file:
    file.write("{}")
refused(1, "not a", path)
refused(1, "cannot read", "/no/such/profile")

# Damaged numbers end in figures or in a sentence, never otherwise.
for name, value in [("fixed_ns", 1e300), ("fixed_ns", -5), ("granule", 1e300), ("granule", 0), ("granule", 1e14), ("type", 7),
                    ("id", None), ("class", {})]:
    before = devices[2].get(name)
    devices[2][name] = value
    write(job_of(flat, 131072))
    status, out, err = run(path)
    check(status in (0, 1) and (out if status == 0 else err), f"{name} {value}: {status} {err}")
    devices[2][name] = before

# Text fits 80 columns, and hostile names do no harm.
write(job_of(flat, 131072, kernel="a \x1b[2J name"))
status, out, err = run(path)
check(status == 0 and "\x1b" not in out and max(len(line) for line in out.splitlines()) <= 80, "text")
check(all(name in out for name in named) and "recorded: dynamic" in out and "the same, simulated" in out, "rows")
check(run(path) == run(path) and run(path, "--json") == run(path, "--json"), "twice the same")
refused(1, "passes the filter", path, "--devices", "sim")
refused(1, "devices is", path, "--devices", "cpu[")

# Usage.
status, out, err = run("--help")
check(status == 0 and "usage: divvy replay" in out and not err, "help")
refused(2, "a profile is needed")
refused(2, "one profile is enough", path, path)
refused(2, "there is no schedule", path, "--schedule", "fair")
refused(2, "a value is missing", path, "--job")
refused(2, "no option", path, "--jobs")

print(failures, "failed")
sys.exit(1 if failures else 0)
