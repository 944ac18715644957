#!/bin/sh
# command_test.sh DIVVY PLUGINS: the command itself: its exit status, and what it says where. PLUGINS: those of
# registry_test, one of which says hostile things.
divvy=$1 plugins=$2
failures=0

# expect STATUS PART WORD...: the command ends so, and says PART on stdout (0) or stderr (else).
expect() {
    status=$1 part=$2
    shift 2
    if [ "$status" = 0 ]; then said=$("$divvy" "$@" 2>/dev/null); else said=$("$divvy" "$@" 2>&1 >/dev/null); fi
    got=$?
    case "$got $said" in
    "$status "*"$part"*) ;;
    *)
        echo "divvy $*: status $got, not $status, or no \"$part\" in: $said" >&2
        failures=$((failures + 1))
        ;;
    esac
}

expect 2 "usage: divvy"
expect 0 "usage: divvy" --help
expect 0 "usage: divvy" help
expect 0 "divvy 0." --version
for command in info view compile simulate replay; do
    expect 0 "$command" help
    expect 0 "divvy $command" help "$command"
    expect 0 "divvy $command" "$command" --help
done
expect 2 "info, view, compile, simulate, replay" no-such-command
expect 2 "info, view, compile, simulate, replay" help no-such-command
expect 2 "one command" help view info
expect 2 "a file is needed" view
expect 1 "cannot read" view /no/such/profile

# Output that cannot be written is a failure of every command.
if [ -c /dev/full ]; then
    for words in info "info --json" "info --env" "simulate jit" "simulate jit --json"; do
        # shellcheck disable=SC2086 # words
        said=$("$divvy" $words 2>&1 >/dev/full)
        case "$? $said" in
        "1 "*"could not be written"*) ;;
        *)
            echo "divvy $words to a full disk: $said" >&2
            failures=$((failures + 1))
            ;;
        esac
    done
fi

# Nothing that a driver, a path or a variable says is obeyed by the terminal.
export DIVVY_BACKEND=hostile DIVVY_HOSTILE_KNOB=7 DIVVY_BIND="$(printf 'none\033[2J\302\233')"
export DIVVY_PLUGIN_PATH="$plugins:$(printf '/no\033[2J/where')"
for words in info "info --json" "info --env" "info --env --json"; do
    # shellcheck disable=SC2086 # words
    said=$("$divvy" $words 2>&1)
    case $said in
    *"$(printf '\033')"* | *"$(printf '\302\233')"*)
        echo "divvy $words prints control characters" >&2
        failures=$((failures + 1))
        ;;
    *hostile* | *DIVVY_BIND*) ;;
    *)
        echo "divvy $words: $said" >&2
        failures=$((failures + 1))
        ;;
    esac
done
unset DIVVY_BACKEND DIVVY_HOSTILE_KNOB DIVVY_BIND DIVVY_PLUGIN_PATH

echo "$failures failed"
[ "$failures" = 0 ]
