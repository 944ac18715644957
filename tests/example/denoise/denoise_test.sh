#!/bin/sh
# denoise_test.sh DENOISE SCENE FOLDER DEVICES: the picture comes closer to the original, as close on DEVICES as
# serially; each of DEVICES takes part, and the profile gives each row to one. DEVICES is as in DIVVY_DEVICES.
set -eu
denoise=$1 scene=$2 folder=$3 devices=$4
mkdir -p "$folder"
cd "$folder"

# run LOG ...: denoises the scene with noise added.
run() {
    log=$1
    shift
    "$@" scene.png "$log.png" --sigma 25 --prepare --profile "$log.json" --devices-image "$log-devices.png" >"$log.txt"
}

# decibels WHICH LOG: the number after "noisy" or "denoised".
decibels() {
    sed -n "s/^against the original:.* $1 \([0-9.]*\) dB.*/\1/p" "$2.txt"
}

"$scene" scene.png 333 217
if ! run here env DIVVY_DEVICES="$devices" "$denoise" 2>here.err; then
    cat here.err >&2
    grep -q "no device is left" here.err && exit 77
    exit 1
fi
run serial env DIVVY_BACKEND=serial "$denoise"
cat here.txt

awk -v noisy="$(decibels noisy here)" -v clean="$(decibels denoised here)" -v serial="$(decibels denoised serial)" '
    BEGIN {
        if (clean < noisy + 5) { print "the picture should be closer to the original by 5 dB at least"; exit 1 }
        if (clean - serial > 0.02 || serial - clean > 0.02) { print "serially it is " serial " dB"; exit 1 }
    }'
for device in $(echo "$devices" | tr , ' '); do
    grep -q "^  $device.* rows in" here.txt || { echo "$device computed nothing"; exit 1; }
done
for picture in here.png here-devices.png; do
    [ -s "$picture" ] || { echo "$picture is missing"; exit 1; }
done
