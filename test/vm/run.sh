#!/bin/bash
# Runs a command in a virtual machine, in a copy of this project as it is built: with systemd, AppArmor, and a user named `user`.
# Usage: test/vm/run.sh [--v1] SUITE COMMAND…
#   SUITE    bookworm or trixie
#   --v1     with cgroup v1, which systemd knows until version 257
# The command runs as root, by bash, in /srv/tsrunc; its output is ours, and so is its exit code. What it leaves below build/test
# comes back, to build/test/vm/SUITE. The machine's disk is as new each time.
# $VM_CACHE (build/vm) is where machines are kept, $VM_MEMORY (2048) their megabytes, $VM_TIMEOUT (1500) the seconds that they have,
# $VM_EXTRA further files and directories of the project to take along.
set -euo pipefail
kernel_options=
if [ "${1:-}" = --v1 ]; then
  kernel_options="systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
  shift
fi
[ $# -ge 2 ] || { sed -n '2,4p' "$0" >&2; exit 2; }
suite=$1
shift
cd "$(dirname "$0")/../.."
cache=${VM_CACHE:-build/vm}
command -v qemu-system-x86_64 >/dev/null || { echo "vm: needs qemu-system-x86_64 (apt-get install qemu-system-x86)" >&2; exit 1; }
mkdir -p "$cache"
exec {lock}>"$cache/$suite.lock"
flock $lock
test/vm/image.sh "$suite" "$cache/$suite" >&2
flock -u $lock

work=$(mktemp -d "${TMPDIR:-/tmp}/tsrunc-vm.XXXXXX")
machine=
trap '[ -z "$machine" ] || kill $machine 2>/dev/null; rm -rf "$work"' EXIT

# The project's disk: what git knows, what is built, and the packages that the tests run on.
mkdir -p "$work/project/.vm"
# Through a pipe: on a terminal, programs would draw, and this one is a serial line.
printf 'set -o pipefail\n{\n%s\n} 2>&1 | cat\n' "$*" > "$work/project/.vm/command"
{
  git ls-files -z --cached --others --exclude-standard
  for path in dist build/busybox src/config/generated ${VM_EXTRA:-}; do [ ! -e "$path" ] || printf '%s\0' "$path"; done
  find node_modules -mindepth 1 -maxdepth 1 -not -name @biomejs -not -name @typescript -not -name typescript -print0
} | while IFS= read -r -d '' path; do [ ! -e "$path" ] || printf '%s\0' "$path"; done |
  tar c --null --files-from=- --owner=0 --group=0 | tar x -C "$work/project"
truncate -s 2G "$work/project.ext4"
mkfs.ext4 -q -m 0 -O ^has_journal -d "$work/project" "$work/project.ext4"
rm -rf "$work/project"
truncate -s 64M "$work/results.tar"

accelerator=(-accel "tcg,thread=multi" -cpu max)
# A virtual machine may have the device without the processor's support for it.
if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then accelerator=(-accel kvm -cpu max); fi
console=$cache/$suite.console.log
drive() { echo "file=$1,format=raw,if=virtio,cache=unsafe,$2"; }
TMPDIR=$work timeout --foreground "${VM_TIMEOUT:-1500}" qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
  -machine q35 "${accelerator[@]}" -smp "$(nproc)" -m "${VM_MEMORY:-2048}" \
  -kernel "$cache/$suite/vmlinuz" -initrd "$cache/$suite/initrd.img" \
  -append "root=/dev/vda rw console=ttyS0 quiet loglevel=3 panic=-1 systemd.show_status=false mitigations=off $kernel_options" \
  -drive "$(drive "$cache/$suite/root.ext4" snapshot=on)" \
  -drive "$(drive "$work/project.ext4" snapshot=off)" \
  -drive "$(drive "$work/results.tar" snapshot=off)" \
  -device virtio-rng-pci -serial "file:$console" -serial stdio < /dev/null &
machine=$!
code=0
wait $machine || code=$?
machine=
if [ $code = 124 ]; then
  echo "vm: the machine was not done after ${VM_TIMEOUT:-1500} s; its console: $console" >&2
  exit 124
fi
results=build/test/vm/$suite${kernel_options:+-v1}
rm -rf "$results"
mkdir -p "$results"
tar xf "$work/results.tar" -C "$results" .vm/code 2>/dev/null && tar xf "$work/results.tar" -C "$results" ||
  { echo "vm: the machine ended without a result; its console: $console" >&2; exit 1; }
exit "$(cat "$results/.vm/code")"
