#!/bin/bash
# trust_test.sh PREFIX LIBDIR CC: the command and a program that links the library take backends from an installation, or
# refuse them, by the same rule.
set -u
prefix=$1 libdir=$2 cc=$3
failures=0
export LC_ALL=C
unset "${!DIVVY_@}"
export DIVVY_BACKEND=cpu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -r "$prefix" "$folder/prefix"
prefix=$folder/prefix lib=$folder/prefix/$libdir
cat >"$folder/opens.c" <<'C'
#include <divvy.h>
#include <stdio.h>
int main(void)
{
    divvy *dv;
    divvy_status status = divvy_open(&dv, NULL);
    if (status != DIVVY_OK)
        fprintf(stderr, "%s\n", divvy_error());
    divvy_close(dv);
    return status != DIVVY_OK;
}
C
"$cc" -std=c17 -I "$prefix/include" "$folder/opens.c" -o "$folder/opens" -L "$lib" -ldivvy "-Wl,-rpath,$lib" || exit 1

# judged YES|NO COMMAND...: after the command, which changes who may write, both take the backends or both do not.
judged() {
    expected=$1
    shift
    "$@" || exit 1
    for program in "$folder/opens" "$prefix/bin/divvy info"; do
        found=yes
        $program >"$folder/said" 2>&1 || found=no
        [ $found = "$expected" ] || {
            echo "after '$*' ${program##*/} takes the backends: $found"
            cat "$folder/said"
            failures=$((failures + 1))
        }
    done
}

judged yes chmod -R go-w "$prefix"
# Who may exchange the library may give it any backends.
judged yes chmod o+w "$lib"
judged no chmod o+w "$lib/divvy"
judged yes chmod o-w "$lib" "$lib/divvy"
judged yes chmod o+w "$prefix"
judged no chmod o+w "$lib/divvy/libdivvy_cpu.so"
judged yes chmod -R o-w "$prefix"

# A group that is not the owner's, which takes a superuser to make.
if [ "$(id -u)" -eq 0 ]; then
    judged yes chgrp -R 54321 "$prefix"
    judged yes chmod g+w "$lib"
    judged no chmod g+w "$lib/divvy"
fi

echo "$failures failed"
[ "$failures" -eq 0 ]
