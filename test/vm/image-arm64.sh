#!/bin/bash
# Builds the disk of a virtual machine of arm64, as image.sh does of this machine's own architecture: vmlinuz, initrd.img and root.ext4.
# Usage: test/vm/image-arm64.sh SUITE DIRECTORY, as root. On another architecture qemu-user-static and binfmt_misc run its programs meanwhile.
# Built once: a second call finds what the first one left, unless this script or what it takes along has changed meanwhile.
# A file of its own: a change here has no other machine built anew. $VM_MIRROR replaces mmdebstrap's default mirror.
set -euo pipefail
suite=$1 directory=$2
here=$(cd "$(dirname "$0")" && pwd)

stamp=$(cat "$here/image-arm64.sh" "$here"/guest/* | sha256sum)
if [ "$(cat "$directory/stamp" 2>/dev/null)" = "$stamp" ]; then exit; fi
for tool in mmdebstrap mkfs.ext4 arch-test; do
  command -v $tool >/dev/null || { echo "vm: building a machine needs $tool (apt-get install mmdebstrap e2fsprogs arch-test)" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "vm: building a machine needs root" >&2; exit 1; }
arch-test arm64 >/dev/null ||
  { echo "vm: building a machine of arm64 needs its programs to run here (apt-get install qemu-user-static binfmt-support)" >&2; exit 1; }

packages=(
  systemd systemd-sysv udev dbus dbus-user-session libpam-systemd login passwd kmod linux-image-cloud-arm64 initramfs-tools
  # what the tests are about, and the peers that they compare with
  apparmor apparmor-utils libseccomp2 runc crun podman conmon uidmap slirp4netns
  # what the tests use
  busybox-static iproute2 procps psmisc util-linux e2fsprogs python3-minimal gcc libc6-dev libcap2-bin jq attr strace make git ca-certificates
)
echo "vm: building a $suite machine of arm64 in $directory (once; where its programs are emulated, half an hour and more)"
mkdir -p "$directory"
tree=$(mktemp -d "$directory/tree.XXXXXX")
trap 'rm -rf "$tree"' EXIT

# Only the modules that find the disk: an initrd of everything takes longer to unpack than the whole boot.
initrd='mkdir -p "$1/usr/share/initramfs-tools/modules.d" "$1/etc/initramfs-tools/conf.d"
  printf "%s\n" virtio_pci virtio_blk virtio_console ext4 > "$1/usr/share/initramfs-tools/modules.d/tsrunc"
  printf "%s\n" MODULES=list COMPRESS=gzip > "$1/etc/initramfs-tools/conf.d/tsrunc"'
# This machine has one serial line, its console: the command's output goes through a console of virtio.
output='sed -i s:/dev/ttyS1:/dev/hvc0: "$1/usr/lib/tsrunc-vm" "$1/etc/systemd/system/tsrunc-vm.service"'
mmdebstrap --quiet --mode=root --architectures=arm64 --variant=minbase --aptopt='APT::Install-Recommends "false"' \
  --essential-hook="$initrd" --include="$(IFS=,; echo "${packages[*]}")" \
  --customize-hook="upload $here/guest/tsrunc-vm /usr/lib/tsrunc-vm" \
  --customize-hook="upload $here/guest/tsrunc-vm.service /etc/systemd/system/tsrunc-vm.service" \
  --customize-hook="upload $here/guest/setup /root/setup" \
  --customize-hook="$output" \
  --customize-hook='chroot "$1" sh /root/setup' \
  "$suite" "$tree/root" ${VM_MIRROR:+"$VM_MIRROR"} >&2

cp -L "$tree"/root/boot/vmlinuz-* "$directory/vmlinuz"
cp -L "$tree"/root/boot/initrd.img-* "$directory/initrd.img"
rm -f "$directory/root.ext4"
truncate -s 4G "$directory/root.ext4"
mkfs.ext4 -q -L root -d "$tree/root" "$directory/root.ext4"
echo "$stamp" > "$directory/stamp"
