#!/bin/bash
# Puts a newer CRIU than this machine may have into DIRECTORY, as `criu`, for the tests of checkpoints: that of a newer Debian, with its own
# libraries. Nothing is installed: apt only fetches.
# Usage: test/support/criu.sh DIRECTORY [SUITE], on Debian. SUITE is forky where nothing is said: its CRIU, from 4.2 on, knows the
# sockets of Linux 6.16, which trixie's does not.
set -euo pipefail
suite=${2:-forky}
directory=$(realpath -m "$1")
rm -rf "$directory"
mkdir -p "$directory"/apt/{lists/partial,archives/partial,tree}
# Where no CRIU comes of it there is no directory, and the tests skip.
trap 'rm -rf "$directory"' ERR

# From where this machine has its own packages of Debian.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | grep -v security | head -n 1)
keyring=$(ls /usr/share/keyrings/debian-archive-keyring.{gpg,pgp} 2>/dev/null | head -n 1 || true)
echo "deb [signed-by=$keyring] ${mirror:?this machine knows no mirror of Debian} $suite main" >"$directory/apt/sources.list"
apt=(apt-get -q -y
  -o Dir::Etc::SourceList="$directory/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
  -o Dir::State="$directory/apt" -o Dir::State::status=/dev/null -o Dir::State::extended_states="$directory/apt/extended_states" -o Dir::Cache="$directory/apt"
  # A mirror that is kept as it was on a day has lists that are past their time; they are signed all the same.
  -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Debug::NoLocking=true)
"${apt[@]}" update >"$directory/apt/log" 2>&1 && "${apt[@]}" --download-only install criu >>"$directory/apt/log" 2>&1 || {
  tail -n 3 "$directory/apt/log" >&2
  false
}
for package in "$directory"/apt/archives/*.deb; do dpkg-deb --extract "$package" "$directory/tree"; done
rm -rf "$directory/apt"

cat >"$directory/criu" <<END
#!/bin/sh
exec $directory/tree/usr/lib64/ld-linux-x86-64.so.2 --library-path $directory/tree/usr/lib/x86_64-linux-gnu $directory/tree/usr/sbin/criu "\$@"
END
chmod +x "$directory/criu"
"$directory/criu" check >&2 || true
