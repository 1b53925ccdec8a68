#!/bin/bash
# Builds the disk of a virtual machine out of Debian's packages: vmlinuz, initrd.img and root.ext4 in DIRECTORY.
# Usage: test/vm/image.sh SUITE DIRECTORY, as root (mmdebstrap and mkfs.ext4 make devices and owners).
# Built once: a second call finds what the first one left, unless this script has changed meanwhile.
# $VM_MIRROR replaces mmdebstrap's default mirror.
set -euo pipefail
suite=$1 directory=$2
here=$(cd "$(dirname "$0")" && pwd)

stamp=$(cat "$here/image.sh" "$here"/guest/* | sha256sum)
if [ "$(cat "$directory/stamp" 2>/dev/null)" = "$stamp" ]; then exit; fi
for tool in mmdebstrap mkfs.ext4; do
  command -v $tool >/dev/null || { echo "vm: building a machine needs $tool (apt-get install mmdebstrap e2fsprogs)" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "vm: building a machine needs root" >&2; exit 1; }

packages=(
  # a machine with a systemd manager for the system and for each user
  systemd systemd-sysv udev dbus dbus-user-session libpam-systemd login passwd kmod linux-image-cloud-amd64 initramfs-tools
  # what the tests are about, and the peers that they compare with
  apparmor apparmor-utils libseccomp2 runc crun criu
  podman conmon uidmap slirp4netns containerd docker.io containernetworking-plugins iptables
  # what the tests use
  busybox-static iproute2 procps psmisc util-linux e2fsprogs python3-minimal gcc libc6-dev libcap2-bin bats jq attr strace make git ca-certificates
)
echo "vm: building a $suite machine in $directory (some minutes, once)"
mkdir -p "$directory"
tree=$(mktemp -d "$directory/tree.XXXXXX")
trap 'rm -rf "$tree"' EXIT

# Only the modules that find the disk: an initrd of everything takes longer to unpack than the whole boot.
initrd='mkdir -p "$1/usr/share/initramfs-tools/modules.d" "$1/etc/initramfs-tools/conf.d"
  printf "%s\n" virtio_pci virtio_blk ext4 > "$1/usr/share/initramfs-tools/modules.d/tsrunc"
  printf "%s\n" MODULES=list COMPRESS=gzip > "$1/etc/initramfs-tools/conf.d/tsrunc"'
mmdebstrap --quiet --mode=root --variant=minbase --aptopt='APT::Install-Recommends "false"' \
  --essential-hook="$initrd" --include="$(IFS=,; echo "${packages[*]}")" \
  --customize-hook="upload $here/guest/tsrunc-vm /usr/lib/tsrunc-vm" \
  --customize-hook="upload $here/guest/tsrunc-vm.service /etc/systemd/system/tsrunc-vm.service" \
  --customize-hook="upload $here/guest/setup /root/setup" \
  --customize-hook='chroot "$1" sh /root/setup' \
  "$suite" "$tree/root" ${VM_MIRROR:+"$VM_MIRROR"} >&2

cp -L "$tree"/root/boot/vmlinuz-* "$directory/vmlinuz"
cp -L "$tree"/root/boot/initrd.img-* "$directory/initrd.img"
rm -f "$directory/root.ext4"
truncate -s 4G "$directory/root.ext4"
mkfs.ext4 -q -L root -d "$tree/root" "$directory/root.ext4"
echo "$stamp" > "$directory/stamp"
