#!/bin/bash
# Says in one line what stands in the way of making something here, before a tool says it in many in the middle.
# Usage: make/ready.sh [CHECK…], from the root of the tree, which must be there to be written to in any case. Each check is one of
#   root          the caller may make containers with cgroups
#   npm           npm and a Node that is new enough are there
#   engine PATH   the engine is there, and runs on this machine
#   room MB       so much is free
# Usage: make/ready.sh directories PATH…, where make install writes: the tree is not looked at
set -uo pipefail
goal=${GOAL:-build}

refuse() {
  printf '%s: %s\n' "$goal" "$*" >&2
  exit 1
}

# The part of a path that is there.
existing() {
  local path=$1
  while [ ! -e "$path" ] && [ ! -L "$path" ]; do path=$(dirname "$path"); done
  printf '%s' "$path"
}

# Why a path cannot be written to; it cannot.
why_not() {
  local owner
  owner=$(stat -c %U "$1")
  if [ -e "$1" ] && [ ! -d "$1" ]; then
    echo "it is no directory"
  elif [ "$(id -u)" = 0 ] || [ -O "$1" ]; then
    echo "it is read-only"
  else
    echo "it belongs to $owner, and you are $(id -un 2> /dev/null || id -u)"
  fi
}

can_write() {
  [ -d "$1" ] && [ -w "$1" ] && [ -x "$1" ]
}

if [ "${1:-}" = directories ]; then
  for path in "${@:2}"; do
    found=$(existing "$path")
    can_write "$found" || refuse "cannot write to $found: $(why_not "$found"). Become root (sudo make $goal), or name a PREFIX of your own"
  done
  exit
fi

for path in build dist node_modules src/config/generated; do
  found=$(existing "$path")
  can_write "$found" ||
    refuse "cannot write to $(realpath "$found"): $(why_not "$found"). Call make as its owner, or in a clone of your own"
done
case $(uname -s)-$(uname -m) in
  Linux-x86_64 | Linux-aarch64 | Linux-arm64) ;;
  *) refuse "needs Linux on x86_64 or aarch64, and this is $(uname -s) on $(uname -m)" ;;
esac

while [ $# -gt 0 ]; do
  check=$1
  shift
  case $check in
    root) [ "$(id -u)" = 0 ] || refuse "containers with cgroups need root: sudo make $goal" ;;
    npm)
      command -v npm > /dev/null || refuse "needs npm, which fetches the packages of package-lock.json (Debian: apt install npm)"
      version=$(node --version 2> /dev/null) || refuse "needs node, Node.js 20 or later (Debian: apt install nodejs)"
      major=${version#v}
      [ "${major%%.*}" -ge 20 ] || refuse "needs Node.js 20 or later, and $(command -v node) is $version"
      ;;
    engine)
      [ -x "$1" ] || refuse "npm has not installed $1, which is an optional package: npm ci --include=optional"
      said=$("$1" --version 2>&1 > /dev/null) || refuse "$1 does not run on this machine, which must have glibc: $(head -n 1 <<< "$said")"
      shift
      ;;
    room)
      free=$(df --output=avail -BM . | tail -n 1 | tr -dc 0-9)
      [ "$free" -ge "$1" ] || refuse "needs $1 MB of room in $PWD, where $free MB are free"
      shift
      ;;
    *) refuse "make/ready.sh knows no check called $check" ;;
  esac
done
