#!/bin/bash
# What `make test-arm64` runs in its machine, in a copy of the project as it was compiled for it; on a real aarch64 machine `make test` does
# more. Usage: test/vm/arm64.sh TESTS…, files or directories below test/integration
set -uo pipefail
bun=node_modules/@oven/bun-linux-aarch64/bin/bun
# An emulated processor takes minutes for what a real one does in seconds. Each test is shown as it ends.
export TSRUNC_TEST_PATIENCE=${TSRUNC_TEST_PATIENCE:-600}
patient=(--testTimeout=1800000 --reporter=verbose --reporter=./test/support/reporter.ts)
failed=
mkdir -p build/test
BUSYBOX=/bin/busybox demo/busybox.sh build/busybox
dist/tsrunc --version || failed+=" version"
demo/run.sh dist/tsrunc build/busybox build/demo || failed+=" demo"
"$bun" --bun node_modules/vitest/vitest.mjs run --project unit "${patient[@]}" || failed+=" unit"
# All files in one process: to start one takes as long as several tests.
"$bun" --bun node_modules/vitest/vitest.mjs run --project integration --no-file-parallelism --no-isolate "${patient[@]}" "$@" || failed+=" integration"
exec "$bun" test/support/summary.ts $failed
