/** User namespaces, and what a runtime that is not root needs of them. */
import { describe, expect, test } from "vitest";
import type { IdMapping } from "../../../src/config/types.ts";
import {
  accepted,
  also,
  asUser,
  type Edit,
  judge,
  map,
  mapped,
  onLinux,
  refused,
  userNamespace,
  withNamespace,
} from "../support/judge.ts";

describe("user namespaces", () => {
  const user = withNamespace({ type: "user" });
  test("mappings need one", () => refused(mapped, "/linux/uidMappings", /user namespace isn't enabled/));
  test("a new one needs mappings", () => {
    refused(user, "/linux/uidMappings", /no namespace path to join nor mappings/);
  });
  test("a new one needs both mappings", () => {
    refused(also(user, onLinux({ uidMappings: [map(0, 0, 1)] })), "/linux/gidMappings", /no gid mappings found/);
    refused(also(user, onLinux({ gidMappings: [map(0, 0, 1)] })), "/linux/uidMappings", /no uid mappings found/);
  });
  test("its root need not be mapped, as with crun", () => {
    accepted(also(userNamespace, onLinux({ gidMappings: [map(1, 1, 5)] })));
  });
  test("one with both is good", () => accepted(userNamespace));
  test("one to join needs none", () => accepted(withNamespace({ type: "user", path: "/proc/1/ns/user" })));
  test("mappings of one to join are warned of", () => {
    expect(judge(also(withNamespace({ type: "user", path: "/x" }), mapped))).toEqual([expect.stringContaining("/x")]);
  });
  test.each<[string, IdMapping[], string, RegExp]>([
    ["of no ids", [map(0, 0, 1), map(1, 1, 0)], "/linux/uidMappings/1/size", /must not be 0/],
    ["beyond the last id", [map(0, 0, 1), map(1, 4294967294, 2)], "/linux/uidMappings/1/size", /last id/],
    ["beyond the last id inside", [map(0, 0, 1), map(4294967294, 1, 2)], "/linux/uidMappings/1/size", /last id/],
    ["that overlap inside", [map(0, 0, 10), map(9, 100, 1)], "/linux/uidMappings/1", /overlaps/],
    ["that overlap outside", [map(0, 0, 10), map(10, 9, 1)], "/linux/uidMappings/1", /overlaps/],
    ["too many", Array.from({ length: 341 }, (_, id) => map(id, id, 1)), "/linux/uidMappings", /341 ranges/],
  ])("ranges %s are refused", (_, uidMappings, pointer, rule) => {
    refused(also(userNamespace, onLinux({ uidMappings })), pointer, rule);
  });
  test("all ids there are can be mapped", () => {
    accepted(also(userNamespace, onLinux({ uidMappings: [map(0, 0, 4294967295)] })));
  });
  test("340 ranges of one user's neighbours are accepted", () => {
    accepted(also(userNamespace, onLinux({ uidMappings: Array.from({ length: 340 }, (_, id) => map(id, id, 1)) })));
  });
});

describe("a runtime that is not root", () => {
  test("needs a user namespace", () => {
    refused(() => {}, "/linux/namespaces", /rootless container requires user namespaces/, asUser);
  });
  test("is content with one", () => accepted(userNamespace, asUser));
  test("is content with one to join", () => accepted(withNamespace({ type: "user", path: "/proc/1/ns/user" }), asUser));
  test.each(["uid=1", "gid=5"])("may not mount with %s when that is not mapped", (option) => {
    const mounts: Edit = (spec) => {
      spec.mounts = [{ destination: "/x", type: "tmpfs", options: ["ro", option] }];
    };
    refused(also(userNamespace, mounts), "/mounts/0/options/1", /cannot specify .* rootless container/, asUser);
    accepted(also(userNamespace, mounts));
  });
  test("may mount with ids that are mapped", () => {
    const mounts: Edit = (spec) => {
      spec.mounts = [{ destination: "/x", type: "tmpfs", options: ["uid=0", "gid=0"] }];
    };
    accepted(also(userNamespace, mounts), asUser);
  });
});
