#!/bin/bash
# Puts a package of another Debian release than this machine's into DIRECTORY, with all that it depends on, as DIRECTORY/tree. Nothing is
# installed: apt only fetches.
# Usage: test/support/newer.sh DIRECTORY SUITE PACKAGE PROGRAM, on Debian
#   PROGRAM  the path in the tree, without a slash before it, of what DIRECTORY has by its bare name: it runs with the tree's libraries
# Where nothing comes of it there is no directory, and the last line on stderr says why.
set -euo pipefail
directory=$(realpath -m "$1") suite=$2 package=$3 program=$4
rm -rf "$directory"
mkdir -p "$directory"/apt/{lists/partial,archives/partial,tree}
trap 'rm -rf "$directory"' ERR

# From where this machine has its own packages of Debian. That is known once lists were fetched: where there are none, for this alone.
known=()
mirror() {
  apt-get "${known[@]}" indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | grep -v security | sed -n 1p
}
from=$(mirror || true)
if [ -z "$from" ]; then
  known=(-o Dir::State::Lists="$directory/apt/known" -o Acquire::Languages=none -o APT::Sandbox::User=root)
  mkdir -p "$directory/apt/known/partial"
  apt-get -q "${known[@]}" update >/dev/null 2>&1 || true
  from=$(mirror || true)
fi
[ -n "$from" ] || { echo "no $package: this machine knows no mirror of Debian" >&2; false; }

keyring=$(ls /usr/share/keyrings/debian-archive-keyring.{gpg,pgp} 2>/dev/null | head -n 1 || true)
echo "deb [signed-by=$keyring] $from $suite main" >"$directory/apt/sources.list"
apt=(apt-get -q -y
  -o Dir::Etc::SourceList="$directory/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
  -o Dir::State="$directory/apt" -o Dir::State::status=/dev/null -o Dir::State::extended_states="$directory/apt/extended_states" -o Dir::Cache="$directory/apt"
  # A mirror that is kept as it was on a day has lists that are past their time; they are signed all the same.
  -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Debug::NoLocking=true)
"${apt[@]}" update >"$directory/apt/log" 2>&1 && "${apt[@]}" --download-only install "$package" >>"$directory/apt/log" 2>&1 || {
  echo "no $package of $suite: $(grep -E '^E:' "$directory/apt/log" | tail -n 1)" >&2
  false
}
for archive in "$directory"/apt/archives/*.deb; do dpkg-deb --extract "$archive" "$directory/tree"; done
rm -rf "$directory/apt"

libraries=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo "$(uname -m)-linux-gnu")
loader=$(cd "$directory/tree" && ls usr/lib*/ld-linux-*.so.* | head -n 1)
# By where it lies itself, so that the directory may be copied. Whoever finds it in PATH calls it by a path.
cat >"$directory/$(basename "$program")" <<END
#!/bin/sh
tree=\${0%/*}/tree
exec "\$tree/$loader" --library-path "\$tree/$libraries" "\$tree/$program" "\$@"
END
chmod +x "$directory/$(basename "$program")"
