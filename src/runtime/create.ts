/** `create`: makes a container, whose process waits for `start`. */
import { Interruption } from "./interruption.ts";
import { launch } from "./launch.ts";
import type { Context, CreateOptions } from "./options.ts";
import { prepare } from "./prepare.ts";

/** @throws {Error} that names the step that failed; nothing is left behind then */
export function createContainer(context: Context, options: CreateOptions): void {
  // Held back to the end of this process: once the container is there, a request to end comes too late.
  const interruption = Interruption.ofDetached();
  const prepared = prepare(context, options);
  const launched = launch(context, prepared, { ...options, detach: true, waits: true, interruption });
  launched.lock.close();
}
