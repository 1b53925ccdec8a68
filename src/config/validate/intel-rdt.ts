/** `linux.intelRdt`. */
import type { IntelRdt } from "../types.ts";
import type { Subject } from "./subject.ts";

export function validateIntelRdt(subject: Subject, rdt: IntelRdt): void {
  const at = "/linux/intelRdt";
  const { closID = "", schemata = [], l3CacheSchema } = rdt;
  // It names a directory of resctrl; "/" alone is the default class.
  if (closID === "." || closID === ".." || (closID.length > 1 && closID.includes("/"))) {
    subject.refuse(`${at}/closID`, closID, "invalid intelRdt.ClosID: must be a directory's name, or /");
  }
  if (l3CacheSchema?.includes("\n")) subject.refuse(`${at}/l3CacheSchema`, l3CacheSchema, "must be one line");
  schemata.forEach((line, index) => {
    if (line.includes("\n")) subject.refuse(`${at}/schemata/${index}`, line, "must be one line");
  });
}
