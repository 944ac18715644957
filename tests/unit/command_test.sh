#!/bin/sh
# command_test.sh DIVVY: the command itself: its exit status, and what it says where.
divvy=$1
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
for command in info view compile; do
    expect 0 "$command" help
    expect 0 "divvy $command" help "$command"
    expect 0 "divvy $command" "$command" --help
done
expect 2 "info, view, compile" no-such-command
expect 2 "info, view, compile" help no-such-command
expect 2 "one command" help view info
expect 2 "a file is needed" view
expect 1 "cannot read" view /no/such/profile

echo "$failures failed"
[ "$failures" = 0 ]
