/** `linux.seccomp`. */
import { describe, test } from "vitest";
import { accepted, also, asRoot, type Edit, onLinux, refused } from "../support/judge.ts";

describe("seccomp", () => {
  const seccomp = (part: object) => onLinux({ seccomp: { defaultAction: "SCMP_ACT_ALLOW", ...part } });
  const call = (part: object, rest = {}) =>
    seccomp({ syscalls: [{ names: ["x"], action: "SCMP_ACT_ERRNO", ...part }], ...rest });
  const notify = { action: "SCMP_ACT_NOTIFY" };
  test.each<[string, Edit, string, RegExp]>([
    [
      "an argument beyond the sixth",
      call({ args: [{ index: 6, value: 0, op: "SCMP_CMP_EQ" }] }),
      "/syscalls/0/args/0/index",
      /0 to 5/,
    ],
    [
      "an errno with an action that returns none",
      call({ action: "SCMP_ACT_ALLOW", errnoRet: 1 }),
      "/syscalls/0/errnoRet",
      /not with SCMP_ACT_ALLOW/,
    ],
    ["an errno that would be cut to another", call({ errnoRet: 65536 }), "/syscalls/0/errnoRet", /at most 4094/],
    ["the one that libseccomp does not take", call({ errnoRet: 4095 }), "/syscalls/0/errnoRet", /at most 4094/],
    ["a call without a name", call({ names: ["x", ""] }), "/syscalls/0/names/1", /must be a system call's name/],
    [
      "one that C would cut short",
      call({ names: ["mkdir\0x"] }),
      "/syscalls/0/names/0",
      /must be a system call's name/,
    ],
    [
      "a default errno with such an action",
      seccomp({ defaultErrnoRet: 1 }),
      "/defaultErrnoRet",
      /not with SCMP_ACT_ALLOW/,
    ],
    [
      "notification by default",
      seccomp({ defaultAction: "SCMP_ACT_NOTIFY" }),
      "/defaultAction",
      /cannot be used as default action/,
    ],
    ["notification to nobody", call(notify), "/syscalls/0/action", /needs a listenerPath/],
    [
      "notification of write",
      call({ ...notify, names: ["mkdir", "write"] }, { listenerPath: "/x" }),
      "/syscalls/0/names",
      /cannot be used for the write/,
    ],
    ["metadata for nobody", seccomp({ listenerMetadata: "x" }), "/listenerMetadata", /listenerPath is not/],
  ])("%s is refused", (_, edit, pointer, rule) => refused(edit, `/linux/seccomp${pointer}`, rule));
  const toValidate = { ...asRoot, forCreate: false };
  test("errnos of actions that return them are accepted", () => {
    accepted(also(call({ errnoRet: 38 }), call({ action: "SCMP_ACT_TRACE", errnoRet: 5 })), toValidate);
  });
  test("a listener that nothing notifies is accepted", () =>
    accepted(seccomp({ listenerPath: "/x", listenerMetadata: "x" }), toValidate));
});
