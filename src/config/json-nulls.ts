/** Leaves out members that are `null`: to the engines, which are written in Go, `null` and "absent" are the same. */
export function dropNulls(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) return value.forEach(dropNulls);
  const members = value as Record<string, unknown>;
  for (const [name, member] of Object.entries(members)) {
    if (member === null) delete members[name];
    else dropNulls(member);
  }
}
