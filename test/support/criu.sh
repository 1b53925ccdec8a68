#!/bin/bash
# Puts a newer CRIU than this machine may have into DIRECTORY, as `criu`, for the tests of checkpoints.
# Usage: test/support/criu.sh DIRECTORY [SUITE], on Debian. SUITE is forky where nothing is said: its CRIU, from 4.2 on, knows the
# sockets of Linux 6.16, which trixie's does not.
set -euo pipefail
"$(dirname "$0")/newer.sh" "$1" "${2:-forky}" criu usr/sbin/criu
"$1/criu" check >&2 || true
