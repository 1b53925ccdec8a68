/** A container's life: stopped, killed, paused, started again. */
import type { Workload } from "../workload.ts";

const TRAPS = 'sh -c \'trap "exit 4" TERM; trap "echo usr1" USR1; echo ready; while :; do sleep 0.1; done\'';

export const LIFE: readonly Workload[] = [
  {
    name: "stop, start again, restart",
    short: true,
    words: {
      common: `
        $engine run --detach --name $id busybox ${TRAPS} > /dev/null
        wait_for shows ready $engine logs $id
        $engine stop --time 60 $id > /dev/null; $engine inspect --format '{{.State.Status}} {{.State.ExitCode}}' $id
        $engine start $id > /dev/null; $engine inspect --format '{{.State.Status}}' $id
        $engine restart --time 0 $id > /dev/null; $engine inspect --format '{{.State.Status}}' $id
        $engine run --detach --name $id-2 busybox sleep 1000 > /dev/null
        $engine stop --time 1 $id-2 > /dev/null; $engine inspect --format '{{.State.Status}} {{.State.ExitCode}}' $id-2
        $engine rm $id-2 > /dev/null; code $engine inspect $id-2`,
    },
    expected: {
      podman: "exited 4\nrunning\nrunning\nexited 137\n125",
      docker: "exited 4\nrunning\nrunning\nexited 137\n1",
    },
  },
  {
    name: "kill, with signals of many names",
    words: {
      common: `
        $engine run --detach --name $id busybox ${TRAPS} > /dev/null
        wait_for shows ready $engine logs $id
        $engine kill --signal USR1 $id > /dev/null; wait_for shows usr1 $engine logs $id
        $engine kill --signal SIGTERM $id > /dev/null; $engine wait $id
        $engine start $id > /dev/null; $engine kill --signal 9 $id > /dev/null; $engine wait $id
        refused $engine kill $id`,
      ctr: `
        $run --detach $image $id sh -c 'trap "exit 4" TERM; while :; do sleep 0.1; done'
        wait_for ctr tasks exec --exec-id a $id grep 'SigCgt:.*4...' /proc/1/status
        ctr tasks kill --signal SIGTERM $id
        wait_for shows "$id .*STOPPED" ctr tasks ls; exit_code_of ctr tasks rm $id; ctr containers rm $id
        $run --detach $image $id sh -c 'sleep 1000 & sleep 1001'
        ctr tasks kill --all --signal 9 $id
        wait_for shows "$id .*STOPPED" ctr tasks ls; exit_code_of ctr tasks rm $id
        refused ctr tasks kill $id`,
    },
    expected: "4\n137\nrefused",
  },
  {
    name: "restart policy: on-failure, at most twice",
    words: {
      common: `
        $engine run --detach --restart on-failure:2 --name $id busybox sh -c 'echo once; exit 3' > /dev/null
        wait_for shows 'exited 3 2' $engine inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}' $id
        $engine logs $id`,
    },
    expected: "once\nonce\nonce",
  },
  {
    name: "pause, and go on",
    short: true,
    needs: "cgroups",
    words: {
      common: `
        $engine run --detach --name $id busybox sh -c 'while :; do echo; sleep 0.05; done' > /dev/null
        $engine pause $id > /dev/null; $engine inspect --format '{{.State.Status}}' $id
        before=$($engine logs $id | wc -l); sleep 1; after=$($engine logs $id | wc -l)
        [ "$before" = "$after" ] && echo still
        refused $engine exec $id true
        $engine unpause $id > /dev/null; $engine inspect --format '{{.State.Status}}' $id
        more() { [ "$($engine logs $id | wc -l)" -gt "$after" ]; }
        wait_for more; $engine exec $id echo goes on`,
      ctr: `
        $run --detach $image $id sleep 1000
        ctr tasks pause $id; shows "$id .*PAUSED" ctr tasks ls && echo paused
        echo still
        refused ctr tasks exec --exec-id a $id true
        ctr tasks resume $id; shows "$id .*RUNNING" ctr tasks ls && echo running
        ctr tasks exec --exec-id b $id echo goes on`,
    },
    expected: "paused\nstill\nrefused\nrunning\ngoes on",
  },
  {
    name: "top",
    words: {
      common: `
        $engine run --detach --name $id busybox sh -c 'sleep 1000 & sleep 1001' > /dev/null
        wait_for shows 'sleep 1001' $engine top $id
        $engine top $id | grep -o 'sleep 100.' | sort`,
      ctr: `
        $run --detach $image $id sh -c 'sleep 1000 & sleep 1001 & sleep 1002'
        two() { [ "$(ctr tasks ps $id | wc -l)" = 4 ]; }
        wait_for two; echo sleep 1000; echo sleep 1001`,
    },
    expected: "sleep 1000\nsleep 1001",
  },
  {
    name: "init: reaps, and hands on signals",
    words: {
      common: `
        $engine run --detach --init --name $id busybox sh -c 'trap "exit 6" TERM; (sleep 0.1 &); echo ready; while :; do sleep 0.1; done' > /dev/null
        wait_for shows ready $engine logs $id; sleep 1
        $engine exec $id sh -c 'cat /proc/1/comm' | sed -E 's/(docker|podman)-init|catatonit/init/'
        $engine exec $id ps | grep -c '\\[sleep\\]'
        $engine stop --time 60 $id > /dev/null; $engine inspect --format '{{.State.ExitCode}}' $id`,
    },
    expected: "init\n0\n6",
  },
  {
    name: "stop signal of the container's own",
    words: {
      common: `
        $engine run --detach --stop-signal USR1 --name $id busybox sh -c 'trap "exit 8" USR1; echo ready; while :; do sleep 0.1; done' > /dev/null
        wait_for shows ready $engine logs $id
        $engine stop --time 60 $id > /dev/null; $engine wait $id`,
    },
    expected: "8",
  },
  {
    name: "a hundred containers at once, then none",
    alone: true,
    limit: 900,
    words: {
      common: `
        seq 100 | xargs -P 8 -I N $engine run --detach --name $id-N --network none busybox sleep 1000 > /dev/null
        $engine ps --quiet --filter name=$id | wc -l
        for number in 1 50 100; do $engine exec $id-$number echo $number; done
        $engine ps --quiet --filter name=$id | xargs -n 25 -P 4 $engine rm --force > /dev/null
        $engine ps --all --quiet --filter name=$id | wc -l`,
      ctr: `
        seq 100 | xargs -P 8 -I N $run --detach $image $id-N sleep 1000
        ctr tasks ls | grep -c "$id.*RUNNING"
        for number in 1 50 100; do ctr tasks exec --exec-id a $id-$number echo $number; done
        seq 100 | xargs -P 8 -I N ctr tasks rm --force $id-N > /dev/null 2>&1
        seq 100 | xargs -P 8 -I N ctr containers rm $id-N
        ctr containers ls --quiet | grep -c $id`,
    },
    expected: "100\n1\n50\n100\n0",
  },
];
