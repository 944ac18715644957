#!/bin/sh
# models_test.sh DIVVY: the command models: what it lists, forgets, and carries from one folder to another.
divvy=$1
failures=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export DIVVY_MODELS="$folder/models" DIVVY_LOG=warn
now=$(date +%s)

complain() {
    echo "$*" >&2
    failures=$((failures + 1))
}

# expect STATUS PART WORD...: the command ends so, and says PART on stdout (0) or stderr (else).
expect() {
    status=$1 part=$2
    shift 2
    if [ "$status" = 0 ]; then said=$("$divvy" models "$@" 2>/dev/null); else said=$("$divvy" models "$@" 2>&1 >/dev/null); fi
    got=$?
    case "$got $said" in
    "$status "*"$part"*) ;;
    *) complain "divvy models $*: status $got, not $status, or no \"$part\" in: $said" ;;
    esac
}

# lacks PART WORD...: the command does not say PART.
lacks() {
    part=$1
    shift
    case $("$divvy" models "$@" 2>&1) in
    *"$part"*) complain "divvy models $* says $part" ;;
    esac
}

# row HOST CLASS RATE SAMPLES AGE-IN-SECONDS
row() {
    printf '{"host":"%s","backend":"fake","class":"%s","driver":"fake 1","size_class":20,"fixed_ns":1500,' "$1" "$2"
    printf '"ns_per_item":%s,"uncertainty":0.1,"samples":%s,"jobs":2,"stamp":%s}' "$3" "$4" $((now - $5))
}

# kernel HASH NAME ROWS: a file of the folder.
kernel() {
    printf '{"divvy_models":1,"kernels":[{"hash":"%s","kernel":"%s","models":[%s],"costs":[]}]}\n' "$1" "$2" "$3" \
        >"$DIVVY_MODELS/$1.json"
}

# Wrong usage.
expect 2 "say what to do"
expect 2 "is not list, show" forget
expect 2 "needs the name of a kernel" show
expect 2 "needs a file" export
expect 2 "needs a file" merge
expect 2 "needs a kernel" drop
expect 2 "not --all with others" drop saxpy --all
expect 2 "takes one kernel" list a b
expect 2 "takes no --json" drop saxpy --json
expect 2 "usage" list --nonsense
expect 0 "usage: divvy models" --help

# Nothing yet, and nothing at all. Looking makes no folder.
expect 0 "no models in $DIVVY_MODELS" list
expect 1 "there is no model of saxpy" show saxpy
expect 1 "there is no model" drop --all
[ ! -e "$DIVVY_MODELS" ] || complain "looking has made a folder"
case $(DIVVY_MODELS=off "$divvy" models list 2>&1) in
*"DIVVY_MODELS is off"*) ;;
*) complain "off is not told" ;;
esac

# What is there.
mkdir -m 700 "$DIVVY_MODELS"
here=$("$divvy" models list --json | sed -n 's/.*"machine":[^0-9a-f]*\([0-9a-f]*\)".*/\1/p')
there=ffffffffffffffffffffffffffffffff
[ ${#here} -eq 32 ] || complain "this machine is \"$here\""
saxpy=11111111111111111111111111111111 nbody=22222222222222222222222222222222
kernel $saxpy saxpy "$(row "$here" fast 2.5 40 7300),$(row "$here" slow 250 40 0),$(row $there fast 9 40 0)"
kernel $nbody nbody "$(row "$here" fast 77 1 0)"
expect 0 "2.5 ns" list
expect 0 "2 h" list
expect 0 "running" list
expect 0 "too few samples" list nbody
expect 0 "77 ns" list 2222
lacks "77 ns" list saxpy
lacks "250 ns" list --class fast
expect 0 "250 ns" list --class low
lacks "other machine" list
expect 0 "other machine" list --all
expect 0 "$saxpy" show saxpy
expect 0 "driver fake 1" show saxpy
expect 0 "machine $there" show saxpy --all
expect 1 "kernels with models: saxpy, nbody" show triad
expect 1 "there is no model" show saxpy --class none
expect 0 '"state":' list --json
expect 0 '"costs":' show saxpy --json
if command -v python3 >/dev/null; then
    "$divvy" models list --json | python3 -c '
import json, sys
known = json.load(sys.stdin)
rates = sorted(m["ns_per_item"] for k in known["kernels"] for m in k["models"])
assert rates == [2.5, 77, 250], rates
assert all(m["this_machine"] for k in known["kernels"] for m in k["models"])' || complain "list --json is wrong"
fi

# What names say is not obeyed by the terminal.
kernel 33333333333333333333333333333333 'a\u001b[2Jb' "$(row "$here" 'c\u001b[2J' 1 3 0)"
for words in list "list --json" "show 3333" "show none"; do
    # shellcheck disable=SC2086 # words
    case $("$divvy" models $words 2>&1) in
    *"$(printf '\033')"*) complain "divvy models $words prints control characters" ;;
    esac
done
rm "$DIVVY_MODELS/33333333333333333333333333333333.json"

# A file that is not believed is told; the others are shown.
echo nonsense >"$DIVVY_MODELS/44444444444444444444444444444444.json"
expect 0 "2.5 ns" list
case $("$divvy" models list 2>&1 >/dev/null) in
*44444444444444444444444444444444.json*"not JSON"*) ;;
*) complain "a damaged file is not told" ;;
esac
rm "$DIVVY_MODELS/44444444444444444444444444444444.json"

# Exported, it is the same elsewhere; merged again, it is still the same.
expect 0 "4 models of 2 kernels" export "$folder/all.json"
expect 0 "1 model of 1 kernel" export "$folder/nbody.json" nbody
expect 1 "there is no model" export "$folder/none.json" triad
[ ! -e "$folder/none.json" ] || complain "an export of nothing has made a file"
expect 1 "cannot write" export /no/where.json
before=$("$divvy" models show saxpy --all)
for times in once twice; do
    export DIVVY_MODELS="$folder/other"
    expect 0 "4 models of 2 kernels merged from $folder/all.json, 3 of this machine" merge "$folder/all.json"
    [ "$("$divvy" models show saxpy --all)" = "$before" ] || complain "merged $times it is not the same"
done
[ "$("$divvy" models export - | cksum)" = "$(cksum <"$folder/all.json")" ] || complain "exported again it is not the same"

# What both know is averaged by samples; "-" is the standard input.
sed 's/"ns_per_item":2.5,/"ns_per_item":10,/; s/"samples":40/"samples":120/' "$folder/all.json" |
    "$divvy" models merge - >/dev/null || complain "merge - failed"
expect 0 '"ns_per_item":	7.07' list saxpy --json --class fast
expect 0 '"samples":	160' list saxpy --json --class fast
expect 1 "cannot read /no/such" merge /no/such
echo '{"divvy_models": 2}' >"$folder/second.json"
expect 1 "version 2" merge "$folder/second.json"

# Forgotten.
expect 0 "1 model dropped" drop saxpy --class slow
lacks "250 ns" list --all
expect 0 "2 models dropped" drop --class fast saxpy
expect 1 "there is no model" drop saxpy
[ ! -e "$DIVVY_MODELS/$saxpy.json" ] || complain "a kernel without models has a file"
expect 0 "77 ns" list
expect 0 "1 model dropped" drop --all
expect 0 "no models" list
export DIVVY_MODELS="$folder/models"
expect 0 "2.5 ns" list

echo "$failures failed"
[ "$failures" -eq 0 ]
