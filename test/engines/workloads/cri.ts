/** The CRI, as a kubelet calls it: `crictl` with the runtime handler that a RuntimeClass would name. */
import type { Workload } from "../workload.ts";

/** Functions for the scripts: `pod NAME LINUX` runs a sandbox, `container NAME FIELDS` creates a container in `$pod`; both print its id. */
const CRI = `
  sandbox() { echo '{"metadata":{"name":"'$1'","uid":"'$1'","namespace":"default"},"log_directory":"/srv/'$1'","dns_config":{},"linux":'"$2"'}'; }
  pod() {
    mkdir -p /srv/$1; sandbox "$1" "$2" > $1.json
    crictl runp --runtime tsrunc $1.json
  }
  container() {
    echo '{"metadata":{"name":"'$1'"},"image":{"image":"docker.io/library/busybox:latest"},"log_path":"'$1'.log",'"$2"'}' > $id-$1.json
    crictl create $pod $id-$1.json $id.json
  }
  inside() { crictl exec -s "$@" | sed '/^$/d'; }
  state() { crictl inspect --output go-template --template '{{.status.state}} {{.status.exitCode}} {{.status.reason}}' $1; }
  ended() { state $1 | grep -q EXITED; }
  gone() { crictl stopp $1 > /dev/null; crictl rmp $1 > /dev/null; rm -rf /srv/$id /srv/$id*.json; }`;

const POD = `${CRI}
  pod=$(pod $id '{}')`;

export const CRI_WORKLOADS: readonly Workload[] = [
  {
    name: "cri: pod, container, exit codes, logs, removal",
    short: true,
    words: {
      cri: `${POD}
        for number in 0 1 42; do
          one=$(container c$number '"command":["sh","-c","echo out; echo err >&2; exit '$number'"],"linux":{}')
          crictl start $one > /dev/null; wait_for ended $one; state $one
        done
        crictl logs $one 2> /dev/null; crictl logs $one 2>&1 > /dev/null
        one=$(container missing '"command":["no-such-program"],"linux":{}'); code crictl start $one; state $one
        crictl inspectp --output go-template --template '{{.status.state}} {{.status.runtimeHandler}}' $pod
        gone $pod; crictl pods --quiet --name $id | wc -l`,
    },
    expected:
      "CONTAINER_EXITED 0 Completed\nCONTAINER_EXITED 1 Error\nCONTAINER_EXITED 42 Error\nout\nerr\n1\nCONTAINER_EXITED 128 StartError\nSANDBOX_READY tsrunc\n0",
  },
  {
    name: "cri: exec, exec -s, attach, stop, update, stats",
    short: true,
    words: {
      cri: `${POD}
        one=$(container one '"command":["sh","-c","trap \\"exit 4\\" TERM; while :; do sleep 0.1; done"],"linux":{"resources":{"memory_limit_in_bytes":67108864,"cpu_quota":50000,"cpu_period":100000}}')
        crictl start $one > /dev/null
        inside $one echo inside; code crictl exec -s $one sh -c 'exit 7'
        crictl exec $one sh -c 'echo streamed'
        echo fed | crictl exec -i $one cat
        inside $one sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2> /dev/null || cat /sys/fs/cgroup/memory.max'
        crictl update --memory 33554432 $one > /dev/null
        inside $one sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2> /dev/null || cat /sys/fs/cgroup/memory.max'
        crictl stats --output json $one | grep -c '"workingSetBytes"'
        crictl stop --timeout 30 $one > /dev/null; state $one
        gone $pod`,
    },
    expected: "inside\n1\nstreamed\nfed\n67108864\n33554432\n1\nCONTAINER_EXITED 4 Error",
  },
  {
    name: "cri: what a kubelet's securityContext asks for",
    words: {
      cri: `${POD}
        one=$(container one '"command":["sleep","1000"],"linux":{"security_context":{"run_as_user":{"value":1000},"supplemental_groups":[4000],"readonly_rootfs":true,"no_new_privs":true,"capabilities":{"drop_capabilities":["ALL"],"add_capabilities":["NET_BIND_SERVICE"]},"masked_paths":["/proc/interrupts"],"readonly_paths":["/proc/sys"],"seccomp":{"profile_type":0},"namespace_options":{"pid":1}}},"mounts":[{"container_path":"/etc/mine","host_path":"/etc/hostname","readonly":true}],"envs":[{"key":"A","value":"b"}],"working_dir":"/tmp"')
        crictl start $one > /dev/null
        inside $one sh -c 'id -u; id -G; (echo x > /file) 2> /dev/null || echo refused; grep -E "CapBnd|NoNewPrivs|Seccomp:" /proc/self/status; echo $A; pwd; head -c 1 /proc/interrupts | wc -c; test -s /etc/mine && echo mounted'
        gone $pod`,
    },
    expected:
      "1000\n1000 2000 4000\nrefused\nCapBnd:\t0000000000000400\nNoNewPrivs:\t1\nSeccomp:\t2\nb\n/tmp\n0\nmounted",
  },
  {
    name: "cri: containers of a pod share what they should",
    words: {
      cri: `${CRI}
        pod=$(pod $id '{"security_context":{"namespace_options":{"pid":0}},"sysctls":{"net.ipv4.ip_unprivileged_port_start":"77"}}')
        one=$(container one '"command":["sleep","1111"],"linux":{"security_context":{"namespace_options":{"pid":0}}}')
        two=$(container two '"command":["sleep","2222"],"linux":{"security_context":{"namespace_options":{"pid":0}}}')
        crictl start $one > /dev/null; crictl start $two > /dev/null
        inside $one sh -c 'ps | grep -c "[s]leep [12][12]"'
        [ "$(inside $one readlink /proc/self/ns/net)" = "$(inside $two readlink /proc/self/ns/net)" ] && echo one network
        [ "$(inside $one readlink /proc/self/ns/mnt)" = "$(inside $two readlink /proc/self/ns/mnt)" ] || echo files of their own
        inside $one cat /proc/sys/net/ipv4/ip_unprivileged_port_start
        inside $one sh -c 'ip -o -4 addr show eth0 | grep -c "inet 10.88."'
        gone $pod; crictl ps --all --quiet | grep -c -E "$one|$two"`,
    },
    expected: "2\none network\nfiles of their own\n77\n1\n0",
  },
  {
    name: "cri: an init that is killed for want of memory, twenty times",
    needs: "cgroups",
    words: {
      cri: `${POD}
        oom() { state $one | grep -q OOMKilled; }
        for number in $(seq 20); do
          one=$(container o$number '"command":["sh","-c","sleep 1; exec tail /dev/zero"],"linux":{"resources":{"memory_limit_in_bytes":25165824,"memory_swap_limit_in_bytes":25165824}}')
          crictl start $one > /dev/null; wait_for ended $one; wait_for oom; state $one
        done
        gone $pod`,
    },
    expected: Array(20).fill("CONTAINER_EXITED 137 OOMKilled").join("\n"),
  },
];
