/** The commands that docs/engines.md shows for each engine. */
import { documentedCommand } from "../documented.ts";
import type { Workload } from "../workload.ts";

export const EXAMPLES: readonly Workload[] = [
  {
    name: "the command of the page",
    words: {
      podman: documentedCommand("Podman"),
      docker: documentedCommand("Docker"),
      buildah: `{ ${documentedCommand("Buildah")} } 2> /dev/null | grep '^hello$'`,
      ctr: documentedCommand("containerd"),
    },
    expected: { podman: "hello", docker: "hello", buildah: "hello\nhello", ctr: "hello" },
  },
];
