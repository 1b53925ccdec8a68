#!/bin/bash
# Puts a newer CRIU than this machine may have into DIRECTORY, as `criu`, for the tests of checkpoints: that of a newer Debian, with its own
# libraries.
# Usage: test/support/criu.sh DIRECTORY [SUITE], as root (mmdebstrap). SUITE is forky where nothing is said: its CRIU, from 4.2 on, knows the
# sockets of Linux 6.16, which trixie's does not.
set -euo pipefail
suite=${2:-forky}
directory=$(realpath -m "$1")
rm -rf "$directory"
mkdir -p "$directory"
# A mirror that is kept as it was on a day has lists that are past their time; they are signed all the same.
mmdebstrap --quiet --mode=root --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' --include=criu "$suite" "$directory/tree" >&2
cat > "$directory/criu" <<END
#!/bin/sh
exec $directory/tree/usr/lib64/ld-linux-x86-64.so.2 --library-path $directory/tree/usr/lib/x86_64-linux-gnu $directory/tree/usr/sbin/criu "\$@"
END
chmod +x "$directory/criu"
"$directory/criu" check >&2 || true
