import { expect, test } from "vitest";
import { ownerOf } from "../../../src/image/build/execute/owner.ts";

const FILES: Record<string, string> = {
  "/etc/passwd": "root:x:0:0::/:\napp:x:1000:1001::/:\n",
  "/etc/group": "root:x:0:\nstaff:x:50:app\n",
};
const owner = (text: string) => ownerOf(text, (path) => FILES[path] as string);

test.each([
  ["7", 7, 7],
  ["7:8", 7, 8],
  ["7:staff", 7, 50],
  ["app", 1000, 1001],
  ["app:staff", 1000, 50],
  ["app:8", 1000, 8],
  // By number, whatever primary group the image has for it.
  ["1000", 1000, 1000],
  [":staff", 0, 50],
  [":8", 0, 8],
  [":", 0, 0],
  // A colon without a group is group 0, and not the user's own.
  ["7:", 7, 0],
  ["app:", 1000, 0],
  ["root:", 0, 0],
  ["root", 0, 0],
  ["root:root", 0, 0],
  [":root", 0, 0],
])("--chown=%s", (text, uid, gid) => expect(owner(text)).toEqual({ uid, gid }));

test("root and numbers need no names of the image", () => {
  const nothing = () => {
    throw new Error("read");
  };
  for (const text of ["root:root", ":root", "1:2", ":", "7:", "root:"])
    expect(() => ownerOf(text, nothing)).not.toThrow();
});

test.each([
  ["nobody", /the user "nobody" is not in the image's \/etc\/passwd/],
  [":nothing", /the group "nothing" is not in the image's \/etc\/group/],
  ["app:nothing", /the group "nothing"/],
  [":1:2", /more than one ":"/],
  ["7::", /more than one ":"/],
  ["4294967295", /an id is a number of 0 to/],
])("--chown=%s is refused", (text, message) => expect(() => owner(text)).toThrow(message));
