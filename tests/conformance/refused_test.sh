#!/bin/sh
# divvy_conformance finds every sin of the plugins here, and names the rule: refused_test.sh PROGRAM FOLDER
program=$1 folder=$2
failures=0 output=

# try STATUS WHAT RULE ARGUMENTS...: the exit status, and the rule that must be among those named; "" for none.
try() {
    wanted=$1 what=$2 rule=$3
    shift 3
    output=$("$program" --quick --seed 1 "$@" 2>&1)
    status=$?
    if [ $status -eq "$wanted" ] && { [ -z "$rule" ] || printf '%s\n' "$output" | grep -q "^rule broken: $rule:"; }; then
        return
    fi
    printf '%s: status %s, not %s with rule "%s":\n%s\n' "$what" "$status" "$wanted" "$rule" "$output"
    failures=$((failures + 1))
}

# Without a sin it passes, on copies and in place, so that each sin is what is found below.
for staged in 1 0; do
    export DIVVY_BROKEN_STAGED=$staged
    try 0 "no sin" "" "$folder/sound/libdivvy_broken.so"
done

# What is wrong with the file.
for sin in abi size name sanitizer functions exports; do
    try 1 "$sin" "$sin" --only contract "$folder/$sin/libdivvy_broken.so"
done

# What a device on copies can do wrong, and one in place.
export DIVVY_BROKEN_STAGED=1 DIVVY_BROKEN_SIN
for DIVVY_BROKEN_SIN in probe announce facts fail open units load start done results staged_reads staged_writes \
    result kept touched order all folds partition timing late leaks; do
    try 1 "$DIVVY_BROKEN_SIN, staged" $DIVVY_BROKEN_SIN --only contract "$folder/sound/libdivvy_broken.so"
done
DIVVY_BROKEN_STAGED=0
for DIVVY_BROKEN_SIN in results outside inputs beyond result touched folds deadline; do
    try 1 "$DIVVY_BROKEN_SIN, in place" $DIVVY_BROKEN_SIN --only contract "$folder/sound/libdivvy_broken.so"
done

# One that is wrong in a shipped kernel alone; one that crashes; one that hangs.
DIVVY_BROKEN_SIN=kernels
try 1 "kernels" kernels "$folder/sound/libdivvy_broken.so"
DIVVY_BROKEN_SIN=crashes
try 1 "crashes" alive "$folder/sound/libdivvy_broken.so"
DIVVY_BROKEN_SIN=hangs
try 1 "hangs" alive --patience 1 "$folder/sound/libdivvy_broken.so"
DIVVY_BROKEN_SIN=

# A rule that is left out is not broken; what is unknown is told; without a device there is nothing to pass.
DIVVY_BROKEN_SIN=timing
try 0 "left out" "" --only contract --without timing "$folder/sound/libdivvy_broken.so"
DIVVY_BROKEN_SIN=
try 2 "an unknown rule" "" --without nonsense "$folder/sound/libdivvy_broken.so"
try 2 "an unknown group" "" --only nonsense "$folder/sound/libdivvy_broken.so"
try 2 "an unknown backend" "" no_such_backend
try 2 "an unknown option" "" --nonsense cpu
try 2 "a bad seed" "" --seed x cpu
try 77 "another device" "" --only contract "$folder/sound/libdivvy_broken.so" 7

# The same seed, the same checks; the JSON is one object that says what the lines say.
DIVVY_BROKEN_SIN=results
try 1 "json" "" --json --only sizes "$folder/sound/libdivvy_broken.so"
if command -v python3 >/dev/null; then
    printf '%s' "$output" | python3 -c 'import json, sys
report = json.load(sys.stdin)
assert report["divvy_conformance"] == 1 and not report["passed"] and report["seed"] == 1
assert report["devices"] == ["broken:0 broken"]
assert [g["name"] for g in report["groups"]] == ["sizes"] and report["groups"][0]["failed"] == report["failed"] > 0
assert {b["rule"] for b in report["broken"]} == {"results"}' || failures=$((failures + 1))
fi

[ $failures -eq 0 ] && echo "every sin is found"
exit $failures
