import { describe, expect, test } from "vitest";
import { mapOfRanges, userNameOf } from "../../src/sys/subordinate-ids.ts";

describe("an ordinary user's ids", () => {
  test("are its own as root, and its ranges from 1 on, one after the other", () => {
    const text = "other:1:2\nme:100000:65536\n# me:5:5\n1001:300000:10\nme:7:0\n";
    expect(mapOfRanges(text, ["me", "1001"], 1001)).toEqual([
      { containerID: 0, hostID: 1001, size: 1 },
      { containerID: 1, hostID: 100000, size: 65536 },
      { containerID: 65537, hostID: 300000, size: 10 },
    ]);
  });

  test.each(["", "other:100000:65536\n", "me:x:y\n", "me:100000\n"])(
    "of a file without ranges, %j, are none",
    (text) => {
      expect(mapOfRanges(text, ["me"], 1001)).toBeNull();
    },
  );

  test("belong to a name that passwd has", () => {
    expect(userNameOf("root:x:0:0::/:/bin/sh\nme:x:1001:1001::/:/bin/sh\n", 1001)).toBe("me");
    expect(userNameOf("root:x:0:0::/:/bin/sh\n", 1001)).toBeNull();
  });
});
