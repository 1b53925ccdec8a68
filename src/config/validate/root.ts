/** `root`, and the names that a UTS namespace has. */
import type { Subject } from "./subject.ts";

export function validateRoot(subject: Subject): void {
  const { root, hostname, domainname } = subject.spec;
  if (root === undefined) subject.refuse("/root", undefined, "is missing: root must be specified");
  if (root.path === "") subject.refuse("/root/path", "", "must not be empty");
  refuseNul(subject, "/root/path", root.path);
  if (subject.namespace("uts") !== undefined) return;
  const rule = (name: string) => `unable to set ${name} without a private UTS namespace`;
  if (hostname) subject.refuse("/hostname", hostname, rule("hostname"));
  if (domainname) subject.refuse("/domainname", domainname, rule("domainname"));
}

/** A NUL ends a string for the kernel, which would act on another path than the one written. */
export function refuseNul(subject: Subject, pointer: string, value: string | undefined): void {
  if (value?.includes("\0")) subject.refuse(pointer, value, "must not contain a null byte");
}
