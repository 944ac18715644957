#!/bin/sh
# pkg_config_test.sh PREFIX LIBDIR MAKE PKG-CONFIG CC: builds outside/c with the installed divvy and without CMake, and
# runs it.
set -eu
prefix=$1 make=$3 pkg_config=$4 CC=$5
export CC
for variable in $(env | sed -n 's/^\(DIVVY_[A-Z_]*\)=.*/\1/p'); do unset "$variable"; done
export PKG_CONFIG_PATH="$prefix/$2/pkgconfig"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -r "$(dirname "$0")/outside/c" "$folder/source"
cd "$folder/source"

# What the package tells lies in the moved prefix.
for variable in prefix libdir includedir plugindir kerneldir divvy; do
    told=$("$pkg_config" --variable=$variable divvy)
    case $(realpath "$told")/ in
    "$(realpath "$prefix")"/*) ;;
    *)
        echo "$variable is $told" >&2
        exit 1
        ;;
    esac
done
plugins=$("$pkg_config" --variable=plugindir divvy)

"$make" "CC=$CC"
./app "$plugins" cpu
./app "$plugins"

# Nothing to do, until a header of the kernels changes.
"$make" -q "CC=$CC"
sed -i 's/3\.0f/4.0f/' factor.h
"$make" "CC=$CC"
if ./app "$plugins" 2>/dev/null; then
    echo "a changed header did not reach the kernels" >&2
    exit 1
fi
