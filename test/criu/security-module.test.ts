import { expect, test } from "vitest";
import { checkSecurityModule } from "../../src/criu/security-module.ts";

/** A kernel with some of the modules. */
const kernel = (...there: string[]) => ({
  apparmor: { name: "AppArmor", isThere: () => there.includes("apparmor") },
  selinux: { name: "SELinux", isThere: () => there.includes("selinux") },
});

test.each([
  [{ lsmProfile: "apparmor:docker-default" }, ["apparmor"]],
  [{ lsmProfile: "selinux:system_u:system_r:container_t:s0" }, ["selinux"]],
  [{ lsmMountContext: "system_u:object_r:container_file_t:s0" }, ["selinux"]],
  [{}, []],
])("%j is taken where there is %j", (options, modules) => {
  checkSecurityModule(options, kernel(...modules));
});

test.each([
  [
    { lsmProfile: "apparmor:docker-default" },
    ["selinux"],
    "--lsm-profile is not possible here: AppArmor is not enabled",
  ],
  [{ lsmProfile: "selinux:a:b:c" }, ["apparmor"], "--lsm-profile is not possible here: SELinux is not enabled"],
  [{ lsmMountContext: "a:b:c" }, ["apparmor"], "--lsm-mount-context is not possible here: SELinux is not enabled"],
  [{ lsmProfile: "docker-default" }, ["apparmor"], 'invalid --lsm-profile "docker-default": apparmor:NAME'],
  [{ lsmProfile: "apparmor:" }, ["apparmor"], 'invalid --lsm-profile "apparmor:"'],
  [{ lsmProfile: "smack:_" }, ["apparmor", "selinux"], 'invalid --lsm-profile "smack:_"'],
])("%j is refused where there is %j", (options, modules, words) => {
  expect(() => checkSecurityModule(options, kernel(...modules))).toThrow(words);
});
