/** Prints the soft limit of open files that its caller gave it. */
import { callerNofileLimit } from "../../src/runtime/process-limits.ts";

console.log(String(callerNofileLimit()));
