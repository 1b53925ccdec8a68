/** What the schema cannot say of a process alone, as `exec --process` gives it. */
import type { Process } from "../types.ts";
import { validateProcess } from "./process.ts";
import { Subject } from "./subject.ts";

/** @throws {ConfigError} */
export function validateProcessMeaning(process: Process): { warnings: string[] } {
  const subject = new Subject({ ociVersion: "1.3.0" }, { euid: 0, inUserNamespace: false, forCreate: true });
  validateProcess(subject, "", process);
  return { warnings: subject.warnings };
}
