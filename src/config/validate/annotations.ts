/** The annotations of crun: what cannot be done is said, and not left out in silence. */
import { CONTEXT_TYPES } from "../context-types.ts";
import { segment } from "../error.ts";
import type { Subject } from "./subject.ts";

export function validateAnnotations(subject: Subject, annotations: Record<string, string>): void {
  for (const [name, value] of Object.entries(annotations)) {
    if (name === "") subject.refuse("/annotations/", value, "has no name: a key must not be empty");
    if (!name.startsWith("run.oci.")) continue;
    const at = `/annotations/${segment(name)}`;
    switch (name) {
      case "run.oci.handler":
        validateHandler(subject, at, value);
        break;
      case "run.oci.mount_context_type":
        if ((CONTEXT_TYPES as readonly string[]).includes(value)) break;
        subject.refuse(at, value, `must be one of ${CONTEXT_TYPES.join(", ")}`);
        break;
      case "run.oci.delegate-cgroup":
        if (value !== "")
          subject.refuseToCreate(at, value, "delegating a cgroup below the container's own is not supported");
        break;
      case "run.oci.systemd.subgroup":
        // It names a part of what systemd makes. Without systemd there is no such part, and crun says nothing either.
        break;
      case "run.oci.seccomp.plugins":
        // Programs that crun loads into itself to answer notified calls.
        subject.refuseToCreate(at, value, "plugins are not supported: name a listener by run.oci.seccomp.receiver");
        break;
    }
  }
}

/** A handler is another program in the place of the process: WebAssembly, a virtual machine. */
function validateHandler(subject: Subject, at: string, value: string): void {
  // As with crun: the sandbox container of a pod is an ordinary process, whatever its pod is.
  if (subject.spec.annotations?.["io.kubernetes.cri.container-type"] === "sandbox") return;
  if (value !== "" && value !== "crun") {
    subject.refuseToCreate(at, value, "there is no such handler: containers are run as processes only");
  }
}
