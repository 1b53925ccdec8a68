/** How a container's process ends, what it prints and reads, and its terminal. */
import type { Workload } from "../workload.ts";

export const PROCESS: readonly Workload[] = [
  {
    name: "exit codes 0, 1, 42, 126, 127, 137",
    short: true,
    words: {
      common: `
        for number in 0 1 42; do code $engine run --rm busybox sh -c "exit $number"; done
        code $engine run --rm busybox /etc/passwd
        code $engine run --rm busybox no-such-program
        $engine run --detach --name $id busybox sleep 1000 > /dev/null
        $engine kill $id > /dev/null && $engine wait $id`,
      buildah: `
        buildah from --name $id busybox > /dev/null
        for number in 0 1 42; do code buildah run $id -- sh -c "exit $number"; done
        code buildah run $id -- /etc/passwd
        code buildah run $id -- no-such-program
        code buildah run $id -- sh -c 'sleep 100 & kill -KILL $!; wait $!'`,
      ctr: `
        for number in 0 1 42; do code $run --rm $image $id sh -c "exit $number"; done
        for program in /etc/passwd no-such-program; do
          code $run --rm $image $id $program
        done
        $run --detach $image $id sleep 1000
        ctr tasks kill --signal KILL $id
        wait_for shows "$id .*STOPPED" ctr tasks ls
        exit_code_of ctr tasks rm $id`,
    },
    expected: {
      common: "0\n1\n42\n126\n127\n137", // It has 1 for all that could not be started.
      buildah: "0\n1\n42\n1\n1\n137",
      ctr: "0\n1\n42\n1\n1\n137",
    },
  },
  {
    name: "output of both streams, and logs",
    short: true,
    words: {
      common: `
        $engine run --rm busybox sh -c 'echo out; echo err >&2' 2> $id.err; cat $id.err; rm $id.err
        $engine run --detach --name $id busybox sh -c 'for n in 1 2 3; do echo out $n; done; sleep 1; for n in 1 2 3; do echo err $n >&2; done; sleep 1000' > /dev/null
        wait_for shows "err 3" $engine logs $id
        $engine logs $id 2> /dev/null
        $engine logs $id 2>&1 > /dev/null
        $engine logs --tail 2 $id 2>&1`,
    },
    expected: "out\nerr\nout 1\nout 2\nout 3\nerr 1\nerr 2\nerr 3\nerr 2\nerr 3",
  },
  {
    name: "logs are followed to the end",
    words: {
      common: `
        $engine run --detach --name $id busybox sh -c 'for n in 1 2 3; do echo $n; sleep 0.5; done' > /dev/null
        timeout 60 $engine logs --follow $id; echo $?`,
    },
    expected: "1\n2\n3\n0",
  },
  {
    name: "attach",
    short: true,
    words: {
      common: `
        $engine run --detach --interactive --name $id busybox sh -c 'read one; echo "got $one"; read two; echo "got $two"; exit 5' > /dev/null
        { sleep 1; echo one; sleep 1; echo two; sleep 1; } | timeout 60 $engine attach $id | grep .
        $engine wait $id`,
    },
    expected: "got one\ngot two\n5",
  },
  {
    name: "a terminal, with its size",
    short: true,
    words: {
      common: `
        terminal 41 123 $engine run --rm --interactive --tty busybox sh -c '
          for n in $(seq 100); do [ "$(stty size 2> /dev/null)" = "41 123" ] && break; sleep 0.1; done
          stty size; test -t 0 && test -t 1 && test -t 2 && tty; exit 7'
        echo $?`,
      ctr: `
        terminal 41 123 $run --rm --tty $image $id sh -c '
          for n in $(seq 100); do [ "$(stty size 2> /dev/null)" = "41 123" ] && break; sleep 0.1; done
          stty size; test -t 0 && test -t 1 && test -t 2 && tty; exit 7'
        echo $?`,
    },
    expected: "41 123\n/dev/pts/0\n\nrestored\n7",
  },
  {
    name: "eight megabytes in, and out again",
    words: {
      common: `
        head -c 8000000 /dev/urandom > $id.bin
        $engine run --rm --interactive busybox cat < $id.bin | cmp - $id.bin && echo same
        $engine run --rm --interactive busybox sh -c 'wc -c; md5sum < /dev/null' < $id.bin
        rm $id.bin`,
      buildah: `
        buildah from --name $id busybox > /dev/null
        head -c 8000000 /dev/urandom > $id.bin
        buildah run $id -- cat < $id.bin | cmp - $id.bin && echo same
        buildah run $id -- sh -c 'wc -c; md5sum < /dev/null' < $id.bin
        rm $id.bin`,
      ctr: `
        head -c 8000000 /dev/urandom > $id.bin
        $run --rm $image $id cat < $id.bin | cmp - $id.bin && echo same
        $run --rm $image $id sh -c 'wc -c; md5sum < /dev/null' < $id.bin
        rm $id.bin`,
    },
    expected: "same\n8000000\nd41d8cd98f00b204e9800998ecf8427e  -",
  },
];
