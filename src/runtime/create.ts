/** `create`: makes a container, whose process waits for `start`. */
import { launch } from "./launch.ts";
import type { Context, CreateOptions } from "./options.ts";
import { prepare } from "./prepare.ts";

/** @throws {Error} that names the step that failed; nothing is left behind then */
export function createContainer(context: Context, options: CreateOptions): void {
  const launched = launch(context, prepare(context, options), { ...options, detach: true, waits: true });
  launched.lock.close();
}
