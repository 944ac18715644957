#!/bin/sh
# move.sh CMAKE BUILD SCRATCH LIBDIR: installs BUILD for one prefix, staged in SCRATCH, and moves that prefix to SCRATCH/moved.
set -eu
cmake=$1 build=$2 scratch=$3 libdir=$4

rm -rf "$scratch"
mkdir -p "$scratch/stage/opt/divvy-first/$libdir"
# In a folder for libraries that is sound, the one for plugins must be too, whatever the mask of who installs.
umask 000
DESTDIR=$scratch/stage "$cmake" --install "$build" --prefix /opt/divvy-first >"$scratch/install.log"
mv "$scratch/stage/opt/divvy-first" "$scratch/moved"

# Staging leaves nothing elsewhere, and nothing remembers the first place.
rmdir "$scratch/stage/opt" "$scratch/stage"
if grep -rl divvy-first "$scratch/moved"; then
    echo "these files name the prefix that they were installed for" >&2
    exit 1
fi
