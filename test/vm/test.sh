#!/bin/bash
# Runs integration tests in each virtual machine, and ends as `make test` does: with `N passed, N failed, N skipped`.
# Usage: test/vm/test.sh TESTS…, files or directories below test/integration
# $VM_MACHINES names the machines: a suite each, with `-v1` for one with cgroup v1; $VM_TIMEOUT (7200) is the seconds that each has.
set -uo pipefail
cd "$(dirname "$0")/../.."
bun=$(echo node_modules/@oven/bun-linux-*/bin/bun)
machines=${VM_MACHINES:-bookworm trixie bookworm-v1}
# For what hangs: an idle machine of two cores needs a quarter of it, without virtualization.
export VM_TIMEOUT=${VM_TIMEOUT:-7200}
rm -rf build/test/vm
for machine in $machines; do
  echo "vm: $machine"
  options=()
  [[ $machine != *-v1 ]] || options=(--v1)
  # Where qemu computes everything, a test takes minutes; and the engine's compiler is slower than what it would save.
  test/vm/run.sh "${options[@]}" "${machine%-v1}" \
    "BUN_JSC_useJIT=0 TSRUNC_TEST_PATIENCE=60 $bun --bun node_modules/vitest/vitest.mjs run --project integration" \
    "--reporter=verbose --reporter=./test/support/reporter.ts" \
    "--no-file-parallelism --testTimeout 900000 $*"
done
exec "$bun" test/vm/report.ts $machines
