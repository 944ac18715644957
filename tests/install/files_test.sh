#!/bin/bash
# files_test.sh PREFIX LIBDIR VERSION: what is installed, no less and no more, and what the binaries show of themselves.
set -u
cd "$1" || exit 1
libdir=$2 version=$3
failures=0
export LC_ALL=C

complain() {
    echo "$*" >&2
    failures=$((failures + 1))
}

# same WHAT EXPECTED FOUND: two lists of lines.
same() {
    difference=$(diff <(sort -u <<<"$2") <(sort -u <<<"$3")) || complain "$1 (< expected, > found): $difference"
}

# Everything that users need is there.
for file in bin/divvy bin/divvy-bench bin/divvy_conformance include/divvy.h include/divvy/{kernel,descriptor,backend}.h \
    include/divvy/kernels/{saxpy.cl,histogram.h} "$libdir"/libdivvy.so "$libdir/libdivvy.so.$version" \
    "$libdir"/divvy/libdivvy_{cpu,serial}.so "$libdir"/libdivvy_kernels.a "$libdir"/pkgconfig/divvy{,-kernels}.pc \
    "$libdir"/cmake/divvy/{divvyConfig,divvyConfigVersion,divvyTargets,DivvyKernels}.cmake \
    share/divvy/{profile,scenario}.schema.json share/man/man1/divvy.1 share/bash-completion/completions/divvy \
    share/doc/divvy/{README.md,LICENSE}; do
    [ -f "$file" ] || complain "$file is missing"
done

# Nothing else is: no test, no tool of the developers.
while read -r file; do
    case $file in
    bin/divvy | bin/divvy-bench | bin/divvy_conformance) ;;
    include/divvy.h | include/divvy/*.h | include/divvy/kernels/*.cl) ;;
    "$libdir"/libdivvy.so* | "$libdir"/libdivvy_kernels.a) ;;
    "$libdir"/divvy/libdivvy_cpu.so | "$libdir"/divvy/libdivvy_opencl.so) ;;
    "$libdir"/divvy/libdivvy_serial.so | "$libdir"/divvy/libdivvy_sim.so) ;;
    "$libdir"/cmake/divvy/*.cmake | "$libdir"/pkgconfig/divvy*.pc) ;;
    share/divvy/*.schema.json | share/divvy/scenarios/*.json) ;;
    share/doc/divvy/* | share/man/man1/divvy* | share/bash-completion/completions/divvy) ;;
    *) complain "$file should not be installed" ;;
    esac
done < <(find . ! -type d -printf '%P\n')

# The library exports the functions of divvy.h, and knows its name.
library=$libdir/libdivvy.so
declared=$(sed -n 's/^DIVVY_API .*[ *]\(divvy_[a-z_]*\)(.*/\1/p' include/divvy.h)
same "symbols of the library" "$declared" "$(nm -D --defined-only "$library" | awk '{ print $3 }')"
[ "$(wc -l <<<"$declared")" -ge 12 ] || complain "only these are declared in divvy.h: $declared"
same "soname" "libdivvy.so.${version%%.*}" "$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\].*/\1/p')"

# A plugin exports its backend and wants nothing of the library.
for plugin in "$libdir"/divvy/*.so; do
    same "symbols of $plugin" divvy_plugin "$(nm -D --defined-only "$plugin" | awk '{ print $3 }')"
    same "$plugin wants" "" "$(nm -D --undefined-only "$plugin" | grep -o 'divvy_.*')"
done

# Kernels are hidden: libraries with kernels of one name do not meet.
visible=$(readelf -sW "$libdir/libdivvy_kernels.a" | awk '$5 == "GLOBAL" && $7 != "UND" && $6 != "HIDDEN" { print $8 }')
same "kernels that are not hidden" "" "$visible"

# No binary looks for others where it was built; beside itself it may.
for binary in bin/* "$libdir"/libdivvy.so "$libdir"/divvy/*.so; do
    same "paths in $binary" "" "$(readelf -d "$binary" | grep -E 'R(UN)?PATH' | grep -v '\[.ORIGIN/')"
done

# One version everywhere.
same "version" "divvy $version" "$(bin/divvy --version)"
same "version of the package" "$version" "$(sed -n 's/^Version: //p' "$libdir/pkgconfig/divvy.pc")"

# The installed command finds the installed backends, and no others.
unset "${!DIVVY_@}"
tried=$(bin/divvy info --json | sed -n 's/.*"path":[[:space:]]*"\(.*\)",*/\1/p')
same "backends that the command finds" "$(find "$PWD/$libdir/divvy" -name '*.so')" "$tried"

echo "$failures failed"
[ "$failures" -eq 0 ]
