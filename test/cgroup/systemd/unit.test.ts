import { describe, expect, test } from "vitest";
import { annotationProperties, parseValue } from "../../../src/cgroup/systemd/annotations.ts";
import { socketPath } from "../../../src/cgroup/systemd/bus.ts";
import { Reader, Writer } from "../../../src/cgroup/systemd/marshal.ts";
import { planUnit, slicePath, unitPath } from "../../../src/cgroup/systemd/unit.ts";

describe("a container's unit", () => {
  test.each([
    ["", "tsrunc-id.scope", "system.slice"],
    [":crun:123", "crun-123.scope", "system.slice"],
    ["user.slice:p:n", "p-n.scope", "user.slice"],
    ["-:p:n", "p-n.scope", "-.slice"],
    [":ignored:my-pod.slice", "my-pod.slice", "system.slice"],
    ["x.slice::n", "n.scope", "x.slice"],
  ])("%j", (path, name, slice) => {
    expect(planUnit(path, "id", "system")).toEqual({ name, slice, manager: "system" });
  });

  test("of a user is in user.slice unless it says otherwise", () => {
    expect(planUnit("", "id", "user").slice).toBe("user.slice");
  });

  test.each([
    "/a/b",
    "a:b",
    "a:b:c:d",
    "x.slice:p:",
    "x:p:n",
    "-a.slice:p:n",
    "a--b.slice:p:n",
    "a/b.slice:p:n",
    "x.slice:p:a/b",
    ":p:a b",
  ])("%j is refused", (path) => {
    expect(() => planUnit(path, "id", "system")).toThrow(/cgroupsPath|slice/);
  });

  test("is below the slices that its slice's name spells", () => {
    expect(slicePath("kubepods-burstable-podX.slice")).toBe(
      "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podX.slice",
    );
    expect(unitPath({ name: "c.scope", slice: "-.slice", manager: "system" })).toBe("/c.scope");
    expect(unitPath({ name: "a-b.slice", slice: "system.slice", manager: "system" })).toBe("/a.slice/a-b.slice");
  });
});

describe("properties in annotations", () => {
  test.each([
    ["'a b'", "s", "a b"],
    [`"it\\"s"`, "s", `it"s`],
    ["true", "b", true],
    ["5", "i", 5],
    ["uint64 5", "t", 5n],
    ["-1.5", "d", -1.5],
    ["['a', 'b, c']", "as", ["a", "b, c"]],
    ["[uint32 1, uint32 2]", "au", [1, 2]],
    ["@as []", undefined, undefined],
    ["a b", undefined, undefined],
    ["'a' x", undefined, undefined],
    ["uint32 -1", undefined, undefined],
    ["5000000000", undefined, undefined],
    ["['a', 5]", undefined, undefined],
    ["[", undefined, undefined],
    ["", undefined, undefined],
  ])("%s", (text, signature, value) => {
    if (signature === undefined) expect(() => parseValue(text)).toThrow();
    else expect(parseValue(text)).toEqual([signature, value]);
  });

  test("Sec is a time, which D-Bus has in microseconds", () => {
    const properties = (name: string, text: string) => annotationProperties({ [`org.systemd.property.${name}`]: text });
    expect(properties("TimeoutStopSec", "uint64 7")).toEqual([["TimeoutStopUSec", "t", 7_000_000n]]);
    expect(properties("TimeoutStopUSec", "uint64 7")).toEqual([["TimeoutStopUSec", "t", 7n]]);
    for (const [name, text] of [
      ["Sec", "7"],
      ["TimeoutStopSec", "-7"],
      ["TimeoutStopSec", "'7'"],
      ["TimeoutStopSec", "18446744073709551615"],
      ["Bad.Name", "1"],
      ["", "1"],
    ]) {
      expect(() => properties(name as string, text as string)).toThrow(`annotation org.systemd.property.${name}: `);
    }
    expect(annotationProperties({ "org.other": "(" })).toEqual([]);
  });
});

describe("the wire", () => {
  test("what is written is read again, whatever it is aligned to", () => {
    const signature = "ysa(sv)a{sv}tbxnqd(uo)aauag";
    const values = [
      7,
      "grün",
      [
        ["Delegate", { signature: "b", value: true }],
        ["PIDs", { signature: "au", value: [1, 2] }],
      ],
      [["k", { signature: "(sa(st))", value: ["x", [["/dev/null", 2n ** 64n - 1n]]] }]],
      2n ** 63n,
      false,
      -5n,
      -3,
      65535,
      1.5,
      [4294967295, "/a/b"],
      [[], [1]],
      ["s", "a(sv)"],
    ] as const;
    const writer = new Writer();
    writer.writeAll(signature, values);
    expect(new Reader(Buffer.from(writer.bytes)).readAll(signature)).toEqual(values);
  });

  test("bytes as the specification has them", () => {
    const writer = new Writer();
    writer.writeAll("yuas", [1, 2, ["ab"]]);
    expect([...writer.bytes]).toEqual([1, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 97, 98, 0]);
  });

  test("a message that is cut off is no message", () => {
    expect(() => new Reader(Buffer.from([9, 0, 0, 0, 97])).readAll("s")).toThrow("shorter");
  });

  test("addresses of buses", () => {
    expect(socketPath("unix:path=/run/user/1000/bus")).toBe("/run/user/1000/bus");
    expect(socketPath("tcp:host=x;unix:abstract=/tmp/a%20b,guid=1")).toBe("@/tmp/a b");
    expect(() => socketPath("tcp:host=x")).toThrow("no unix socket");
  });
});
