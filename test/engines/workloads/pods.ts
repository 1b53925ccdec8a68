/** Pods: Podman's, and what it makes of Kubernetes' YAML. */
import type { Workload } from "../workload.ts";

export const PODS: readonly Workload[] = [
  {
    name: "a pod: shared namespaces, stop, start",
    short: true,
    words: {
      podman: `
        podman pod create --name $id > /dev/null
        podman run --detach --pod $id --name $id-one busybox sh -c 'mkdir -p /www && echo page > /www/index.html && httpd -f -p 8080 -h /www' > /dev/null
        wait_for podman exec $id-one wget -q -O - http://127.0.0.1:8080/
        podman run --rm --pod $id busybox wget -q -O - http://127.0.0.1:8080/
        podman run --rm --pod $id busybox hostname | sed "s/^$id$/of the pod/"
        podman pod inspect --format '{{.State}}' $id
        podman pod stop --time 0 $id > /dev/null; podman pod inspect --format '{{.State}}' $id
        podman pod start $id > /dev/null; podman pod inspect --format '{{.State}}' $id
        podman pod rm --force --time 0 $id > /dev/null; podman ps --all --quiet --filter name=$id | wc -l`,
    },
    expected: "page\nof the pod\nRunning\nExited\nRunning\n0",
  },
  {
    name: "kube play, and down",
    words: {
      podman: `
        cat > $id.yaml << END
apiVersion: v1
kind: Pod
metadata: { name: $id }
spec:
  restartPolicy: Never
  containers:
    - name: one
      image: docker.io/library/busybox:latest
      imagePullPolicy: Never
      command: [sh, -c, "echo \\$WORD > /shared/file; sleep 1000"]
      env: [{ name: WORD, value: given }]
      securityContext: { runAsUser: 1000, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
      volumeMounts: [{ name: shared, mountPath: /shared }]
    - name: two
      image: docker.io/library/busybox:latest
      imagePullPolicy: Never
      command: [sleep, "1000"]
      volumeMounts: [{ name: shared, mountPath: /shared }]
  volumes: [{ name: shared, emptyDir: {} }]
END
        podman kube play $id.yaml > /dev/null
        podman pod inspect --format '{{.State}} {{.NumContainers}}' $id
        podman exec $id-one sh -c 'id -u; grep CapEff /proc/self/status; (echo x > /file) 2> /dev/null || echo refused'
        podman kube down $id.yaml > /dev/null; podman ps --all --quiet --filter name=$id | wc -l
        rm $id.yaml`,
    },
    expected: "Running 3\n1000\nCapEff:\t0000000000000000\nrefused\n0",
  },
];
