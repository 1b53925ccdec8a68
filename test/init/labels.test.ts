import { describe, expect, test } from "vitest";
import { type Attributes, confineByAppArmor, setSelinuxLabel } from "../../src/init/labels.ts";

const [ENOENT, EACCES, EINVAL] = [2, 13, 22];

/** A kernel whose files say what is given; writing answers an errno. @returns what was written, in order */
function kernel(files: Record<string, string | number>, answer = 0): Attributes & { written: string[] } {
  const written: string[] = [];
  return {
    written,
    read: (name) => files[name] ?? -ENOENT,
    write: (name, value) => {
      written.push(`${name}: ${value}`);
      return -answer;
    },
  };
}

const UNCONFINED = { "apparmor/current": "unconfined\n" };
const CONFINED = { "apparmor/current": "docker-default (enforce)\n" };

describe("an AppArmor profile", () => {
  test.each<[string, Record<string, string | number>, boolean, string]>([
    ["goes to AppArmor's own file", UNCONFINED, true, "apparmor/exec: exec web"],
    ["goes to the shared file before Linux 5.8", { current: "unconfined\n" }, true, "exec: exec web"],
    ["replaces the runtime's own", CONFINED, false, "apparmor/exec: exec web"],
    ["is stacked on the runtime's own under no_new_privs", CONFINED, true, "apparmor/exec: stack web"],
    ["is stacked in the shared file, too", { current: "docker-default (enforce)" }, true, "exec: stack web"],
  ])("%s", (_, files, noNewPrivileges, written) => {
    const attributes = kernel(files);
    confineByAppArmor("web", noNewPrivileges, attributes);
    expect(attributes.written).toEqual([written]);
  });

  test("that is unconfined is asked for as any other", () => {
    const attributes = kernel(CONFINED);
    confineByAppArmor("unconfined", false, attributes);
    expect(attributes.written).toEqual(["apparmor/exec: exec unconfined"]);
  });

  test.each([
    ["not loaded", ENOENT, /^apparmor failed to apply profile: the profile "web" is not loaded$/],
    [
      "of an invalid name",
      EINVAL,
      /^apparmor failed to apply profile: "web": invalid name, or AppArmor is not enabled$/,
    ],
    ["refused", EACCES, /^apparmor failed to apply profile: "web": permission denied$/],
  ])("that is %s is an error", (_, answer, message) => {
    expect(() => confineByAppArmor("web", false, kernel(UNCONFINED, answer))).toThrow(message);
  });

  // The file is there in a kernel that was built with AppArmor and started without it.
  test.each<[string, Record<string, string | number>]>([
    ["the kernel has not", {}],
    ["the kernel was started without", { "apparmor/current": -EINVAL }],
    ["the kernel has not, nor another module", { current: -EINVAL }],
  ])("that %s is an error, but for unconfined", (_, files) => {
    const attributes = kernel(files);
    expect(() => confineByAppArmor("web", true, attributes)).toThrow(/"web": AppArmor is not enabled in this kernel/);
    confineByAppArmor("unconfined", true, attributes);
    expect(attributes.written).toEqual([]);
  });
});

describe("an SELinux label", () => {
  test.each(["exec", "keycreate"] as const)("goes to %s", (file) => {
    const attributes = kernel({});
    setSelinuxLabel(file, "u:r:t:s0", attributes);
    expect(attributes.written).toEqual([`${file}: u:r:t:s0`]);
  });

  test("that the policy does not know is an error, and so is a kernel without", () => {
    const set = (errno: number) => () => setSelinuxLabel("keycreate", "u:r:t:s0", kernel({}, errno));
    expect(set(EINVAL)).toThrow(/keyring .*keycreate.* to "u:r:t:s0": .*policy/);
    expect(set(ENOENT)).toThrow(/no such file/);
  });
});
