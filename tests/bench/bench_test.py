"""bench_test.py PROGRAM [WORD]: what a bench prints as JSON is complete, for every row that it lists, and wrong usage
is refused. Says nothing about speed."""
import json
import subprocess
import sys

program = sys.argv[1:]
failures = []
QUANTILES = ["min", "p10", "p25", "median", "p75", "p90", "max"]


def run(*words):
    return subprocess.run(program + list(words), capture_output=True, text=True)


def check(held, what):
    if not held:
        failures.append(what)


def check_figure(figure, where, keys):
    for key in ["name", "calls", "rounds"] + QUANTILES + keys:
        check(key in figure, f"{where}: no {key}")
    values = [figure.get(key, 0) for key in QUANTILES]
    check(values == sorted(values), f"{where}: quantiles out of order: {values}")
    check(values[0] > 0, f"{where}: not above 0: {values}")
    check(figure.get("rounds", 0) == 2, f"{where}: {figure.get('rounds')} rounds, not 2")
    check(figure.get("name"), f"{where}: a figure without a name")


def check_result(result, where):
    for key in ["name", "unit", "better", "turns", "disturbed", "divvy", "peers"]:
        check(key in result, f"{where}: no {key}")
    check(result["better"] in ("less", "more"), f"{where}: better: {result['better']}")
    check_figure(result["divvy"], where, [])
    check("ratio" not in result["divvy"], f"{where}: divvy compared with itself")
    for peer in result["peers"]:
        key = "efficiency" if "efficiency" in peer else "ratio"
        check_figure(peer, f"{where}, {peer.get('name')}", [key])
        check(peer.get(key, 0) > 0, f"{where}, {peer.get('name')}: {key} not above 0")


def check_row(row, counted):
    where = row.get("row", "?")
    check(row.get("what"), f"{where}: no what")
    check(row.get("results") or row.get("left_out"), f"{where}: neither results nor a reason")
    for result in row.get("results", []):
        check_result(result, f"{where} {result.get('name')}")
        if where in counted:
            for figure in [result["divvy"]] + result["peers"]:
                check(0 <= figure.get("on_all_cores", -1) <= 1, f"{where}, {figure['name']}: cores not counted")


listed = [line.split()[0] for line in run("--list").stdout.splitlines()]
check(len(listed) >= 18, f"only {len(listed)} rows are listed")

answer = run("--quick", "--json")
if answer.returncode != 0:
    sys.exit(f"--quick --json: status {answer.returncode}: {answer.stderr}")
whole = json.loads(answer.stdout)
check(whole["divvy_bench"] == 1 and whole["quick"] is True, "not told what it is")
for key in ["model", "cores", "level", "memory_bytes"]:
    check(key in whole["machine"], f"machine: no {key}")
check([row["row"] for row in whole["rows"]] == listed, "rows are not those that are listed")
for row in whole["rows"]:
    check_row(row, ["empty-static", "empty-guarded"])
static = [row for row in whole["rows"] if row["row"] == "empty-static"][0]["results"][0]
check(static["divvy"].get("on_all_cores") == 1, "an empty job under static leaves out cores")

text = run("--quick", "--rounds", "1", "nbody")
check(text.returncode == 0 and "| nbody " in text.stdout, f"a table without its row: {text.stdout}{text.stderr}")
check("saxpy" not in text.stdout, "a row that was not asked for")
pattern = run("--quick", "--json", "saxpy-*")
check([row["row"] for row in json.loads(pattern.stdout)["rows"]] == ["saxpy-64", "saxpy-512"], "a pattern")

for words in [["no-such-row"], ["nbody", "no-such-row"]]:
    wrong = run(*words)
    check(wrong.returncode == 2 and all(name in wrong.stderr for name in listed), f"{words}: {wrong.stderr}")
for words in [["--rounds", "0"], ["--rounds", "x"], ["--patience", "-1"], ["--no-such-option"]]:
    wrong = run(*words)
    check(wrong.returncode == 2 and wrong.stderr and not wrong.stdout, f"{words}: {wrong.returncode} {wrong.stderr}")
check(run("--help").returncode == 0 and "--quick" in run("--help").stdout, "--help")

for failure in failures:
    print(failure, file=sys.stderr)
print(f"{len(listed)} rows, {len(failures)} failed")
sys.exit(1 if failures else 0)
