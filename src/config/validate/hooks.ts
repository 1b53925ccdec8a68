/** `hooks`. */
import type { Hook } from "../types.ts";
import { refuseNul } from "./root.ts";
import type { Subject } from "./subject.ts";

export function validateHooks(subject: Subject): void {
  for (const [kind, hooks] of Object.entries(subject.spec.hooks ?? {})) {
    // A kind that is none of the spec's is an unknown property, and ignored.
    if (!KINDS.includes(kind)) continue;
    (hooks as Hook[]).forEach(({ path, args = [], env = [] }, index) => {
      const at = `/hooks/${kind}/${index}`;
      if (!path.startsWith("/")) subject.refuse(`${at}/path`, path, "must be an absolute path");
      refuseNul(subject, `${at}/path`, path);
      args.forEach((argument, position) => void refuseNul(subject, `${at}/args/${position}`, argument));
      env.forEach((variable, position) => void refuseNul(subject, `${at}/env/${position}`, variable));
    });
  }
}

const KINDS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
