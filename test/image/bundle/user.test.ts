import { describe, expect, test } from "vitest";
import { resolveUser } from "../../../src/image/bundle/user.ts";

const PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n4294967296:x:0:0::/:\nbroken\n";
const GROUP = "root:x:0:\napp:x:1001:\nextra:x:2000:other,app\nmore:x:2001:app\n";
const resolve = (user: string) => resolveUser(user, PASSWD, GROUP);

describe("a user of an image", () => {
  test.each([
    ["", { uid: 0, gid: 0, additionalGids: [0] }, "/root"],
    ["root", { uid: 0, gid: 0, additionalGids: [0] }, "/root"],
    ["app", { uid: 1000, gid: 1001, additionalGids: [1001, 2000, 2001] }, "/home/app"],
    ["app:extra", { uid: 1000, gid: 2000, additionalGids: [2000] }, "/home/app"],
    ["app:7", { uid: 1000, gid: 7, additionalGids: [7] }, "/home/app"],
    ["1000", { uid: 1000, gid: 1001, additionalGids: [1001] }, "/home/app"],
    ["5", { uid: 5, gid: 0, additionalGids: [0] }, null],
    ["5:6", { uid: 5, gid: 6, additionalGids: [6] }, null],
    ["4294967294", { uid: 4294967294, gid: 0, additionalGids: [0] }, null],
  ])("%j", (text, user, home) => {
    expect(resolve(text)).toEqual({ user, home });
  });

  test.each([
    "nobody-there",
    "app:nothing",
    "4294967295",
    "4294967296",
    "2147483648000:0",
    "-1",
    "+1",
    "0:-1",
    "a:b:c",
  ])("%j is refused", (text) => {
    expect(() => resolve(text)).toThrow(/is not in the image's|an id is a number of 0 to 4294967294|more than one ":"/);
  });

  test("without the image's files is root, or a number", () => {
    expect(resolveUser("", "", "").user).toEqual({ uid: 0, gid: 0, additionalGids: [0] });
    expect(resolveUser("7:8", "", "").user).toEqual({ uid: 7, gid: 8, additionalGids: [8] });
  });
});
