#!/bin/sh
# without_tests_test.sh CMAKE SOURCE SCRATCH CMAKE-OPTIONS...: who builds without the tests installs the same files, the
# suite that authors of plugins run among them, and has no tests.
set -eu
cmake=$1 source=$2 scratch=$3
shift 3

rm -rf "$scratch"
"$cmake" -S "$source" -B "$scratch" -DDIVVY_TESTS=OFF "$@" >"$scratch.log" 2>&1 || { cat "$scratch.log"; exit 1; }

# installs FILE: one of the scripts of `cmake --install` has it.
installs() {
    find "$scratch" -name cmake_install.cmake -exec grep -q "$1\"" {} + || { echo "$1 is not installed" >&2; exit 1; }
}
installs bin/divvy
installs bin/divvy-bench
installs bin/divvy_conformance

tests=$("$cmake" -E chdir "$scratch" ctest -N | sed -n 's/^Total Tests: //p')
[ "$tests" = 0 ] || { echo "there are $tests tests" >&2; exit 1; }
