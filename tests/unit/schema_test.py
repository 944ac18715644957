"""schema_test.py PROFILE_SAMPLE SCHEMA: a fresh profile obeys the schema, and broken ones do not."""

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


def change(path, value):
    """A way to break a profile: sets the member at `path`, or removes it if `value` is Ellipsis."""

    def apply(profile):
        *way, last = path
        for step in way:
            profile = profile[step]
        if value is ...:
            del profile[last]
        else:
            profile[last] = value

    apply.__doc__ = f"{path} = {'(missing)' if value is ... else value!r}"
    return apply


MISTAKES = [
    change(["divvy_profile"], 2),
    change(["wall_ns"], -1),
    change(["wall_ns"], 1.5),
    change(["started"], "yesterday"),
    change(["host", "cores"], []),
    change(["host", "quota"], 0),
    change(["devices", 0, "type"], "toaster"),
    change(["devices", 0, "class"], ...),
    change(["devices", 0, "core"], -1),
    change(["jobs", 0, "start_ns"], "0"),
    change(["jobs", 0, "end_ns"], -5),
    change(["jobs", 0, "summary"], ...),
    change(["jobs", 0, "bound_basis"], "guess"),
    change(["jobs", 0, "bound_basis"], "unknown"),
    change(["jobs", 0, "bound_ns"], None),
    change(["jobs", 0, "efficiency"], 1.5),
    change(["jobs", 0, "status"], "FINE"),
    change(["jobs", 0, "colour"], "blue"),
    change(["jobs", 0, "summary", "maximum_speedup"], 0),
    change(["jobs", 0, "summary", "devices", 0, "idle_ns"], -1),
    change(["jobs", 0, "partitions", 0, "outcome"], "lost"),
    change(["jobs", 0, "partitions", 0, "reason"], "whim"),
    change(["jobs", 0, "partitions", 0, "count"], 0),
    change(["jobs", 0, "partitions", 0, "run_ns"], ...),
    change(["jobs_summed", 0, "efficiency"], 2),
    change(["jobs_summed", 0, "jobs"], 0),
    change(["models", 0, "state"], "asleep"),
    change(["events", 0, "what"], ""),
]


def main():
    sample, schema_path = sys.argv[1:]
    with open(schema_path, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    failures = 0

    # A freshly written profile obeys the schema: with few jobs, and with so many that some are summed.
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "run.json")
        for repeats in ("0", "1", "12", "5000"):
            subprocess.run([sample, path, repeats], check=True)
            with open(path, encoding="utf-8") as file:
                profile = json.load(file)
            profile["jobs"] = profile["jobs"][:9] + profile["jobs"][9:][-9:]
            for error in validator.iter_errors(profile):
                print(f"repeats {repeats}: {list(error.absolute_path)}: {error.message}"[:300], file=sys.stderr)
                failures += 1
    if not profile["jobs_summed"]:
        print("5000 jobs of one kernel were not summed", file=sys.stderr)
        failures += 1

    # Each mistake is refused. The kept jobs are thinned out first: one is enough, and quicker.
    profile["jobs"] = profile["jobs"][:1]
    for mistake in MISTAKES:
        broken = copy.deepcopy(profile)
        mistake(broken)
        if validator.is_valid(broken):
            print(f"not refused: {mistake.__doc__}", file=sys.stderr)
            failures += 1
    print(f"{4 + len(MISTAKES)} profiles, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
