/** Builds: each RUN is a container of the runtime's. */
import type { Workload } from "../workload.ts";

const CONTEXT = `
  mkdir $id; echo copied > $id/file
  cat > $id/Dockerfile << 'END'
FROM busybox AS first
RUN echo made > /made && mkdir -m 777 /tmp/place && grep CapEff /proc/self/status
COPY file /file
USER 1000
WORKDIR /tmp/place
RUN id -u > id && pwd >> id
FROM busybox
COPY --from=first /made /file /tmp/place/id /results/
ENV A=b
RUN ["/bin/sh", "-c", "echo $A >> /results/id"]
CMD cat /results/made /results/file /results/id
END
  printf 'FROM busybox\\nRUN exit 3\\n' > $id/Failing
  printf 'FROM busybox\\nRUN no-such-program\\n' > $id/Missing`;

const MOUNTS = `
  mkdir $id; echo copied > $id/file; echo hidden > $id/secret
  cat > $id/Dockerfile << 'END'
FROM busybox
RUN --mount=type=bind,source=file,target=/bound cat /bound > /seen; (echo x > /bound) 2> /dev/null || echo refused >> /seen
RUN --mount=type=cache,target=/cache echo kept > /cache/file
RUN --mount=type=cache,target=/cache cat /cache/file >> /seen
RUN --mount=type=secret,id=word cat /run/secrets/word >> /seen
RUN --mount=type=tmpfs,target=/fast stat -f -c %T /fast >> /seen
RUN ls /sys/class/net >> /seen
CMD ["cat", "/seen"]
END`;

export const BUILDS: readonly Workload[] = [
  {
    name: "build: stages, users, copies; a step that fails",
    short: true,
    words: {
      podman: `${CONTEXT}
        podman build --quiet --tag $id $id > /dev/null && podman run --rm $id
        code podman build --file $id/Failing $id; code podman build --file $id/Missing $id
        podman rmi --force $id > /dev/null 2>&1; rm -r $id`,
      docker: `${CONTEXT}
        DOCKER_BUILDKIT=0 docker build --quiet --tag $id $id > /dev/null && docker run --rm $id
        code env DOCKER_BUILDKIT=0 docker build --force-rm --file $id/Failing $id
        code env DOCKER_BUILDKIT=0 docker build --force-rm --file $id/Missing $id
        docker rmi --force $id > /dev/null; rm -r $id`,
      buildkit: `${CONTEXT}
        docker buildx build --quiet --tag $id $id > /dev/null && docker run --rm $id
        code docker buildx build --file $id/Failing $id; code docker buildx build --file $id/Missing $id
        docker rmi --force $id > /dev/null; rm -r $id`,
      buildah: `${CONTEXT}
        buildah build --runtime /usr/local/bin/tsrunc --quiet --tag $id $id > /dev/null
        buildah from --name $id $id > /dev/null && buildah run --runtime /usr/local/bin/tsrunc $id -- cat /results/made /results/file /results/id
        export BUILDAH_RUNTIME=/usr/local/bin/tsrunc
        code buildah build --file $id/Failing $id; code buildah build --file $id/Missing $id
        buildah rm $id > /dev/null; buildah rmi --force $id > /dev/null 2>&1; rm -r $id`,
    },
    expected: {
      podman: "made\ncopied\n1000\n/tmp/place\nb\n3\n127",
      docker: "made\ncopied\n1000\n/tmp/place\nb\n3\n127",
      buildkit: "made\ncopied\n1000\n/tmp/place\nb\n1\n1",
      buildah: "made\ncopied\n1000\n/tmp/place\nb\n3\n127",
    },
  },
  {
    name: "build: binds, caches, secrets and a tmpfs for one step; no network",
    short: true,
    words: {
      podman: `${MOUNTS}
        podman build --quiet --network none --secret id=word,src=$id/secret --tag $id $id > /dev/null && podman run --rm $id
        podman rmi --force $id > /dev/null 2>&1; rm -r $id`,
      buildkit: `${MOUNTS}
        docker buildx build --quiet --network none --secret id=word,src=$id/secret --tag $id $id > /dev/null && docker run --rm $id
        docker rmi --force $id > /dev/null; docker builder prune --force > /dev/null; rm -r $id`,
    },
    expected: "copied\nrefused\nkept\nhidden\ntmpfs\nlo",
    without: { rootless: "Podman 4.3 has one directory for all users' caches, which is root's" },
  },
  {
    name: "buildah run: users, mounts, terminal, capabilities",
    words: {
      buildah: `
        export BUILDAH_RUNTIME=/usr/local/bin/tsrunc
        buildah from --name $id busybox > /dev/null
        buildah config --user 1000:2000 --workingdir /tmp --env A=b $id
        buildah run $id -- sh -c 'id -u; id -g; pwd; echo $A'
        mkdir $id; echo text > $id/file
        buildah run --user 0 --volume $PWD/$id:/data:ro $id -- sh -c 'cat /data/file; (echo x > /data/no) 2> /dev/null || echo refused'
        buildah run --user 0 --cap-drop all $id -- grep CapEff /proc/self/status
        buildah run --hostname box $id -- hostname
        terminal 24 80 buildah run --tty $id -- sh -c 'test -t 0 && test -t 1 && echo terminal' | head -n 1
        buildah rm $id > /dev/null; rm -r $id`,
    },
    expected: "1000\n2000\n/tmp\nb\ntext\nrefused\nCapEff:\t0000000000000000\nbox\nterminal",
  },
];
