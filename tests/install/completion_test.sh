#!/bin/bash
# completion_test.sh SOURCE DIVVY: what the completion offers for words that are typed; no terminal is needed.
divvy=$2
failures=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# shellcheck source=tools/completion/divvy
. "$1/tools/completion/divvy"
[[ $(complete -p divvy) == *"-F _divvy divvy" ]] || exit 1

mkdir "$folder/kernels dir"
cd "$folder" || exit 1
touch run.json run.json.2 'my run.json' blur.cl blur.c notes.txt

# offers "WORD,..." TYPED...: where the last of the words TYPED is being completed, those are offered, in any order.
offers() {
    local expected=$1 got
    shift
    # shellcheck disable=SC2034 # bash's own names, read by the completion
    COMP_WORDS=("$divvy" "$@") COMP_CWORD=$#
    COMPREPLY=()
    _divvy "$divvy" "${*: -1}" "${COMP_WORDS[$# - 1]}"
    got=$(printf '%s\n' "${COMPREPLY[@]}" | sort)
    if [[ $got != "$(sort <<<"${expected//,/$'\n'}")" ]]; then
        echo "divvy $*: offered ${COMPREPLY[*]}, not $expected" >&2
        failures=$((failures + 1))
    fi
}

# Commands, as the command itself tells them.
commands=$("$divvy" help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')
offers "$(paste -sd, <<<"$commands"),help,--help,--version" ""
offers "$(paste -sd, <<<"$commands")" help ""
offers "" help view ""
offers "view" v
offers "compile" comp
offers "" no-such

# Every option of every command.
for command in $commands; do
    options=$("$divvy" help "$command" | sed -n 's/^  *\(-.*\)/\1/p' | sed 's/  .*//' | grep -oE -e '--[a-z][-a-z]*')
    offers "$(paste -sd, <<<"$options")" "$command" --
done
offers "-o" compile -o
offers "--job,--json" view --j
offers "--json" view run.json --js

# Files of the kind that a command takes, folders always.
offers "run.json,run.json.2,my run.json,kernels dir" view ""
offers "my run.json" view my
offers "run.json,run.json.2" view --all r
offers "blur.cl,kernels dir" compile ""
offers "blur.cl,blur.c" compile blur.cl -o bl
offers "kernels dir" compile --include-dir ""
offers "kernels dir" compile -I k
offers "" compile -I b
offers "" compile --cflags ""
offers "" view --width ""
offers "" info ""

# Scenarios and schedules.
offers "run.json,my run.json,kernels dir,tuning,hostile,scale,$("$divvy" simulate --list | awk '{ print $1 }' | paste -sd,)" simulate ""
offers "ramp_down,ramp_up,regular,rough,run.json" simulate r
offers "tss" simulate jit --schedule ts
offers "guarded,guided" replay run.json --schedule gu
offers "" simulate --seeds ""
offers "run.json,run.json.2" replay r
# What can be done with models, the files for that, and the kernels that there are models of.
offers "list,show,drop,export,merge" models ""
offers "export" models e
offers "run.json,my run.json,kernels dir" models merge ""
offers "run.json" models merge run.json r
offers "run.json,my run.json,kernels dir" models export ""
offers "" models list --class ""
mkdir -m 700 models
export DIVVY_MODELS=$folder/models
offers "" models show ""
cat >models/0123456789abcdef0123456789abcdef.json <<END
{"divvy_models":1,"kernels":[{"hash":"0123456789abcdef0123456789abcdef","kernel":"saxpy","models":[],"costs":[]}]}
END
offers "saxpy" models show ""
offers "saxpy" models drop sa
rm -r models

# Rows of the benches.
offers "$("$divvy" bench --list | awk '{ print $1 }' | paste -sd,)" bench --quick ""
offers "" bench --rounds ""

echo "$failures failed"
[[ $failures -eq 0 ]]
