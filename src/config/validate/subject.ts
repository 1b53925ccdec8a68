/** What the rules have before them: a configuration, who wants to use it, and a place for warnings. */
import { ConfigError } from "../error.ts";
import type { Linux, Namespace, NamespaceType, Spec } from "../types.ts";

/** Who wants to use a configuration, and what for. */
export interface Asker {
  /** Effective uid of the runtime. */
  euid: number;
  /** Whether the runtime is in a user namespace other than the initial one. */
  inUserNamespace: boolean;
  /** Whether a container is to be made: what is missing for that is an error, and a warning otherwise. */
  forCreate: boolean;
}

export class Subject {
  readonly warnings: string[] = [];
  readonly linux: Linux;

  constructor(
    readonly spec: Spec,
    readonly asker: Asker,
  ) {
    this.linux = spec.linux ?? {};
  }

  /** The container's own namespace of a type, new or joined; `undefined` when it shares the runtime's. */
  namespace(type: NamespaceType): Namespace | undefined {
    return this.linux.namespaces?.find((namespace) => namespace.type === type);
  }

  /** @throws {ConfigError} always */
  refuse(pointer: string, value: unknown, rule: string): never {
    throw new ConfigError(pointer, value, rule);
  }

  warn(pointer: string, value: unknown, words: string): void {
    this.warnings.push(new ConfigError(pointer, value, words, "").message);
  }

  /** Says that no container can be made: an error when one is to be made, otherwise a warning. */
  refuseToCreate(pointer: string, value: unknown, rule: string): void {
    if (this.asker.forCreate) this.refuse(pointer, value, rule);
    this.warn(pointer, value, `no container can be made of it: ${rule}`);
  }
}
