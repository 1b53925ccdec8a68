#!/bin/bash
# Makes the machine that engines run on: the host's programs, with a network, mounts and processes of its own. Started by machine.ts as
# the first process of new namespaces; what engines keep in /run, /var/lib, /etc and /home lies in the directory given.
# Says "ready" once all is there, and then only waits: it is the init, and takes in orphans.
set -euo pipefail
umask 022
home=$1 runtime=$2 library=$3

overlay() {
  mkdir -p "$home/upper$1" "$home/work$1"
  mount -t overlay overlay -o "lowerdir=$1,upperdir=$home/upper$1,workdir=$home/work$1" "$1"
}

own() {
  mkdir -p "$home/own$1" "$1"
  mount --bind "$home/own$1" "$1"
}

mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/user
# Podman's locks have one name on the whole machine.
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
for directory in /etc /usr/local /var/lib; do overlay "$directory"; done
# Engines' storage is an overlay by itself, whose upper directory may not lie in another.
for directory in /var/lib/containers /var/lib/docker /var/lib/containerd /home /var/tmp /var/cache; do own "$directory"; done
chmod 1777 /var/tmp

# As Debian's udev makes it: an ordinary user's network is made by it. Where there is none, the user's containers say so.
if [ -c /dev/net/tun ]; then
  mknod -m 666 "$home/tun" c 10 200
  mount --bind "$home/tun" /dev/net/tun
fi

# As `make install` would lay it; what calls itself tsrunc may be another runtime, so that both get the same configuration.
if [ -n "$library" ]; then
  install -d -m 0755 /usr/local/lib/tsrunc
  for file in "$library"/*; do
    touch "/usr/local/lib/tsrunc/$(basename "$file")"
    mount --bind "$file" "/usr/local/lib/tsrunc/$(basename "$file")"
  done
  runtime=../lib/tsrunc/$(basename "$runtime")
fi
ln -sfn "$runtime" /usr/local/bin/tsrunc
# BuildKit in dockerd calls `runc` from PATH.
ln -sfn tsrunc /usr/local/bin/runc

# Podman makes directories for controllers that are not mounted. A controller that has a v1 hierarchy somewhere is mounted: containerd's
# shim reads no cgroup where one is missing.
if [ "$(stat -f -c %T /sys/fs/cgroup)" = tmpfs ]; then
  mkdir "$home/cgroup"
  mount -t tmpfs -o mode=755 tmpfs "$home/cgroup"
  for directory in /sys/fs/cgroup/*/; do
    name=$(basename "$directory")
    if mountpoint -q "$directory"; then
      mkdir "$home/cgroup/$name" && mount --rbind "$directory" "$home/cgroup/$name"
    fi
  done
  while IFS=: read -r _ controllers _; do
    case $controllers in "" | name=*) continue ;; esac
    [ -e "$home/cgroup/${controllers%%,*}" ] && continue
    mkdir "$home/cgroup/$controllers" && mount -t cgroup -o "$controllers" cgroup "$home/cgroup/$controllers"
  done < /proc/self/cgroup
  mount --move "$home/cgroup" /sys/fs/cgroup
fi

ip link set lo up
mkdir -p "$home/files" && chmod 1777 "$home/files"
mount --bind "$home/files" /srv
mkdir "$home/own/tmp" && chmod 1777 "$home/own/tmp"
mount --bind "$home/own/tmp" /tmp
mount --make-rshared /
cd /
echo ready
# bash waits for any child meanwhile, so that orphans do not stay zombies.
sleep infinity
exit
