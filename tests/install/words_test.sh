#!/bin/sh
# words_test.sh SOURCE DIVVY: the manual page has every command, every option of each, and every variable, and whatever
# formats manual pages here finds no fault with it.
set -u
page=$1/tools/divvy.1 divvy=$2
failures=0
export LC_ALL=C.UTF-8

complain() {
    echo "$*" >&2
    failures=$((failures + 1))
}

# The page without its markup of hyphens; the part of one command.
text=$(sed 's/\\-/-/g' "$page")
part() {
    printf '%s\n' "$text" | sed -n "/^\.SS divvy $1\$/,/^\.S[SH] /p"
}

# has TEXT WORD: as a whole word.
has() {
    printf '%s\n' "$1" | grep -qE -e "(^|[^-[:alnum:]_])$2([^-[:alnum:]_]|\$)"
}

commands=$("$divvy" help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')
[ "$(echo "$commands" | wc -w)" -ge 3 ] || complain "divvy help tells only: $commands"
for command in $commands; do
    told=$(part "$command")
    [ -n "$told" ] || complain "no section on divvy $command"
    options=$("$divvy" help "$command" | sed -n 's/^  *\(-.*\)/\1/p' | sed 's/  .*//' |
        grep -oE -e '--?[A-Za-z][-a-z]*')
    [ -n "$options" ] || complain "divvy help $command tells no option"
    for option in $options; do
        [ "$option" = --help ] || has "$told" "$option" || complain "the section on divvy $command lacks $option"
    done
    for option in $(printf '%s\n' "$told" | grep -oE -e '--[a-z][-a-z]*'); do
        has "$("$divvy" help "$command")" "$option" || complain "divvy $command has no $option"
    done
done

variables=$("$divvy" info --env | sed -n 's/^\(DIVVY_[A-Z_]*\) .*/\1/p')
[ -n "$variables" ] || complain "divvy info --env tells no variable"
for variable in $variables; do
    has "$text" "$variable" || complain "$variable is missing"
done

if command -v mandoc >/dev/null; then
    said=$(mandoc -Tlint -Wwarning "$page") || complain "$said"
elif command -v man >/dev/null; then
    said=$(man --warnings=w -l "$page" 2>&1 >/dev/null)
    [ -z "$said" ] || complain "$said"
elif command -v groff >/dev/null; then
    said=$(groff -man -Tutf8 -ww -z "$page" 2>&1)
    [ -z "$said" ] || complain "$said"
fi

echo "$failures failed"
[ "$failures" -eq 0 ]
