#!/bin/bash
# Installs the engines, as Debian has them. One that cannot be installed is left out of the table, with the reason.
set -euo pipefail

packages=(runc podman buildah docker.io docker-compose containerd uidmap slirp4netns netavark aardvark-dns catatonit tini iptables
  containernetworking-plugins iproute2 procps util-linux python3)
# From Docker 23 on the client has BuildKit by its plugin alone, which Debian has since 13. Where this one has none, that of 13 is fetched.
if apt-cache show docker-buildx > /dev/null 2>&1; then packages+=(docker-buildx)
elif [ ! -e build/buildx ]; then
  echo "engines: fetching docker-buildx" >&2
  test/support/newer.sh build/buildx trixie docker-buildx usr/libexec/docker/cli-plugins/docker-buildx || echo "engines: going on without BuildKit" >&2
fi
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}\n' "$package" 2> /dev/null | grep -qx installed || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "engines: not root, so not installed: ${missing[*]}" >&2
  exit 0
fi
echo "engines: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get -q -y update > /dev/null || echo "engines: apt-get update failed; going on with the lists there are" >&2
for package in "${missing[@]}"; do
  apt-get -q -y install --no-install-recommends "$package" > /dev/null || echo "engines: could not install $package" >&2
done
