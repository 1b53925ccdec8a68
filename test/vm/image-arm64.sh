#!/bin/bash
# Builds the disk of a virtual machine of arm64, as image.sh does of this machine's own architecture: vmlinuz and root.ext4.
# Usage: test/vm/image-arm64.sh SUITE DIRECTORY, as root.
# Debian's packages are unpacked, not installed: no program of theirs has to run here, which on another architecture takes an hour. What
# their installation would have made is made below; there is no systemd, but guest-arm64/init.
# Built once: a second call finds what the first one left, unless this script or what it takes along has changed meanwhile.
# A file of its own: a change here has no other machine built anew. $VM_MIRROR replaces mmdebstrap's default mirror.
set -euo pipefail
suite=$1 directory=$2
here=$(cd "$(dirname "$0")" && pwd)

stamp=$(cat "$here/image-arm64.sh" "$here"/guest/tsrunc-vm "$here"/guest-arm64/* | sha256sum)
if [ "$(cat "$directory/stamp" 2>/dev/null)" = "$stamp" ]; then exit; fi
for tool in mmdebstrap mkfs.ext4 depmod; do
  command -v $tool >/dev/null || { echo "vm: building a machine needs $tool (apt-get install mmdebstrap e2fsprogs kmod)" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "vm: building a machine needs root" >&2; exit 1; }

packages=(
  base-files base-passwd bash coreutils dash debianutils diffutils findutils gawk grep gzip hostname libc-bin login mount ncurses-base passwd sed tar
  util-linux kmod linux-image-cloud-arm64
  # what the tests are about, and the peers that they compare with
  libstdc++6 libseccomp2 runc crun uidmap
  # what the tests use
  busybox-static iproute2 procps psmisc make e2fsprogs python3 libcap2-bin jq attr strace git ca-certificates
)
echo "vm: building a $suite machine of arm64 in $directory (a minute, once)"
mkdir -p "$directory"
tree=$(mktemp -d "$directory/tree.XXXXXX")
trap 'rm -rf "$tree"' EXIT

mmdebstrap --quiet --mode=root --architectures=arm64 --variant=extract --aptopt='APT::Install-Recommends "false"' \
  --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include="$(IFS=,; echo "${packages[*]}")" \
  "$suite" "$tree/root" ${VM_MIRROR:+"$VM_MIRROR"} >&2

root=$tree/root
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
echo 'user:x:1000:1000::/home/user:/bin/bash' >> "$root/etc/passwd"
echo 'user:x:1000:' >> "$root/etc/group"
echo user:100000:65536 | tee "$root/etc/subuid" > "$root/etc/subgid"
install -d -o 1000 -g 1000 "$root/home/user"
ln -sf gawk "$root/usr/bin/awk"
ln -sf which.debianutils "$root/usr/bin/which"
echo tsrunc-vm > "$root/etc/hostname"
echo '127.0.0.1 localhost tsrunc-vm' > "$root/etc/hosts"
: > "$root/etc/fstab"
ln -sfn /proc/self/mounts "$root/etc/mtab"
# Systemd's, and the disks' names: the root is no disk of virtio here.
sed -e '/^systemctl /d; s:/dev/ttyS1:/dev/hvc0:; s:/dev/vdb:/dev/vda:; s:/dev/vdc:/dev/vdb:' "$here/guest/tsrunc-vm" > "$root/usr/lib/tsrunc-vm"
install -m 0755 "$here/guest-arm64/init" "$root/sbin/init"
for modules in "$root"/usr/lib/modules/*; do depmod -b "$root/usr" "$(basename "$modules")"; done

cp -L "$root"/boot/vmlinuz-* "$directory/vmlinuz"
rm -f "$directory/root.ext4"
truncate -s 4G "$directory/root.ext4"
mkfs.ext4 -q -L root -d "$root" "$directory/root.ext4"
echo "$stamp" > "$directory/stamp"
