#!/bin/bash
# The demonstration: makes a bundle whose root filesystem is one busybox, and runs it. Prints each command before it.
set -euo pipefail

tsrunc=$(realpath "$1")
busybox=$2
bundle=$3
id=demo-$$

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() {
  printf '\033[1m+ %s\033[0m\n' "$*"
  "$@"
}

rootless=()
state=()
if [ "$(id -u)" != 0 ]; then
  rootless=(--rootless)
  if ! unshare --user --map-root-user true 2>/dev/null; then
    cat >&2 <<END
demo: this machine does not let an ordinary user make a user namespace, so a container needs root here:
    sudo make demo
(to allow it: sysctl kernel.unprivileged_userns_clone=1 on Debian 10, or
 sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu 24.04)
END
    exit 1
  fi
  if [ ! -w "${XDG_RUNTIME_DIR:-/nonexistent}" ]; then
    mkdir -p "$(dirname "$bundle")/run"
    state=(--root "$(realpath "$(dirname "$bundle")/run")")
  fi
fi

say "A root filesystem: one static busybox"
rm -rf "$bundle"
mkdir -p "$bundle"/rootfs/{bin,dev,etc,proc,sys,tmp}
cp "$busybox" "$bundle/rootfs/bin/busybox"
for applet in $("$busybox" --list); do
  [ -e "$bundle/rootfs/bin/$applet" ] || ln -s busybox "$bundle/rootfs/bin/$applet"
done
echo 'root:x:0:0:root:/:/bin/sh' > "$bundle/rootfs/etc/passwd"
echo 'root:x:0:' > "$bundle/rootfs/etc/group"
cat > "$bundle/rootfs/hello" <<'END'
#!/bin/sh
echo "Hello from inside the container."
echo
echo "hostname:  $(hostname)"
echo "user:      $(id)"
echo "user map:  $(cat /proc/self/uid_map)"
echo "kernel:    $(uname -sr)"
echo "network:   $(ls /sys/class/net 2>/dev/null | tr '\n' ' ')"
echo
echo "processes:"
ps
echo
echo "mounts:"
cut -d ' ' -f 2,3 /proc/mounts
echo
echo "the root filesystem is read-only:"
touch /file 2>&1
exit 0
END
chmod 755 "$bundle/rootfs/hello"

say "A bundle: the root filesystem and a config.json"
show "$tsrunc" spec "${rootless[@]}" --bundle "$bundle"
sed -i -e 's/"terminal": true/"terminal": false/' -e 's/"hostname": "[^"]*"/"hostname": "demo"/' "$bundle/config.json"
# The default args are ["sh"], on one line or three.
sed -i -z 's/"args": \[[^]]*\]/"args": ["\/hello"]/' "$bundle/config.json"
echo "edited: process.terminal, hostname, process.args"

say "A container"
show "$tsrunc" "${state[@]}" run --bundle "$bundle" "$id"
