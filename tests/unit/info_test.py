"""info_test.py DIVVY FAKE_FOLDER PLUGINS HYBRID: what `divvy info` tells, as JSON and as text, is what a program would get."""

import json
import os
import subprocess
import sys

divvy, fakes, plugins, hybrid = sys.argv[1:5]
failures = 0


def check(good, what):
    global failures
    if not good:
        failures += 1
        print("failed:", what, file=sys.stderr)


def ask(*words, **variables):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DIVVY_", "HWLOC_"))}
    environment.update(DIVVY_BACKEND="cpu,fake", DIVVY_PLUGIN_PATH=fakes)
    environment.update(variables)
    run = subprocess.run([divvy, "info", *words], env=environment, capture_output=True, text=True, timeout=60)
    return run.returncode, run.stdout


def tell(expected_status=0, **variables):
    status, out = ask("--json", **variables)
    check(status == expected_status, f"{variables}: status {status}, not {expected_status}")
    return json.loads(out)


def used(told):
    return sorted(device["id"] for device in told["devices"] if device["used"])


def why_not(told, id):
    return next((device.get("unused_because", "") for device in told["devices"] if device["id"] == id), "no such device")


eight = "pack:2 [numa(memory=8589934592)] l3:1(size=33554432) core:4 pu:2"
fake_names = ["fake:0", "fake:1", "fake:2", "fake:3"]
cores = [f"cpu:{i}" for i in range(8)]

# The machine: what is allowed, and each core's place.
told = tell(HWLOC_SYNTHETIC=eight)
host = told["host"]
check(host["synthetic"] and host["cores"] == 8 and host["machine_threads"] == 16, "cores of an invented machine")
check(host["numa_nodes"] == 2 and host["l3_bytes"] == 33554432 and host["memory_bytes"] == 2 << 33, "its memory")
check([core["numa_node"] for core in host["core_list"]] == [0] * 4 + [1] * 4, "nodes of cores")
check([core["cpu"] for core in host["core_list"]] == list(range(0, 16, 2)), "processors of cores")
check(all(core["hardware_threads"] == 2 for core in host["core_list"]), "hardware threads of cores")

# Who would work: all cores and all devices but the one made of cores.
check(told["workers"] == {"cores": list(range(8)), "bound": True, "cores_left_to_others": []}, "default workers")
check(used(told) == sorted(cores + fake_names), "default devices")
check("used already" in why_not(told, "fake:4"), "a device made of cores")

# Variables decide as they do for a program.
for variables, workers, bound, devices in [
    ({"DIVVY_THREADS": "2"}, [0, 1], False, ["cpu:0", "cpu:1"] + fake_names),
    ({"DIVVY_THREADS": "-2"}, list(range(7)), False, cores[:7] + fake_names),
    ({"DIVVY_THREADS": "2", "DIVVY_BIND": "scatter"}, [0, 4], True, ["cpu:0", "cpu:4"] + fake_names),
    ({"DIVVY_THREADS": "3", "DIVVY_BIND": "6,1-2"}, [6, 1, 2], True, ["cpu:1", "cpu:2", "cpu:6"] + fake_names),
    ({"DIVVY_BIND": "none"}, list(range(8)), False, cores + fake_names),
    ({"DIVVY_DEVICES": "cpu:5,fake:1"}, [5], False, ["cpu:5", "fake:1"]),
    ({"DIVVY_BACKEND": "fake"}, [], False, fake_names + ["fake:4"]),
]:
    told = tell(HWLOC_SYNTHETIC=eight, **variables)
    check(told["workers"]["cores"] == workers, f"{variables}: workers {told['workers']}")
    check(told["workers"]["bound"] == bound, f"{variables}: bound")
    check(used(told) == sorted(devices), f"{variables}: devices {used(told)}")
told = tell(HWLOC_SYNTHETIC=eight, DIVVY_DEVICES="cpu,fake:4")
check(told["workers"]["cores"] == list(range(7)) and told["workers"]["cores_left_to_others"] == [7], "a core is left")
check(used(told) == sorted(cores[:7] + ["fake:4"]), "the device on it")
check("DIVVY_DEVICES" in why_not(told, "fake:0") and "cores to use" in why_not(told, "cpu:7"), "reasons")

# Kinds of cores are classes.
told = tell(HWLOC_XMLFILE=hybrid)
check(told["host"]["core_kinds"] == 2 and told["workers"]["cores"] == [3, 4, 0, 1, 2], "the fastest first")
check([d["class"][-6:] for d in told["devices"][:5]] == ["kind 0"] * 3 + ["kind 1"] * 2, "classes")

# Every path, and why one was refused.
told = tell(DIVVY_PLUGIN_PATH=plugins + ":/nowhere", DIVVY_BACKEND="^opencl", DIVVY_FAILING_KNOB="7")
outcomes = {os.path.basename(row["path"]): row["outcome"] for row in told["backends"]}
for name, reason in [("good", "loaded"), ("abi", "99"), ("short", "8 bytes"), ("symbol", "exports no divvy_plugin"),
                     ("renamed", "calls itself"), ("sanitizer", "sanitizer other"), ("null", "lacks the function")]:
    check(reason in outcomes.get(f"libdivvy_{name}.so", ""), f"outcome of {name}")
check("No such file" in outcomes.get("nowhere", ""), "a folder that is not there")
failing = next(row for row in told["backends"] if row["path"].endswith("libdivvy_failing.so"))
check("on fire" in failing.get("probe_error", ""), "a probe that failed")

# What a program could not do is said, with what there is.
for variables, part in [({"DIVVY_DEVICES": "cpu:99"}, "cpu:99"), ({"DIVVY_THREADS": "9"}, "9"),
                        ({"DIVVY_BIND": "0-8"}, "0-8"), ({"DIVVY_SCHEDULE": "best"}, "guarded"),
                        ({"DIVVY_BACKEND": "cpu,absent"}, "libdivvy_absent.so")]:
    told = tell(1, HWLOC_SYNTHETIC=eight, **variables)
    check(part in told.get("error", ""), f"{variables}: {told.get('error')}")
    check("workers" not in told and not used(told), f"{variables}: nobody works")
    check(told["host"]["cores"] == 8, f"{variables}: the host is told")

# A profile is for programs.
path = f"/tmp/divvy-info-{os.getpid()}.json"
tell(DIVVY_PROFILE=path)
check(not os.path.exists(path), "no profile")

# The text says the same.
status, text = ask(HWLOC_SYNTHETIC=eight, DIVVY_THREADS="3", DIVVY_DEVICES="cpu,fake:0,fake:4")
for part in ["8 allowed of 8, 16 hardware threads", "core 0-3    package 0, NUMA node 0, 2 hardware threads each",
             "core 4-7    package 1, NUMA node 1", "on cores 0-1, not bound; left to other devices: 2",
             "fake direct (left out by DIVVY_DEVICES)", "core 7 (not among the cores to use)", "invented"]:
    check(part in text, f"text lacks \"{part}\":\n{text}")
status, text = ask(HWLOC_XMLFILE=hybrid)
check("core 3      package 0, NUMA node 0, kind 1 (the fastest), 1 hardware thread\n" in text, f"kinds in\n{text}")

print(failures, "failed")
sys.exit(failures > 0)
