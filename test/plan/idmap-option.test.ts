import { describe, expect, test } from "vitest";
import { parseIdmapOption } from "../../src/plan/idmap-option.ts";

const NONE = { uid: [], gid: [] };

describe("the maps of the idmap option", () => {
  test("are triplets: a file's id, the id it is shown as, how many", () => {
    expect(parseIdmapOption("uids=0-1-10#10-11-10;gids=0-100-10", NONE)).toEqual({
      uid: [
        { containerID: 0, hostID: 1, size: 10 },
        { containerID: 10, hostID: 11, size: 10 },
      ],
      gid: [{ containerID: 0, hostID: 100, size: 10 }],
    });
  });

  test("count from the container's ids after an @", () => {
    const uid = [
      { containerID: 0, hostID: 0, size: 1 },
      { containerID: 1, hostID: 2, size: 1000 },
    ];
    expect(parseIdmapOption("uids=@1-3-10", { uid, gid: [] }).uid).toEqual([{ containerID: 1, hostID: 4, size: 10 }]);
  });

  test.each([
    ["uids=0-1", /"0-1"/],
    ["uids=a-b-c", /"a-b-c"/],
    ["ids=0-1-1", /"ids=0-1-1": uids=… or gids=…/],
    ["uids=0-0-0", /must not be 0/],
    ["uids=0-4294967295-1", /beyond the last id, 4294967294/],
    ["gids=4294967294-0-2", /beyond the last id, 4294967294/],
    ["gids=@5-5-1", /the user namespace has no id 5/],
  ])("%s is refused", (value, why) => expect(() => parseIdmapOption(value, NONE)).toThrow(why));
});
