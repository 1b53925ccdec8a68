#!/bin/bash
# The demonstration: makes an image of two layers, takes it into a store, makes a bundle of it, runs that, and clears up. Prints each command
# before it.
set -euo pipefail

tsrunc=$(realpath "$1")
busybox=$2
demo=$3
id=demo-$$

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() {
  printf '\033[1m+ %s\033[0m\n' "$*"
  "$@"
}

state=()
if [ "$(id -u)" != 0 ]; then
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
    mkdir -p "$(dirname "$demo")/run"
    state=(--root "$(realpath "$(dirname "$demo")/run")")
  fi
fi

rm -rf "$demo"
mkdir -p "$demo"/{lower/{bin,etc,dev,proc,sys,tmp},upper}
store=$demo/store
bundle=$demo/bundle

# Whatever happens, no mount and no bundle stays.
cleanup() {
  code=$?
  trap - EXIT
  [ ! -e "$bundle/image.json" ] || "$tsrunc" image unbundle "$bundle" || true
  exit "$code"
}
trap cleanup EXIT

say "An image of two layers: one static busybox, and a script on it"
cp "$busybox" "$demo/lower/bin/busybox"
for applet in $("$busybox" --list); do
  [ -e "$demo/lower/bin/$applet" ] || ln -s busybox "$demo/lower/bin/$applet"
done
echo 'root:x:0:0:root:/:/bin/sh' > "$demo/lower/etc/passwd"
echo 'root:x:0:' > "$demo/lower/etc/group"
echo 'what the upper layer takes away' > "$demo/lower/etc/motd"
cat > "$demo/upper/hello" <<'END'
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
echo "files of the image: $(ls / | tr '\n' ' ')"
echo "etc:       $(ls /etc | tr '\n' ' ')(the upper layer took motd away)"
echo
echo "the root filesystem is read-only:"
touch /file 2>&1
exit 0
END
chmod 755 "$demo/upper/hello"
mkdir "$demo/upper/etc"
touch "$demo/upper/etc/.wh.motd"
pack() { tar --directory "$demo/$1" --owner=0 --group=0 --numeric-owner --sort=name --create --file "$demo/$1.tar" .; }
pack lower
pack upper
diff_id() { echo "sha256:$(sha256sum "$demo/$1.tar" | cut -d ' ' -f 1)"; }
case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
cat > "$demo/config.json" <<END
{
  "architecture": "$arch", "os": "linux",
  "config": { "Cmd": ["/hello"], "Env": ["PATH=/bin"] },
  "rootfs": { "type": "layers", "diff_ids": ["$(diff_id lower)", "$(diff_id upper)"] },
  "history": [{ "created_by": "a static busybox" }, { "created_by": "a script, and no motd" }]
}
END
echo '[{ "Config": "config.json", "RepoTags": ["demo:1"], "Layers": ["lower.tar", "upper.tar"] }]' > "$demo/manifest.json"
tar --directory "$demo" --create --file "$demo/demo.tar" manifest.json config.json lower.tar upper.tar
echo "made: demo.tar, as docker save writes it"

say "Into a store"
show "$tsrunc" image load --store "$store" "$demo/demo.tar"
show "$tsrunc" image list --store "$store"
show "$tsrunc" image history --store "$store" demo:1

say "A bundle: the layers, one over the other, and a config.json as the image says"
show "$tsrunc" image bundle --store "$store" --hostname demo --read-only demo:1 "$bundle"
ls "$bundle"

say "A container"
show "$tsrunc" "${state[@]}" run --bundle "$bundle" "$id"

say "Cleared up"
show "$tsrunc" image unbundle "$bundle"
show "$tsrunc" image rm --store "$store" demo:1
show "$tsrunc" image prune --store "$store"
