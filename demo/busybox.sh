#!/bin/bash
# Puts a statically linked busybox at the path given: $BUSYBOX, the host's own, or that of Debian's busybox-static.
# Needs no root: the package is only unpacked.
set -euo pipefail

target=$1

is_static() {
  [ -x "$1" ] && ! LC_ALL=C ldd "$1" 2>/dev/null | grep -q '=>\|ld-linux'
}

take() {
  echo "busybox: $1 -> $target"
  install -D -m 0755 "$1" "$target"
}

# Downloads with lists and archives of its own where the system's are empty and not ours to fill.
download() {
  apt-get -q download busybox-static 2>/dev/null && return
  echo "busybox: updating a package list of our own in $PWD"
  mkdir -p lists/partial archives/partial
  local own=(-o Dir::State::lists="$PWD/lists" -o Dir::Cache::archives="$PWD/archives" -o Dir::Cache::pkgcache=
    -o Dir::Cache::srcpkgcache= -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)")
  apt-get -q "${own[@]}" update >&2
  apt-get -q "${own[@]}" download busybox-static >&2
}

if [ -n "${BUSYBOX:-}" ]; then
  is_static "$BUSYBOX" || { echo "busybox: BUSYBOX=$BUSYBOX is not a statically linked executable" >&2; exit 1; }
  take "$BUSYBOX"
  exit
fi

for candidate in /bin/busybox /usr/bin/busybox /bin/busybox-static; do
  if is_static "$candidate"; then
    take "$candidate"
    exit
  fi
done

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "busybox: no static busybox here, and no apt-get to fetch one: set BUSYBOX=/path/to/busybox" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "busybox: fetching Debian's busybox-static"
(cd "$work" && download && dpkg-deb -x busybox-static_*.deb root)
take "$(find "$work/root" -type f -path '*/bin/busybox')"
