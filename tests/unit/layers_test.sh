#!/bin/sh
# Who may include whom: data flows one way, and a foreign header has one home.
set -u
cd "$1" || exit 1
failures=0

# forbid WHAT PATTERN FILES...: no line of the files may match.
forbid() {
    what=$1 pattern=$2
    shift 2
    found=$(grep -rnE --include='*.[ch]' --include='*.cl' -- "$pattern" "$@")
    [ -z "$found" ] && return
    printf '%s:\n%s\n' "$what" "$found"
    failures=$((failures + 1))
}

# Each folder of the runtime includes only those above it.
forbid "base/ includes what lies below it" '#include "(machine|record|schedule|flow)/' runtime/base
forbid "machine/ includes what lies below it" '#include "(record|schedule|flow)/' runtime/machine
forbid "record/ includes what lies below it" '#include "(schedule|flow)/' runtime/record
forbid "schedule/ includes what lies below it" '#include "flow/' runtime/schedule

# Backends, kernels and the viewer see the public headers only.
forbid "a backend or kernel includes the runtime" '#include "(base|machine|record|schedule|flow)/' backends kernels
forbid "the viewer includes the runtime" '#include ("(base|machine|record|schedule|flow)/|<divvy)' \
    tools/divvy/view*.[ch] tools/divvy/compile*.c

# Public headers show nothing foreign.
forbid "a public header includes a foreign one" '#include <(hwloc|CL/|cJSON|cjson)' include

# One foreign header, one home.
forbid "hwloc.h outside of topology.c" '#include <hwloc' $(find runtime tools backends -name '*.[ch]' ! -name topology.c)
forbid "dlfcn.h outside of registry.c" '#include <dlfcn' $(find runtime tools -name '*.[ch]' ! -name registry.c)
forbid "OpenCL outside of its backend" '#include <CL/' runtime tools kernels backends/cpu backends/serial backends/sim
forbid "cJSON outside of record/, sim/ and tools/" '#include <(cJSON|cjson)' runtime/base runtime/machine runtime/schedule \
    runtime/flow runtime/divvy.c backends/cpu backends/serial backends/opencl
forbid "the environment is read outside of options.c" '\bgetenv *\(' \
    $(find runtime backends -name '*.[ch]' ! -name options.c)
forbid "the environment is changed" '\b(setenv|putenv|unsetenv) *\(' runtime backends

[ "$failures" -eq 0 ] && echo "layers hold"
exit "$failures"
