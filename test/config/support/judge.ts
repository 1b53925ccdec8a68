/** Judges edits of a good configuration by the rules of `src/config/validate.ts`. */
import { expect } from "vitest";
import { ConfigError } from "../../../src/config/error.ts";
import { isSpec } from "../../../src/config/generated/config.js";
import { check } from "../../../src/config/schema.ts";
import type { IdMapping, Linux, Namespace, NamespaceType, Process } from "../../../src/config/types.ts";
import { validateMeaning } from "../../../src/config/validate.ts";
import { baseConfig, type TestSpec } from "../../support/config.ts";

/** A runtime that is root. */
export const asRoot = { euid: 0, inUserNamespace: false, forCreate: true };
/** A runtime that is not. */
export const asUser = { ...asRoot, euid: 1000 };

/** Changes a configuration in place. */
export type Edit = (spec: TestSpec) => void;

/** What comes of a good configuration after an edit, which must still pass the schema. */
export function judge(edit: Edit, asker = asRoot): { pointer: string; rule: string } | string[] {
  const spec: unknown = baseConfig(["true"]);
  edit(spec as TestSpec);
  check(isSpec, spec, "config.json");
  try {
    return validateMeaning(spec, asker).warnings;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { pointer: error.pointer, rule: error.rule };
  }
}

/** The edit makes the configuration one that is refused, there and for that. */
export function refused(edit: Edit, pointer: string, rule: RegExp, asker = asRoot): void {
  expect(judge(edit, asker)).toEqual({ pointer, rule: expect.stringMatching(rule) });
}

/** The edit makes a configuration that is accepted without a warning. */
export function accepted(edit: Edit, asker = asRoot): void {
  expect(judge(edit, asker)).toEqual([]);
}

/** Edits: members of `linux`, of `process`; several edits; a namespace less or more; mappings of ids. */
export const onLinux =
  (part: Linux): Edit =>
  (spec) =>
    void Object.assign(spec.linux, part);
export const onProcess =
  (part: Partial<Process>): Edit =>
  (spec) =>
    void Object.assign(spec.process, part);
export const also =
  (...edits: Edit[]): Edit =>
  (spec) =>
    void edits.forEach((edit) => void edit(spec));

export const without =
  (type: NamespaceType): Edit =>
  ({ linux }) => {
    linux.namespaces = linux.namespaces.filter((namespace) => namespace.type !== type);
  };
export const withNamespace =
  (namespace: Namespace): Edit =>
  (spec) => {
    without(namespace.type)(spec);
    spec.linux.namespaces.push(namespace);
  };
export const map = (containerID: number, hostID: number, size: number): IdMapping => ({ containerID, hostID, size });
export const mapped = onLinux({ uidMappings: [map(0, 1000, 1)], gidMappings: [map(0, 1000, 1)] });
export const userNamespace = also(withNamespace({ type: "user" }), mapped);
