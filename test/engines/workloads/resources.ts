/** Limits of resources, what is used of them, and what happens at one. */
import type { Workload } from "../workload.ts";

/** Reads a limit from inside, under v1 and v2: `limit V1-FILE V2-FILE`. */
const LIMIT = `limit() { $engine exec $id sh -c "cat /sys/fs/cgroup/$1 2> /dev/null || cat /sys/fs/cgroup/$2"; }`;

export const RESOURCES: readonly Workload[] = [
  {
    name: "limits: memory, processes, CPU",
    needs: "cgroups",
    words: {
      common: `
        ${LIMIT}
        $engine run --detach --name $id --memory 64m --memory-swap 64m --pids-limit 50 --cpus 0.5 --cpu-shares 512 busybox sleep 1000 > /dev/null
        limit memory/memory.limit_in_bytes memory.max
        limit pids/pids.max pids.max
        $engine exec $id sh -c 'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2> /dev/null || cut -d " " -f 1 /sys/fs/cgroup/cpu.max'
        $engine exec $id sh -c 'for n in $(seq 60); do sleep 5 & done; wait' 2>&1 | grep -q "can't fork" && echo no more processes`,
    },
    expected: "67108864\n50\n50000\nno more processes",
  },
  {
    name: "update of a container that runs",
    needs: "cgroups",
    words: {
      docker: `
        ${LIMIT}
        docker run --detach --name $id --memory 64m --memory-swap 64m busybox sleep 1000 > /dev/null
        docker update --memory 32m --memory-swap 32m --pids-limit 20 --cpu-quota 20000 $id > /dev/null
        limit memory/memory.limit_in_bytes memory.max
        limit pids/pids.max pids.max
        $engine exec $id sh -c 'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2> /dev/null || cut -d " " -f 1 /sys/fs/cgroup/cpu.max'`,
      podman: `
        ${LIMIT}
        podman run --detach --name $id --memory 64m --memory-swap 64m --pids-limit 20 busybox sleep 1000 > /dev/null
        podman update --memory 32m --cpu-quota 20000 $id > /dev/null
        limit memory/memory.limit_in_bytes memory.max
        limit pids/pids.max pids.max
        $engine exec $id sh -c 'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2> /dev/null || cut -d " " -f 1 /sys/fs/cgroup/cpu.max'`,
    },
    expected: "33554432\n20\n20000",
  },
  {
    name: "stats",
    needs: "cgroups",
    words: {
      common: `
        $engine run --detach --name $id --memory 64m busybox sh -c 'while :; do :; done' > /dev/null
        $engine stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' $id | sed -E 's/^[0-9.]+[kKM]?i?B /used /; s/MiB|MB/M/; s/67.11/64/'
        $engine stats --no-stream --format '{{.CPUPerc}}' $id | grep -c '[1-9]'`,
      ctr: `
        $run --detach --memory-limit 67108864 $image $id sh -c 'while :; do :; done'
        ctr tasks metrics $id | grep -c -E 'memory.usage_in_bytes|usage_usec|memory.usage +[1-9]'
        ctr tasks metrics $id | grep -c pids.current`,
    },
    expected: { common: "used / 64M 1\n1", ctr: "1\n1" },
  },
  {
    name: "out of memory is reported",
    short: true,
    needs: "cgroups",
    words: {
      common: `
        $engine run --name $id --memory 20m --memory-swap 20m busybox dd if=/dev/zero of=/dev/null bs=200M count=1 > /dev/null 2>&1; echo $?
        $engine inspect --format '{{.State.OOMKilled}} {{.State.ExitCode}}' $id`,
      // Podman 4.3 does not tell of it on cgroup v1, whichever the runtime.
      podman: `
        podman run --name $id --memory 20m --memory-swap 20m busybox dd if=/dev/zero of=/dev/null bs=200M count=1 > /dev/null 2>&1; echo $?
        podman inspect --format '{{.State.ExitCode}}' $id`,
    },
    expected: { podman: "137\n137", docker: "137\ntrue 137" },
  },
];
