#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# demo: unmodified firmware boots on the example board, saves its settings in our flash, has its
# process killed, and finds them again. Exit status 0 only if every step showed what it says.
set -eu
export LC_ALL=C

usage() {
	cat <<'END'
usage: demo.sh [--keep] [--only uboot|uefi] BUILD_DIR

  --keep   leave the working directory (images, console logs) and print its name
  --only   one firmware instead of both
END
}

keep=
only=
build=
while [ $# -gt 0 ]; do
	case $1 in
	--keep) keep=1 ;;
	--only)
		only=${2:-}
		case $only in uboot | uefi) ;; *) usage >&2 && exit 2 ;; esac
		shift
		;;
	-h | --help) usage && exit 0 ;;
	-*) usage >&2 && exit 2 ;;
	*) build=$1 ;;
	esac
	shift
done
here=$(cd "$(dirname "$0")" && pwd)
board=${build:-$here/../../build}/examples/board/firmem-board
uboot=/usr/lib/u-boot/qemu_arm64/u-boot.bin
uefi_code=/usr/share/AAVMF/AAVMF_CODE.fd
uefi_vars=/usr/share/AAVMF/AAVMF_VARS.fd
guid=6d656d66-6972-4d45-8d00-000000000001

bold= green= red= plain=
terminal=
if [ -t 1 ]; then
	terminal=1
	bold=$(printf '\033[1m') green=$(printf '\033[32m')
	red=$(printf '\033[31m') plain=$(printf '\033[0m')
fi

# --- saying and checking -----------------------------------------------------------------------

step_number=0
checks=0

step() {
	step_number=$((step_number + 1))
	printf '\n%s%d. %s%s\n' "$bold" "$step_number" "$*" "$plain"
}

say() {
	printf '   %s\n' "$*"
}

# Print standard input as what the guest, or a program, said.
quote() {
	sed 's/^/   | /'
}

ok() {
	checks=$((checks + 1))
	printf '   %sok%s  %s\n' "$green" "$plain" "$*"
}

fail() {
	printf '   %sNOT SO%s  %s\n' "$red" "$plain" "$*"
	exit 1
}

# shown PATTERN FILE TEXT: a line of the file matches.
shown() {
	grep -Eq -- "$1" "$2" || fail "$3"
	ok "$3"
}

need_file() {
	[ -f "$1" ] || {
		printf 'demo: %s: not there, expected from %s\n' "$1" "$2" >&2
		exit 2
	}
}

# --- the board ---------------------------------------------------------------------------------

dir=
pid=

clean() {
	trap - EXIT
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
	if [ -n "$dir" ] && [ -n "$keep" ]; then
		printf '\nkept: %s\n' "$dir"
	elif [ -n "$dir" ]; then
		rm -rf "$dir"
	fi
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# fill NAME: the script, with this run's values.
fill() {
	sed "s/@VALUE@/$value/g; s/@GUID@/$guid/g" "$here/$1.script" >"$dir/$1.script"
}

# progress: one line about how far the guest is.
progress() {
	elapsed=$(($(date +%s) - started))
	done_text=$(tail -n 1 "$dir/$1.err" |
		sed -n 's/.* \([0-9]* million instructions\)$/, \1/p')
	if [ -n "$terminal" ]; then
		printf '\r   ... %3d s%s ' "$elapsed" "$done_text"
	elif [ "$elapsed" -ge "$next_report" ]; then
		printf '   ... %3d s%s\n' "$elapsed" "$done_text"
		next_report=$((elapsed + 5))
	fi
}

end_progress() {
	[ -z "$terminal" ] || printf '\r%60s\r' ''
}

# start NAME OPTION...: the board with the script NAME, in the background, as process $pid.
start() {
	name=$1
	shift
	fill "$name"
	started=$(date +%s)
	next_report=5
	# Here already: the background process makes them when it gets to it.
	: >"$dir/$name.console"
	: >"$dir/$name.err"
	"$board" "$@" --script "$dir/$name.script" --progress \
		>"$dir/$name.console" 2>"$dir/$name.err" </dev/null &
	pid=$!
}

# trouble NAME: the board ended when it should not have.
trouble() {
	end_progress
	grep -v 'million instructions$' "$dir/$1.err" | quote
	fail "the script $1 ran to its end"
}

# wait_for_hold NAME: until the script holds, that is, until everything before was as expected.
wait_for_hold() {
	until grep -q 'firmem-board: holding' "$dir/$1.err"; do
		kill -0 "$pid" 2>/dev/null || trouble "$1"
		progress "$1"
		sleep 0.2
	done
	end_progress
}

# wait_for_end NAME: until the script is over, and all was as expected.
wait_for_end() {
	while kill -0 "$pid" 2>/dev/null; do
		progress "$1"
		sleep 0.2
	done
	wait "$pid" || trouble "$1"
	pid=
	end_progress
}

# Process $pid gets no chance to write, flush or close anything.
kill_board() {
	kill -KILL "$pid"
	status=0
	wait "$pid" 2>/dev/null || status=$?
	[ "$status" -eq 137 ] || fail "process $pid died of SIGKILL (status $status)"
	ok "process $pid was killed by SIGKILL while its guest ran"
	pid=
}

# console NAME: what the guest printed, without control sequences, empty lines and sector tables.
console() {
	tr -d '\r' <"$dir/$1.console" | sed "s/$(printf '\033')\[[0-9;=]*[A-Za-z]//g" |
		grep -Ev '^[[:space:]]*$|^( +[0-9A-F]{8}( +RO)?)+ *$|Sector Start Addresses'
}

# --- what is shown -----------------------------------------------------------------------------

show_machine() {
	step "The machine: blocks of host memory, each with a role in the guest"
	"$board" --firmware "$uboot" --vars "$dir/uboot.fd" --create --machine >"$dir/machine"
	quote <"$dir/machine"
	shown '^code +flash-code +.* 0x00000000 +64 MiB' "$dir/machine" "code flash, 64 MiB at 0"
	shown '^vars +flash-vars +.* 0x04000000 +64 MiB' "$dir/machine" "variable flash, 64 MiB after it"
	shown '^ram +ram +.* 0x40000000 +128 MiB' "$dir/machine" "RAM at 1 GiB"
}

show_uboot() {
	value=uboot-$(date +%H%M%S)-$$
	step "U-Boot, as Debian ships it, detects the flash and writes to it"
	say "firmware $uboot, variables in a new image"
	start uboot-write --firmware "$uboot" --vars "$dir/uboot.fd"
	wait_for_hold uboot-write
	console uboot-write | sed -n '/^=> flinfo/,$p' | quote
	console uboot-write >"$dir/text"
	shown '^Bank # 2: CFI .*32 x 16.*64 MB in 256 Sectors' "$dir/text" \
		"flinfo: both banks are 32 bits of two 16-bit chips, 64 MB in 256 sectors"
	shown 'Erased 8 sectors' "$dir/text" "erase: 2 MiB"
	shown '1048576 byte.s. were the same' "$dir/text" "cp.b and cmp.b: 1 MiB programmed, and the same"
	shown '^Writing to Flash\.\.\. done' "$dir/text" "setenv, saveenv: firmem=$value"

	step "Its process is killed at the prompt"
	kill_board

	step "A second process finds the environment and the data"
	start uboot-read --firmware "$uboot" --vars "$dir/uboot.fd"
	wait_for_end uboot-read
	console uboot-read | sed -n '/^Loading Env/p; /^=> printenv/,$p' | quote
	console uboot-read >"$dir/text"
	shown "^firmem=$value\$" "$dir/text" "printenv: firmem=$value"
	shown '1048576 byte.s. were the same' "$dir/text" "cmp.b: the 1 MiB is still the same"
}

show_uefi() {
	value=uefi-$(date +%H%M%S) # dmpstore shows 16 bytes a line
	step "edk2 (AAVMF), as Debian ships it, boots to the UEFI Shell and stores a variable"
	say "firmware $uefi_code, variables in a copy of $uefi_vars"
	say "each boot takes 4 to 20 seconds"
	cp "$uefi_vars" "$dir/uefi.fd"
	start uefi-write --firmware "$uefi_code" --vars "$dir/uefi.fd"
	wait_for_hold uefi-write
	console uefi-write | sed -n '/^UEFI Interactive Shell/,/^EDK/p; /^Shell> setvar/,$p' | quote
	console uefi-write >"$dir/text"
	shown "NV\+RT\+BS.*firmem" "$dir/text" "setvar -nv: a non-volatile variable"

	step "Its process is killed at the shell"
	kill_board

	step "A second process boots and finds the variable"
	start uefi-read --firmware "$uefi_code" --vars "$dir/uefi.fd"
	wait_for_end uefi-read
	console uefi-read | sed -n '/^Shell> dmpstore/,$p' | quote
	console uefi-read >"$dir/text"
	shown "\\*$value" "$dir/text" "dmpstore: firmem holds $value"
}

[ -x "$board" ] || {
	printf 'demo: %s: not there, expected a build with libunicorn and libfdt\n' "$board" >&2
	exit 2
}
need_file "$uboot" "package u-boot-qemu"
need_file "$uefi_code" "package qemu-efi-aarch64"
need_file "$uefi_vars" "package qemu-efi-aarch64"
dir=$(mktemp -d "${TMPDIR:-/tmp}/firmem-demo.XXXXXX")

[ "$only" = uefi ] || show_machine
[ "$only" = uefi ] || show_uboot
[ "$only" = uboot ] || show_uefi
printf '\n%sAll %d checks hold.%s\n' "$bold" "$checks" "$plain"
