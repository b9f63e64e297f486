#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `meson install` into an empty folder, and a program built from that by pkg-config: in C and C++,
# against the shared and the static library. install.sh BUILD CONSUMER CC CXX PKG_CONFIG
set -eu
build=$1 consumer=$2 cc=$3 cxx=$4 pkg_config=$5
dest=$(mktemp -d -t firmem-install-XXXXXX)
trap 'rm -rf "$dest"' EXIT
trap 'exit 1' TERM # a time limit's: the folder goes too

DESTDIR=$dest meson install -C "$build" --no-rebuild >"$dest/log" 2>&1 || {
	cat "$dest/log"
	exit 1
}
pc=$(find "$dest" -name firmem.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
prefix=$dest$(sed -n 's/^prefix=//p' "$pc")
flags() {
	"$pkg_config" --define-variable=prefix="$prefix" "$@"
}
LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
export LD_LIBRARY_PATH

strict="-Wall -Wextra -pedantic -Werror -Wno-missing-field-initializers"
"$cc" -std=c11 $strict "$consumer" -o "$dest/c" $(flags --cflags --libs firmem)
"$dest/c"
"$cxx" -std=c++17 $strict -xc++ "$consumer" -xnone -o "$dest/c++" $(flags --cflags --libs firmem)
"$dest/c++"

# Static: nothing of the shared library is left.
"$cc" -std=c11 $strict "$consumer" -o "$dest/static" $(flags --cflags firmem) \
	-Wl,-Bstatic $(flags --libs-only-l firmem) -L"$LD_LIBRARY_PATH" -Wl,-Bdynamic \
	$(flags --static --libs firmem | sed 's/-lfirmem//')
LD_LIBRARY_PATH= "$dest/static"

# Every .pc file that was installed leads to headers and libraries that are there.
for pc in "$PKG_CONFIG_PATH"/*.pc; do
	name=$(basename "$pc" .pc)
	printf '#include <firmem/base.h>\nint main(void) { return !fm_version(); }\n' |
		"$cc" -xc - -xnone -o "$dest/one" $(flags --cflags --libs "$name")
	"$dest/one"
	echo "$name.pc: ok"
done

# Every public header is installed.
for header in "$(dirname "$0")"/../../include/firmem/*.h; do
	[ -f "$prefix/include/firmem/$(basename "$header")" ] || {
		echo "not installed: $(basename "$header")"
		exit 1
	}
done
