/** `mounts`. */
import { describe, expect, test } from "vitest";
import type { Mount } from "../../../src/config/types.ts";
import { accepted, also, asUser, type Edit, judge, map, refused, userNamespace } from "../support/judge.ts";

describe("mounts", () => {
  const mount =
    (entry: Mount): Edit =>
    (spec) => {
      spec.mounts = [entry];
    };
  const ids = [map(0, 1000, 1)];
  const bind = { destination: "/x", source: "/y", options: ["rbind"] };

  test("a relative destination is warned of", () => {
    expect(judge(mount({ ...bind, destination: "x" }))).toEqual([
      expect.stringMatching(/^\/mounts\/0\/destination: "x"/),
    ]);
  });
  test.each<[object, string, RegExp]>([
    [{ destination: "" }, "/mounts/0/destination", /empty/],
    [{ destination: "/\0" }, "/mounts/0/destination", /null byte/],
    [{ source: "\0" }, "/mounts/0/source", /null byte/],
    [{ type: "\0" }, "/mounts/0/type", /null byte/],
    [{ options: ["bind", "\0"] }, "/mounts/0/options/1", /null byte/],
    [{ options: [], uidMappings: ids, gidMappings: ids }, "/mounts/0", /only supported for bind-mounts/],
    [{ options: ["ridmap"] }, "/mounts/0", /only supported for bind-mounts/],
    [{ uidMappings: ids }, "/mounts/0", /both uid and gid mappings/],
    [{ gidMappings: ids }, "/mounts/0", /both uid and gid mappings/],
    [{ uidMappings: ids, gidMappings: [] }, "/mounts/0", /both uid and gid mappings/],
    [{ options: ["bind", "idmap"] }, "/mounts/0", /no user namespace to take them from/],
    [{ uidMappings: [map(0, 0, 0)], gidMappings: ids }, "/mounts/0/uidMappings/0/size", /must not be 0/],
  ])("%j is refused", (part, pointer, rule) => refused(mount({ ...bind, ...part }), pointer, rule));

  test("a bind with options for a filesystem is warned of", () => {
    expect(judge(mount({ ...bind, options: ["bind", "ro", "mode=755"] }))).toEqual([
      expect.stringMatching(/^\/mounts\/0\/options: "mode=755": is ignored: bind mounts cannot have/),
    ]);
  });

  test("an id-mapped bind mount is accepted", () => accepted(mount({ ...bind, uidMappings: ids, gidMappings: ids })));
  test("idmap takes the mappings of the user namespace", () => {
    accepted(also(userNamespace, mount({ ...bind, options: ["rbind", "ridmap"] })));
  });
  test("an id-mapped mount needs root", () => {
    refused(also(userNamespace, mount({ ...bind, options: ["rbind", "idmap"] })), "/mounts/0", /rootless/, asUser);
  });
  test("a filesystem has options of its own", () => {
    accepted(mount({ destination: "/x", type: "tmpfs", options: ["mode=755", "size=1m"] }));
  });
});
