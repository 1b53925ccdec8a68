/** The namespaces that `restore` does not make. */
import type { Spec } from "../config/types.ts";
import { externalNamespaces } from "../criu/namespaces.ts";
import type { Fd } from "../sys/fd.ts";
import { openNamespaceFile } from "../sys/namespace.ts";

/** The network and pid namespaces to restore into, opened before anything is made. */
export class RestoredNamespaces implements Disposable {
  readonly types: ("network" | "pid")[] = [];
  readonly fds: Fd[] = [];

  /** @throws {Error} when one is not there (any more) */
  constructor(spec: Spec) {
    for (const { type, path } of externalNamespaces(spec)) {
      try {
        this.fds.push(openNamespaceFile(path));
        this.types.push(type);
      } catch (error) {
        this[Symbol.dispose]();
        throw new Error(`the ${type} namespace to restore into: ${(error as Error).message}`);
      }
    }
  }

  [Symbol.dispose](): void {
    for (const fd of this.fds) fd.close();
  }
}
