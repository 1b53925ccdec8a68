/** Further processes in a container that runs. */
import type { Workload } from "../workload.ts";

const CONTAINER = "$engine run --detach --name $id busybox sleep 1000 > /dev/null";
const TASK = "$run --detach $image $id sleep 1000";

export const EXEC: readonly Workload[] = [
  {
    name: "exec: exit codes",
    short: true,
    words: {
      common: `
        ${CONTAINER}
        for number in 0 1 42; do code $engine exec $id sh -c "exit $number"; done
        code $engine exec $id /etc/passwd
        code $engine exec $id no-such-program
        code $engine exec $id sh -c 'kill -KILL $$'`,
      ctr: `
        ${TASK}
        for number in 0 1 42; do code ctr tasks exec --exec-id e$number $id sh -c "exit $number"; done
        code ctr tasks exec --exec-id a $id /etc/passwd
        code ctr tasks exec --exec-id b $id no-such-program
        code ctr tasks exec --exec-id c $id sh -c 'kill -KILL $$'`,
    },
    // Docker 20.10 has 126 for both.
    expected: { podman: "0\n1\n42\n126\n127\n137", docker: "0\n1\n42\n126\n126\n137", ctr: "0\n1\n42\n1\n1\n137" },
  },
  {
    name: "exec: user, directory, environment, groups",
    words: {
      common: `
        ${CONTAINER}
        $engine exec --user 1000:2000 --workdir /tmp --env X=y $id sh -c 'id -u; id -g; pwd; echo $X'
        $engine exec --user user $id id -u
        code $engine exec --workdir /no-such-directory $id true`,
      ctr: `
        ${TASK}
        ctr tasks exec --exec-id a --user 1000:2000 --cwd /tmp $id sh -c 'id -u; id -g; pwd; echo y'
        ctr tasks exec --exec-id b --user 1000 $id id -u
        code ctr tasks exec --exec-id c --cwd /no-such-directory $id true`,
    },
    expected: {
      podman: "1000\n2000\n/tmp\ny\n1000\n127",
      docker: "1000\n2000\n/tmp\ny\n1000\n126",
      ctr: "1000\n2000\n/tmp\ny\n1000\n1",
    },
  },
  {
    name: "exec: stdin, a terminal with its size, detached",
    words: {
      common: `
        ${CONTAINER}
        head -c 3000000 /dev/zero | $engine exec --interactive $id wc -c
        terminal 33 99 $engine exec --interactive --tty $id sh -c '
          for n in $(seq 100); do [ "$(stty size 2> /dev/null)" = "33 99" ] && break; sleep 0.1; done
          stty size; test -t 0 && test -t 1 && echo terminal'
        $engine exec --detach $id sh -c 'echo made > /tmp/made' > /dev/null
        wait_for $engine exec $id test -s /tmp/made
        $engine exec $id cat /tmp/made`,
      ctr: `
        ${TASK}
        head -c 3000000 /dev/zero | ctr tasks exec --exec-id a $id wc -c
        terminal 33 99 ctr tasks exec --tty --exec-id b $id sh -c '
          for n in $(seq 100); do [ "$(stty size 2> /dev/null)" = "33 99" ] && break; sleep 0.1; done
          stty size; test -t 0 && test -t 1 && echo terminal'
        ctr tasks exec --detach --exec-id c $id sh -c 'echo made > /tmp/made' > /dev/null
        wait_for ctr tasks exec --exec-id d $id test -s /tmp/made
        ctr tasks exec --exec-id e $id cat /tmp/made`,
    },
    expected: "3000000\n33 99\nterminal\n\nrestored\nmade",
  },
  {
    name: "exec: capabilities as the container's",
    words: {
      common: `
        $engine run --detach --name $id --cap-drop all --cap-add chown busybox sleep 1000 > /dev/null
        $engine exec $id grep CapEff /proc/self/status
        $engine exec --user 1000 $id grep CapEff /proc/self/status`,
    },
    expected: "CapEff:\t0000000000000001\nCapEff:\t0000000000000000",
  },
  {
    name: "twenty execs at once",
    short: true,
    words: {
      common: `
        ${CONTAINER}
        for number in $(seq 20); do
          { $engine exec $id sh -c "echo $number; exit $number"; echo code $?; } > $id-$number.out 2>&1 &
        done
        wait
        for number in $(seq 20); do tr '\\n' ' ' < $id-$number.out; done; rm $id-*.out
        echo; $engine exec $id ps | grep -c sh`,
      ctr: `
        ${TASK}
        for number in $(seq 20); do
          { ctr tasks exec --exec-id e$number $id sh -c "echo $number; exit $number"; echo code $?; } > $id-$number.out 2>&1 &
        done
        wait
        for number in $(seq 20); do tr '\\n' ' ' < $id-$number.out; done; rm $id-*.out
        echo; ctr tasks exec --exec-id p $id ps | grep -c sh`,
    },
    expected: `${Array.from({ length: 20 }, (_, index) => `${index + 1} code ${index + 1}`).join(" ")}\n0`,
  },
];
