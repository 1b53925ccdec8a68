#!/bin/bash
# Puts a newer CRIU than this machine may have into DIRECTORY, as `criu`, for the tests of checkpoints: Debian trixie's with its own libraries.
# Usage: test/support/criu.sh DIRECTORY, as root (mmdebstrap)
set -euo pipefail
directory=$(realpath -m "$1")
rm -rf "$directory"
mkdir -p "$directory"
mmdebstrap --quiet --mode=root --variant=extract --aptopt='APT::Install-Recommends "false"' --include=criu trixie "$directory/tree" >&2
cat > "$directory/criu" <<END
#!/bin/sh
exec $directory/tree/usr/lib64/ld-linux-x86-64.so.2 --library-path $directory/tree/usr/lib/x86_64-linux-gnu $directory/tree/usr/sbin/criu "\$@"
END
chmod +x "$directory/criu"
"$directory/criu" check >&2 || true
