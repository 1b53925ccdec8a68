/** `linux.namespaces`, and what depends on one of them. */
import { describe, test } from "vitest";
import { accepted, also, type Edit, onLinux, refused, withNamespace, without } from "../support/judge.ts";

describe("namespaces", () => {
  test("each type may be there once", () => {
    refused(
      ({ linux }) => {
        linux.namespaces = [{ type: "pid" }, { type: "uts" }, { type: "mount" }, { type: "pid" }];
      },
      "/linux/namespaces/3/type",
      /duplicated/,
    );
  });
  test("a path must be absolute", () => {
    refused(
      ({ linux }) => void linux.namespaces.unshift({ type: "time", path: "ns/time" }),
      "/linux/namespaces/0/path",
      /absolute/,
    );
  });
  test("a path has no NUL", () => {
    refused(
      ({ linux }) => void linux.namespaces.unshift({ type: "time", path: "/proc/1/ns/time\0" }),
      "/linux/namespaces/0/path",
      /null byte/,
    );
  });
  test("an empty path is none", () => accepted(withNamespace({ type: "ipc", path: "" })));
  test.each(["maskedPaths", "readonlyPaths"] as const)("%s need a mount namespace", (name) => {
    refused(
      also(onLinux({ maskedPaths: [], readonlyPaths: [], [name]: ["/x"] }), without("mount")),
      `/linux/${name}`,
      /private MNT/,
    );
  });

  test.each<[string, Edit]>([
    ["/root/readonly", ({ root }) => void Object.assign(root, { readonly: true })],
    ["/mounts/0", () => {}],
  ])("without a mount namespace, what would be done to the host is refused: %s", (pointer, edit) => {
    const open = also(onLinux({ maskedPaths: [], readonlyPaths: [] }), without("mount"));
    refused(also(open, edit), pointer, /needs a mount namespace/);
    accepted(also(open, (spec) => void Object.assign(spec, { mounts: [] })));
  });

  describe("timeOffsets", () => {
    const offsets = (timeOffsets: object) => onLinux({ timeOffsets });
    const time = withNamespace({ type: "time" });
    test("need a time namespace", () => {
      refused(offsets({ monotonic: { secs: 1 } }), "/linux/timeOffsets", /time namespace isn't enabled/);
    });
    test("need a new one", () => {
      const joined = withNamespace({ type: "time", path: "/proc/1/ns/time" });
      refused(also(joined, offsets({ monotonic: { secs: 1 } })), "/linux/timeOffsets", /cannot be changed/);
    });
    test("are of clocks that the namespace has", () => {
      refused(also(time, offsets({ realtime: { secs: 1 } })), "/linux/timeOffsets/realtime", /no clock/);
    });
    test("have less than a second of nanoseconds", () => {
      refused(
        also(time, offsets({ boottime: { nanosecs: 1e9 } })),
        "/linux/timeOffsets/boottime/nanosecs",
        /less than/,
      );
    });
    test("may be negative", () =>
      accepted(also(time, offsets({ monotonic: { secs: -5, nanosecs: 999999999 }, boottime: {} }))));
  });
});
