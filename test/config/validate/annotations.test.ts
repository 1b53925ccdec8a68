/** The annotations of crun that cannot be carried out. */
import { describe, test } from "vitest";
import { accepted, refused } from "../support/judge.ts";

const annotated = (annotations: Record<string, string>) => (spec: object) => void Object.assign(spec, { annotations });

describe("annotations", () => {
  test.each([
    ["", "x", /has no name/],
    ["run.oci.handler", "wasm", /no such handler/],
    ["run.oci.handler", "krun", /no such handler/],
    ["run.oci.delegate-cgroup", "payload", /not supported/],
    ["run.oci.seccomp.plugins", "/x", /plugins are not supported/],
    ["run.oci.mount_context_type", "secontext", /must be one of context, fscontext, defcontext, rootcontext/],
  ])("%s of %s is refused", (name, value, why) => refused(annotated({ [name]: value }), `/annotations/${name}`, why));

  test.each([
    ["run.oci.handler", ""],
    ["run.oci.handler", "crun"],
    ["run.oci.delegate-cgroup", ""],
    ["run.oci.systemd.subgroup", "container"],
    ["run.oci.mount_context_type", "fscontext"],
    ["org.example.anything", "x"],
  ])("%s of %j is accepted", (name, value) => accepted(annotated({ [name]: value })));

  test("the sandbox container of a pod is a process whatever its handler", () => {
    accepted(annotated({ "run.oci.handler": "krun", "io.kubernetes.cri.container-type": "sandbox" }));
  });
});
