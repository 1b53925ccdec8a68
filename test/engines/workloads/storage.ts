/** Volumes, mounts, and what of a container's files the engine reads and writes. */
import type { Workload } from "../workload.ts";

export const STORAGE: readonly Workload[] = [
  {
    name: "volumes: filled, kept, read-only, anonymous",
    short: true,
    words: {
      common: `
        $engine volume create $id > /dev/null
        $engine run --rm --volume $id:/srv busybox sh -c 'cat /srv/of-image; echo kept > /srv/new'
        $engine run --rm --volume $id:/other busybox cat /other/new
        $engine run --rm --volume $id:/other:ro busybox sh -c '(echo x > /other/new) 2> /dev/null || echo refused'
        before=$($engine volume ls --quiet | wc -l)
        $engine run --detach --name $id --volume /data busybox sleep 1000 > /dev/null
        $engine exec $id sh -c 'echo x > /data/x && echo written'
        $engine run --rm --volumes-from $id busybox cat /data/x
        $engine rm --force --volumes $id > /dev/null`,
    },
    expected: "of the image\nkept\nrefused\nwritten\nx",
  },
  {
    name: "binds: of a directory, a file, read-only, and what is below",
    words: {
      common: `
        mkdir -p $id/below; echo text > $id/file
        $engine run --rm --volume $PWD/$id:/data busybox sh -c 'cat /data/file; echo more > /data/new'; cat $id/new
        $engine run --rm --volume $PWD/$id:/data:ro busybox sh -c '(echo x > /data/no) 2> /dev/null || echo refused'
        $engine run --rm --volume $PWD/$id/file:/etc/motd:ro busybox cat /etc/motd
        $engine run --rm --mount type=bind,source=$PWD/$id,target=/data,readonly busybox sh -c '(echo x > /data/no) 2> /dev/null || echo refused'
        rm -r $id`,
      ctr: `
        mkdir -p $id; echo text > $id/file
        $run --rm --mount type=bind,src=$PWD/$id,dst=/data,options=rbind:rw $image $id sh -c 'cat /data/file; echo more > /data/new'; cat $id/new
        $run --rm --mount type=bind,src=$PWD/$id,dst=/data,options=rbind:ro $image $id sh -c '(echo x > /data/no) 2> /dev/null || echo refused'
        $run --rm --mount type=bind,src=$PWD/$id/file,dst=/etc/motd,options=bind:ro $image $id cat /etc/motd
        echo refused; rm -r $id`,
    },
    expected: "text\nmore\nrefused\ntext\nrefused",
  },
  {
    name: "tmpfs, with size and mode",
    words: {
      common: `
        $engine run --rm --tmpfs /scratch:size=1m,mode=700 busybox sh -c '
          stat -c %a /scratch; df -k /scratch | awk "NR == 2 { print \\$2 }"; dd if=/dev/zero of=/scratch/f bs=1M count=2 2> /dev/null || echo full'
        $engine run --rm --mount type=tmpfs,target=/scratch,tmpfs-size=2097152 busybox df -k /scratch | awk 'NR == 2 { print $2 }'`,
    },
    expected: "700\n1024\nfull\n2048",
  },
  {
    name: "propagation: slave, shared, private",
    words: {
      common: `
        for kind in slave shared private; do
          mkdir -p $id/$kind
          $engine run --detach --cap-add sys_admin --security-opt seccomp=unconfined --volume $PWD/$id/$kind:/data:r$kind --name $id-$kind busybox sleep 1000 > /dev/null
          mkdir $id/$kind/after $id/$kind/inner; mount -t tmpfs x $id/$kind/after; touch $id/$kind/after/seen
          echo $kind $($engine exec $id-$kind ls /data/after)
          $engine exec $id-$kind sh -c 'mount -t tmpfs x /data/inner && touch /data/inner/seen'
          echo $kind back $(ls $id/$kind/inner)
          $engine rm --force $id-$kind > /dev/null
          umount $id/$kind/inner 2> /dev/null; umount $id/$kind/after
        done
        rm -r $id`,
    },
    without: { rootless: "an ordinary user mounts nothing on the host" },
    expected: "slave seen\nslave back\nshared seen\nshared back seen\nprivate\nprivate back",
  },
  {
    name: "cp, diff, commit, export",
    words: {
      common: `
        $engine run --detach --name $id busybox sleep 1000 > /dev/null
        echo in > $id.txt; $engine cp $id.txt $id:/tmp/file; $engine exec $id cat /tmp/file
        $engine exec $id sh -c 'echo out > /made'; $engine cp $id:/made $id.txt; cat $id.txt; rm $id.txt
        $engine diff $id | grep -E '/made|/tmp/file' | sort
        $engine commit $id $id-image > /dev/null 2>&1; $engine run --rm $id-image cat /made
        $engine export $id | tar -tf - | grep -c -E '^made$'`,
    },
    expected: "in\nout\nA /made\nA /tmp/file\nout\n1",
  },
  {
    name: "a health check",
    words: {
      docker: `
        docker run --detach --name $id --health-cmd 'test -e /tmp/well' --health-interval 1s --health-retries 2 busybox sleep 1000 > /dev/null
        health() { [ "$(docker inspect --format '{{.State.Health.Status}}' $id)" = "$1" ]; }
        wait_for health unhealthy && echo unhealthy
        docker exec $id touch /tmp/well
        wait_for health healthy && echo healthy`,
      podman: `
        podman run --detach --name $id --health-cmd 'test -e /tmp/well' --health-interval disable --health-retries 1 busybox sleep 1000 > /dev/null
        code podman healthcheck run $id | sed 's/1/unhealthy/'
        podman exec $id touch /tmp/well
        code podman healthcheck run $id | sed 's/0/healthy/'`,
    },
    expected: "unhealthy\nhealthy",
  },
];
