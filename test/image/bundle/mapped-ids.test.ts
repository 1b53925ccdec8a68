import { expect, test } from "vitest";
import { fitUser, refuseUnmapped } from "../../../src/image/bundle/mapped-ids.ts";
import { parseIdMap } from "../../../src/sys/id-maps.ts";

const RANGES = parseIdMap(
  "         0       1000          1\n         1     100000      65536\n    100000       9999          1\n",
);
const MAPPED = { uids: RANGES, gids: RANGES };

test("an id map is read as the ids inside and outside", () => {
  expect(RANGES).toEqual([
    { containerID: 0, hostID: 1000, size: 1 },
    { containerID: 1, hostID: 100000, size: 65536 },
    { containerID: 100000, hostID: 9999, size: 1 },
  ]);
  expect(parseIdMap("")).toEqual([]);
});

test("supplementary groups that are not mapped are left out", () => {
  const user = { uid: 1000, gid: 1000, additionalGids: [1000, 65536, 65537, 100000, 4294967294] };
  expect(fitUser("x", user, MAPPED)).toEqual({
    user: { uid: 1000, gid: 1000, additionalGids: [1000, 65536, 100000] },
    left: [65537, 4294967294],
  });
  expect(fitUser("x", { uid: 0, gid: 0 }, MAPPED)).toEqual({ user: { uid: 0, gid: 0 }, left: [] });
});

test("where one group is mapped, others cannot be set, and neither can that", () => {
  const one = [{ containerID: 7, size: 1 }];
  const user = { uid: 7, gid: 7, additionalGids: [7, 8] };
  expect(fitUser("x", user, { uids: one, gids: one })).toEqual({ user: { uid: 7, gid: 7 }, left: [8] });
});

test.each([
  [65537, 0, /^the user "x": the user id 65537 is not mapped .* which has 0 to 65536, 100000: \/etc\/subuid/],
  [0, 99999, /^the user "x": the group id 99999 is not mapped .* \/etc\/subgid/],
])("user %i, group %i are refused", (uid, gid, message) => {
  expect(() => refuseUnmapped('the user "x"', { uid, gid }, MAPPED)).toThrow(message);
  expect(() => fitUser('the user "x"', { uid, gid }, MAPPED)).toThrow(message);
});
