#!/bin/sh
# move.sh CMAKE BUILD SCRATCH: installs BUILD for one prefix, staged in SCRATCH, and moves that prefix to SCRATCH/moved.
set -eu
cmake=$1 build=$2 scratch=$3

rm -rf "$scratch"
mkdir -p "$scratch"
# Whatever the mask of who installs, the library must be content with the folder of its plugins.
umask 000
DESTDIR=$scratch/stage "$cmake" --install "$build" --prefix /opt/divvy-first >"$scratch/install.log"
mv "$scratch/stage/opt/divvy-first" "$scratch/moved"

# Staging leaves nothing elsewhere, and nothing remembers the first place.
rmdir "$scratch/stage/opt" "$scratch/stage"
if grep -rl divvy-first "$scratch/moved"; then
    echo "these files name the prefix that they were installed for" >&2
    exit 1
fi
