#!/bin/sh
# outside_test.sh PREFIX PROJECT CMAKE-OPTIONS...: builds a project of outside/ with the installed divvy, away from this
# tree, runs its tests, and sees that its kernels are built anew when, and only when, something of theirs has changed.
set -eu
prefix=$1 project=$2
shift 2
unset DESTDIR
for variable in $(env | sed -n 's/^\(DIVVY_[A-Z_]*\)=.*/\1/p'); do unset "$variable"; done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -r "$(dirname "$0")/outside/$project" "$folder/source"
cd "$folder"

fail() {
    echo "$*" >&2
    exit 1
}

cmake -S source -B build "-DCMAKE_PREFIX_PATH=$prefix" "$@" >cmake.log 2>&1 || { cat cmake.log; exit 1; }
if grep -A5 -i warning cmake.log; then exit 1; fi
cmake --build build >build.log 2>&1 || { cat build.log; exit 1; }
grep -q "Compiling kernels" build.log || fail "the build does not tell of kernels"
(cd build && ctest --output-on-failure)

cmake --build build >build.log 2>&1
if grep "Compiling kernels" build.log; then
    fail "kernels were built again though nothing has changed"
fi
if [ -f source/factor.h ]; then
    sed -i 's/3\.0f/4.0f/' source/factor.h
    cmake --build build >build.log 2>&1
    if (cd build && ctest >ctest.log 2>&1); then fail "a changed header did not reach the kernels"; fi
fi

# Kernels have what a debugger needs in a Debug build, and only there.
debug=no
case " $* " in *" -DCMAKE_BUILD_TYPE=Debug "*) debug=yes ;; esac
for object in build/*.kernels/*.o; do
    found=no
    if readelf -SW "$object" | grep -q '\.debug_info'; then found=yes; fi
    [ $found = $debug ] || fail "$object: what a debugger needs is there: $found"
done
