#!/bin/bash
# Runs a command in a virtual machine, in a copy of this project as it is built: with systemd, AppArmor, and a user named `user`.
# Usage: test/vm/run.sh [--v1] [--arm64] SUITE COMMAND…
#   SUITE    bookworm or trixie
#   --v1     with cgroup v1, which systemd knows until version 257
#   --arm64  of that architecture, computed by qemu on any: with what `make build-arm64` made
# The command runs as root, by bash, in /srv/tsrunc; its output is ours, and so is its exit code. What it leaves below build/test
# comes back, to build/test/vm/SUITE with the options behind it. The machine's disk is as new each time.
# $VM_CACHE (build/vm) is where machines are kept, $VM_MEMORY (2048) their megabytes, $VM_TIMEOUT (1500) the seconds that they have,
# $VM_EXTRA further files and directories of the project to take along, $VM_QEMU the path of another qemu than the one on PATH, $VM_CPU a
# processor that qemu knows (`qemu-system-x86_64 -cpu help`), which is computed.
set -euo pipefail
kernel_options= variant= architecture=$(dpkg --print-architecture)
while [[ ${1:-} = --* ]]; do
  case $1 in
    --v1) kernel_options="systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1" ;;
    --arm64) architecture=arm64 ;;
    *) echo "vm: unknown option $1: there are --v1 and --arm64" >&2; exit 2 ;;
  esac
  variant+=${1#-}
  shift
done
[[ $variant != *v1* || $architecture != arm64 ]] || { echo "vm: the machine of arm64 has cgroup v2 alone" >&2; exit 2; }
[ $# -ge 2 ] || { sed -n '2,6p' "$0" >&2; exit 2; }
suite=$1
shift
cd "$(dirname "$0")/../.."
cache=${VM_CACHE:-build/vm}

# By architecture: the program, Debian's package of it, the machine, its console, where the command's output goes through, its disk's
# directory and maker, and what is taken along: what was built, and the packages of npm.
case $architecture in
  amd64)
    qemu=qemu-system-x86_64 package=qemu-system-x86 board=q35 console_device=ttyS0 output=(-serial stdio)
    image=$suite maker=image.sh built=dist packages=node_modules
    ;;
  arm64)
    qemu=qemu-system-aarch64 package=qemu-system-arm board=virt console_device=ttyAMA0
    output=(-chardev stdio,id=output,signal=off -device virtio-serial-pci -device virtconsole,chardev=output)
    image=$suite-arm64 maker=image-arm64.sh built=build/arm64/dist packages=build/arm64/node_modules
    ;;
  *) echo "vm: no machine of the architecture $architecture: there are amd64 and arm64" >&2; exit 1 ;;
esac
# Another one, by its path: of a newer release than this machine's, say.
qemu=${VM_QEMU:-$qemu}
command -v "$qemu" >/dev/null || { echo "vm: needs $qemu (apt-get install $package)" >&2; exit 1; }
mkdir -p "$cache"
exec {lock}>"$cache/$image.lock"
flock $lock
"test/vm/$maker" "$suite" "$cache/$image" >&2
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
  for path in build/busybox src/config/generated ${VM_EXTRA:-}; do [ ! -e "$path" ] || printf '%s\0' "$path"; done
} | while IFS= read -r -d '' path; do [ ! -e "$path" ] || printf '%s\0' "$path"; done |
  tar c --null --files-from=- --owner=0 --group=0 | tar x -C "$work/project"
# This machine's busybox does not run there.
[ "$architecture" = "$(dpkg --print-architecture)" ] || rm -f "$work/project/build/busybox"
[ ! -e "$built" ] || { mkdir "$work/project/dist" && cp "$built"/* "$work/project/dist"; }
tar c -C "$(dirname "$packages")" --exclude=node_modules/@biomejs --exclude=node_modules/@typescript --exclude=node_modules/typescript \
  --owner=0 --group=0 node_modules | tar x -C "$work/project"
truncate -s 2G "$work/project.ext4"
mkfs.ext4 -q -m 0 -O ^has_journal -d "$work/project" "$work/project.ext4"
rm -rf "$work/project"
truncate -s 64M "$work/results.tar"

accelerator=(-accel "tcg,thread=multi" -cpu max)
# Not `max` on arm64: with it, Bun's engine ended by a segmentation fault under qemu 7.2.
[ "$architecture" != arm64 ] || accelerator=(-accel "tcg,thread=multi" -cpu neoverse-n1)
[ -z "${VM_CPU:-}" ] || accelerator=(-accel "tcg,thread=multi" -cpu "$VM_CPU")
# A virtual machine may have the device without the processor's support for it.
if [ "$architecture" = amd64 ] && [ -z "${VM_CPU:-}" ] && [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then accelerator=(-accel kvm -cpu max); fi
console=$cache/$image.console.log
drive() { echo "file=$1,format=raw,cache=unsafe,$2"; }
if [ "$architecture" = arm64 ]; then
  # Debian's kernel has this disk's driver built in, and needs no initrd for it.
  root_device=/dev/nvme0n1
  root=(-drive "$(drive "$cache/$image/root.ext4" if=none,id=root,snapshot=on)" -device nvme,drive=root,serial=root)
else
  root_device=/dev/vda
  root=(-initrd "$cache/$image/initrd.img" -drive "$(drive "$cache/$image/root.ext4" if=virtio,snapshot=on)")
fi
TMPDIR=$work timeout --foreground "${VM_TIMEOUT:-1500}" "$qemu" -nodefaults -no-user-config -display none -no-reboot \
  -machine $board "${accelerator[@]}" -smp "$(nproc)" -m "${VM_MEMORY:-2048}" \
  -kernel "$cache/$image/vmlinuz" "${root[@]}" \
  -append "root=$root_device rw console=$console_device quiet loglevel=3 panic=-1 systemd.show_status=false mitigations=off $kernel_options" \
  -drive "$(drive "$work/project.ext4" if=virtio,snapshot=off)" \
  -drive "$(drive "$work/results.tar" if=virtio,snapshot=off)" \
  -device virtio-rng-pci -serial "file:$console" "${output[@]}" < /dev/null &
machine=$!
code=0
wait $machine || code=$?
machine=
if [ $code = 124 ]; then
  echo "vm: the machine was not done after ${VM_TIMEOUT:-1500} s; its console: $console" >&2
  exit 124
fi
results=build/test/vm/$suite$variant
rm -rf "$results"
mkdir -p "$results"
tar xf "$work/results.tar" -C "$results" .vm/code 2>/dev/null && tar xf "$work/results.tar" -C "$results" ||
  { echo "vm: the machine ended without a result; its console: $console" >&2; exit 1; }
exit "$(cat "$results/.vm/code")"
