/** What a container may and may not: its root, capabilities, system calls, users, namespaces, devices. */
import type { Workload } from "../workload.ts";

export const ISOLATION: readonly Workload[] = [
  {
    name: "read-only root",
    short: true,
    words: {
      common: `
        $engine run --rm --read-only --tmpfs /tmp busybox sh -c '
          (echo x > /file) 2> /dev/null || echo refused; echo x > /tmp/file && echo tmp; echo x > /dev/shm/file && echo shm'`,
      ctr: `
        $run --rm --read-only --mount type=tmpfs,src=tmpfs,dst=/tmp,options=rw $image $id sh -c '
          (echo x > /file) 2> /dev/null || echo refused; echo x > /tmp/file && echo tmp; echo x > /dev/shm/file && echo shm'`,
    },
    expected: "refused\ntmp\nshm",
  },
  {
    name: "capabilities: default, added, dropped",
    short: true,
    words: {
      common: `
        $engine run --rm busybox grep Cap /proc/self/status
        $engine run --rm --cap-drop all --cap-add chown --cap-add net_raw busybox grep CapEff /proc/self/status
        $engine run --rm --cap-drop all busybox sh -c 'chown 1 /tmp 2> /dev/null || echo refused'
        $engine run --rm --user 1000 busybox grep CapEff /proc/self/status`,
      ctr: `
        $run --rm $image $id grep CapEff /proc/self/status
        $run --rm --cap-drop CAP_CHOWN $image $id grep CapEff /proc/self/status
        $run --rm --cap-drop CAP_CHOWN $image $id sh -c 'chown 1 /tmp 2> /dev/null || echo refused'`,
    },
    expected: {
      podman:
        "CapInh:\t0000000000000000\nCapPrm:\t00000000800405fb\nCapEff:\t00000000800405fb\nCapBnd:\t00000000800405fb\nCapAmb:\t0000000000000000\n" +
        "CapEff:\t0000000000002001\nrefused\nCapEff:\t0000000000000000",
      docker:
        "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\n" +
        "CapEff:\t0000000000002001\nrefused\nCapEff:\t0000000000000000",
      ctr: "CapEff:\t00000000a80425fb\nCapEff:\t00000000a80425fa\nrefused",
    },
  },
  {
    name: "no-new-privileges",
    words: {
      common: `
        $engine run --rm --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status
        $engine run --detach --name $id busybox sleep 1000 > /dev/null
        $engine exec $id grep NoNewPrivs /proc/self/status`,
    },
    expected: "NoNewPrivs:\t1\nNoNewPrivs:\t0",
  },
  {
    name: "seccomp: the default profile",
    short: true,
    words: {
      common: `
        $engine run --rm busybox grep Seccomp: /proc/self/status
        $engine run --rm --user 1000 busybox sh -c 'unshare -U true 2>&1; echo $?'
        $engine run --rm busybox sh -c 'mount -t tmpfs x /tmp 2> /dev/null || echo refused'
        $engine run --rm --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status`,
      ctr: `
        $run --rm --seccomp $image $id grep Seccomp: /proc/self/status
        $run --rm --seccomp $image $id sh -c 'unshare -U true 2>&1; echo $?'
        $run --rm --seccomp $image $id sh -c 'mount -t tmpfs x /tmp 2> /dev/null || echo refused'
        $run --rm $image $id grep Seccomp: /proc/self/status`,
    },
    expected: {
      // Podman's profile lets everybody make a user namespace.
      podman: "Seccomp:\t2\n0\nrefused\nSeccomp:\t0",
      docker: "Seccomp:\t2\nunshare: unshare(0x10000000): Operation not permitted\n1\nrefused\nSeccomp:\t0",
      ctr: "Seccomp:\t2\nunshare: unshare(0x10000000): Operation not permitted\n1\nrefused\nSeccomp:\t0",
    },
  },
  {
    name: "seccomp: a profile of one's own",
    words: {
      common: `
        echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":38},
          {"names":["sethostname"],"action":"SCMP_ACT_KILL_PROCESS"}]}' > $id.json
        $engine run --rm --security-opt seccomp=$id.json busybox sh -c 'mkdir /d 2>&1; touch /f && echo touched'
        $engine run --rm --security-opt seccomp=$id.json --cap-add sys_admin busybox hostname x; echo $?
        rm $id.json`,
    },
    expected: "mkdir: can't create directory '/d': Function not implemented\ntouched\n159",
  },
  {
    name: "user, groups, and names of the image's",
    words: {
      common: `
        $engine run --rm --user 1000:2000 busybox sh -c 'id -u; id -g'
        $engine run --rm --user user busybox sh -c 'id -u; id -g; id -G | tr " " "\\n" | grep 2000'
        $engine run --rm --user 3000 --group-add 4000 busybox sh -c 'id -u; id -G | tr " " "\\n" | grep 4000'
        code $engine run --rm --user nobody-there busybox true`,
    },
    expected: {
      podman: "1000\n2000\n1000\n1000\n2000\n3000\n4000\n126",
      docker: "1000\n2000\n1000\n1000\n2000\n3000\n4000\n125",
    },
  },
  {
    name: "user namespaces",
    short: true,
    words: {
      rootless: `
        podman run --rm busybox sh -c 'cat /proc/self/uid_map' | tr -s ' '
        podman run --rm --userns keep-id busybox id -u
        podman run --rm --uidmap 0:1:100 --gidmap 0:1:100 busybox sh -c 'touch /f && stat -c %u /f; cat /proc/self/uid_map' | tr -s ' '`,
      podman: `
        for n in 1 2; do
          podman run --rm --uidmap 0:200000:5000 --gidmap 0:200000:5000 busybox sh -c 'cat /proc/self/uid_map; touch /f && stat -c %u /f' | tr -s ' '
        done
        podman run --rm --userns auto:size=4096 busybox sh -c 'wc -l < /proc/self/uid_map; id -u' `,
    },
    expected: {
      rootless: " 0 61000 1\n 1 1000000 65536\n61000\n0\n 0 1 100",
      podman: " 0 200000 5000\n0\n 0 200000 5000\n0\n1\n0",
    },
  },
  {
    name: "namespaces of other containers, and the host's",
    words: {
      common: `
        $engine run --detach --name $id --ipc shareable busybox sleep 1000 > /dev/null
        $engine run --rm --pid container:$id --network container:$id --ipc container:$id busybox sh -c 'ps | grep -c "[s]leep 1000"; touch /dev/shm/of-other'
        $engine exec $id ls /dev/shm
        [ "$($engine run --rm --uts host busybox readlink /proc/self/ns/uts)" = "$(readlink /proc/self/ns/uts)" ] && echo of the host
        [ "$($engine run --rm --network host busybox readlink /proc/self/ns/net)" = "$(readlink /proc/self/ns/net)" ] && echo of the host
        [ "$($engine run --rm busybox readlink /proc/self/ns/pid)" = "$(readlink /proc/self/ns/pid)" ] || echo its own`,
    },
    expected: "1\nof-other\nof the host\nof the host\nits own",
  },
  {
    name: "devices, and rules for them",
    needs: "cgroups",
    words: {
      common: `
        $engine run --rm busybox sh -c 'ls /dev | tr "\\n" " "; echo'
        $engine run --rm --device /dev/fuse:/dev/mine:r busybox sh -c 'stat -c "%t:%T" /dev/mine; (: < /dev/mine) 2> /dev/null && echo read; (: > /dev/mine) 2> /dev/null || echo refused'
        $engine run --rm busybox sh -c 'mknod /dev/kmsg2 c 1 11 && (: < /dev/kmsg2) 2> /dev/null || echo refused'
        $engine run --rm --device-cgroup-rule 'c 10:229 rwm' busybox sh -c 'mknod /dev/f c 10 229 && (: < /dev/f) && echo allowed'`,
    },
    without: { podman: "4.3 gives mknod to nobody" },
    expected:
      "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero\na:e5\nread\nrefused\nrefused\nallowed",
  },
  {
    name: "sysctls, limits, hostname, environment, directory, entrypoint",
    words: {
      common: `
        $engine run --rm --sysctl net.ipv4.ip_unprivileged_port_start=77 busybox cat /proc/sys/net/ipv4/ip_unprivileged_port_start
        $engine run --rm --ulimit nofile=100:200 --ulimit core=0 --ulimit nproc=4096:4096 busybox sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c'
        $engine run --rm --hostname box --env A=b --env PATH --workdir /tmp busybox sh -c 'hostname; echo $A; pwd'
        $engine run --rm --entrypoint echo busybox from the entrypoint
        $engine run --rm --shm-size 3m busybox df -k /dev/shm | awk 'NR == 2 { print $2 }'
        $engine run --rm --add-host there:10.1.2.3 busybox grep -c '10.1.2.3.*there' /etc/hosts`,
    },
    expected: "77\n100\n200\n0\nbox\nb\n/tmp\nfrom the entrypoint\n3072\n1",
  },
];
