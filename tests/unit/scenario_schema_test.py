"""scenario_schema_test.py SCENARIO_READER SCHEMA FOLDER: the shipped scenarios obey the schema, and schema and reader
are of one mind about what is one."""

import copy
import json
import os
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    sys.exit(77)


def device(**fields):
    return {"divvy_scenario": 1, "devices": [fields]}


def kernel(**fields):
    return {"divvy_scenario": 1, "kernels": [fields]}


def cost(shape, **fields):
    return kernel(cost={"shape": shape, **fields})


# Scenarios that use everything once.
GOOD = [
    {"divvy_scenario": 1},
    {"divvy_scenario": 1, "name": "all ~!", "seed": 2**53, "note": 1, "_": [], "notes and more": {}},
    device(note="x", _y=1),
    device(
        name="n", copies=4096, type="accelerator", fixed_ns=3.2e17, ns_per_item=0, noise=5, depth=1, granule=7,
        memory_bytes=0, max_slice_bytes=1, latency_ns=0.5, upload_bytes_per_s=1e15, download_bytes_per_s=1,
        open_ns=1, build_ns=1, jit_ns=1, **{"class": "c"},
    ),
    device(spikes={"probability": 1, "times": 1}, slowdown={"from_ns": 0, "times": 0.01, "since": "open"}),
    device(stated={"fixed_ns": 1, "latency_ns": 0, "upload_bytes_per_s": 0, "timing": "zero"}),
    device(stated={"download_bytes_per_s": 1, "timing": "true"}, fail={"on": "launch", "at": 1, "every": 0}),
    device(hang={"at": 2, "for_ns": 1}, lost={"at": 1}),
    device(hang={}, fail={}, lost={"from_ns": 1, "_": 1}),
    device(type="core", latency_ns=0, depth=1, granule=1.0),
    device(type="cpu", staged=True, depth=2, latency_ns=1),
    kernel(name="k", times=1e-6, count=1, bytes_in=0.5, bytes_out=0, bytes_all=10**15),
    kernel(cost={}),
    cost("flat"),
    cost("ramp", **{"from": 0, "to": 1}),
    cost("bump", centre=-10, width=1000, height=0, base=1),
    cost("wave", periods=0.001, depth=1),
    cost("blocks", values=[0, 1e6]),
    cost("random", parts=1, seed=0, sigma=0),
    cost("heavy_tail", parts=65536, alpha=100, seed=9),
]

# And those with one mistake each.
BAD = [
    {},
    [],
    {"divvy_scenario": 2},
    {"divvy_scenario": "1"},
    {"divvy_scenario": 1, "Note": 1},
    {"divvy_scenario": 1, "name": ""},
    {"divvy_scenario": 1, "name": "x" * 64},
    {"divvy_scenario": 1, "name": "é"},
    {"divvy_scenario": 1, "seed": 1.5},
    {"divvy_scenario": 1, "seed": True},
    {"divvy_scenario": 1, "devices": []},
    {"divvy_scenario": 1, "devices": {}},
    {"divvy_scenario": 1, "kernels": []},
    {"divvy_scenario": 1, "kernels": [1]},
    device(name=1),
    device(**{"class": "a\nb"}),
    device(copies=0),
    device(copies=4097),
    device(type="GPU"),
    device(fixed_ns=-1),
    device(fixed_ns=3.3e17),
    device(ns_per_item="1"),
    device(noise=5.5),
    device(open_ns=None),
    device(build_ns=-0.5),
    device(jit_ns=[]),
    device(staged=0),
    device(depth=0),
    device(depth=3),
    device(type="core", depth=2),
    device(type="cpu", latency_ns=1),
    device(staged=False, upload_bytes_per_s=1),
    device(staged=False, download_bytes_per_s=1),
    device(granule=0),
    device(granule=1.5),
    device(memory_bytes=-1),
    device(max_slice_bytes=0.5),
    device(latency_ns=-1),
    device(upload_bytes_per_s=1e16),
    device(spikes=1),
    device(spikes={"probability": -0.1}),
    device(spikes={"times": 0.5}),
    device(spikes={"n": 1}),
    device(slowdown={"times": 0}),
    device(slowdown={"since": "boot"}),
    device(slowdown={"from_ns": -1}),
    device(stated={"timing": True}),
    device(stated={"fixed_ns": -1}),
    device(stated={"noise": 0}),
    device(fail={"on": "run", "at": 0}),
    device(fail={"on": "close"}),
    device(fail={"every": -1}),
    device(hang={"at": 0}),
    device(hang={"for_ns": -1}),
    device(lost={}),
    device(lost={"at": 0}),
    device(lost=3),
    kernel(name=""),
    kernel(times=0),
    kernel(count=0),
    kernel(bytes_in=-1),
    kernel(bytes_all=1.5),
    kernel(cost="flat"),
    kernel(cost={"from": 1}),
    cost("cubic"),
    cost("flat", depth=1),
    cost("ramp", **{"from": -1}),
    cost("bump", width=0),
    cost("wave", periods=0),
    cost("wave", depth=1.1),
    cost("blocks"),
    cost("blocks", values=[]),
    cost("blocks", values=[-1]),
    cost("blocks", values=["1"]),
    cost("random", parts=0),
    cost("random", alpha=1),
    cost("heavy_tail", alpha=0.4),
]


def fields_of(node, found=None):
    """Every name of a field that is used somewhere in a text."""
    found = set() if found is None else found
    if isinstance(node, dict):
        found.update(node)
        for value in node.values():
            fields_of(value, found)
    elif isinstance(node, list):
        for value in node:
            fields_of(value, found)
    return found


def names_in(schema):
    """Every name of a field that a schema knows."""
    found = set()
    if isinstance(schema, dict):
        found.update(schema.get("properties", {}))
        for value in schema.values():
            found |= names_in(value)
    elif isinstance(schema, list):
        for value in schema:
            found |= names_in(value)
    return found


def main():
    reader, schema_path, folder = sys.argv[1:]
    with open(schema_path, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    shipped = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    failures = 0

    def fail(text):
        nonlocal failures
        failures += 1
        print(text[:400], file=sys.stderr)

    with tempfile.TemporaryDirectory() as scratch:
        paths = list(shipped)
        texts = []
        for path in shipped:
            with open(path, encoding="utf-8") as file:
                texts.append(json.load(file))
        for number, text in enumerate(copy.deepcopy(GOOD + BAD)):
            paths.append(os.path.join(scratch, f"{number}.json"))
            texts.append(text)
            with open(paths[-1], "w", encoding="utf-8") as file:
                json.dump(text, file)
        said = subprocess.run([reader, *paths], check=True, capture_output=True, text=True).stdout.splitlines()

    # The shipped ones and the good ones are taken by both, the others by neither.
    good = len(shipped) + len(GOOD)
    for index, (text, verdict) in enumerate(zip(texts, said, strict=True)):
        for error in validator.iter_errors(text) if index < good else []:
            fail(f"{paths[index]}: schema: {list(error.absolute_path)}: {error.message}")
        if index < good and verdict != "ok":
            fail(f"{json.dumps(text)}: reader: {verdict}")
        if index >= good and validator.is_valid(text):
            fail(f"the schema takes {json.dumps(text)}")
        if index >= good and verdict == "ok":
            fail(f"the reader takes {json.dumps(text)}")

    # All that the schema knows is used by the good ones: the reader knows it too.
    for name in sorted(names_in(schema) - fields_of(GOOD)):
        fail(f"no scenario of this test has the field {name}")
    if len(shipped) < 20:
        fail(f"only {len(shipped)} scenarios are shipped")
    print(f"{len(texts)} scenarios, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
