/** The unit of a container: its name and its slice, from `linux.cgroupsPath`, and where the unit's cgroup is. */

import type { Unit } from "../../plan/cgroups.ts";

/**
 * The unit that a `cgroupsPath` of the form `slice:prefix:name` names. An empty slice is `system.slice`, for a user's manager
 * `user.slice`; `-` is the root of all slices. A name that ends in `.slice` is a slice itself, and the prefix means nothing then.
 * @param path `""` stands for `:tsrunc:ID`
 * @throws {Error} for another form, and for names that systemd does not have
 */
export function planUnit(path: string, id: string, manager: Unit["manager"]): Unit {
  const [slice = "", prefix = "", name = "", ...more] = (path === "" ? `:tsrunc:${id}` : path).split(":");
  if (more.length > 0 || (path !== "" && path.split(":").length !== 3)) {
    const form = "with the systemd driver it has the form slice:prefix:name";
    throw new Error(`linux.cgroupsPath ${JSON.stringify(path)}: ${form}, such as system.slice:tsrunc:${id}`);
  }
  if (name === "") throw new Error(`linux.cgroupsPath ${JSON.stringify(path)} names no unit`);
  const unit = name.endsWith(".slice") ? name : `${prefix === "" ? "" : `${prefix}-`}${name}.scope`;
  if (!/^[A-Za-z0-9:_.\\@-]{1,255}$/.test(unit)) {
    throw new Error(
      `linux.cgroupsPath ${JSON.stringify(path)}: ${unit} is no name of a unit: letters, digits and :_.\\@- are`,
    );
  }
  const defaultSlice = manager === "user" ? "user.slice" : "system.slice";
  const named = slice === "" ? defaultSlice : slice === "-" ? "-.slice" : slice;
  slicePath(named);
  if (unit.endsWith(".slice")) slicePath(unit);
  return { name: unit, slice: named, manager };
}

/**
 * The path of a slice's cgroup: `a-b-c.slice` is `/a.slice/a-b.slice/a-b-c.slice`, and `-.slice` is the root.
 * @throws {Error} for what is no name of a slice
 * @see systemd.slice(5)
 */
export function slicePath(slice: string): string {
  if (slice === "-.slice") return "";
  const name = slice.slice(0, -".slice".length);
  const parts = name.split("-");
  if (!slice.endsWith(".slice") || parts.includes("") || !/^[A-Za-z0-9:_.\\@-]{1,249}$/.test(name)) {
    throw new Error(`invalid slice name ${JSON.stringify(slice)}`);
  }
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("-")}.slice`).join("");
}

/** The path of a unit's cgroup, below that of its manager. A slice's own name says what it is in. */
export function unitPath({ name, slice }: Unit): string {
  return name.endsWith(".slice") ? slicePath(name) : `${slicePath(slice)}/${name}`;
}
