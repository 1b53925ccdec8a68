/** The state document as `state` and `list` print it. */
import type { ContainerState } from "../runtime/state.ts";

/** The document with its fields in runc's order, which scripts without a JSON parser know. */
export function stateDocument(state: ContainerState): ContainerState {
  const { ociVersion, id, pid, status, bundle, rootfs, created, annotations, owner } = state;
  const some = annotations !== undefined && Object.keys(annotations).length > 0;
  return { ociVersion, id, pid, status, bundle, rootfs, created, ...(some && { annotations }), owner };
}
