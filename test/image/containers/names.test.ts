/** Names, ports, volumes: what a person writes. */
import { describe, expect, test } from "vitest";
import { checkName, findNamed, newId, newName } from "../../../src/image/containers/names.ts";
import { pastaArguments } from "../../../src/image/containers/pasta.ts";
import { parsePublish, refuseSharedPorts } from "../../../src/image/containers/publish.ts";
import { forwarded } from "../../../src/image/containers/resolver.ts";
import { withoutProgram } from "../../../src/image/containers/runtime.ts";
import { parseNamedMount } from "../../../src/image/volumes/volume.ts";

describe("names", () => {
  test.each(["a", "Web-1.x_y", "0"])("%s is one", (name) => expect(checkName("container", name)).toBe(name));
  test.each(["", "-a", ".a", "a b", "a/b", "ä", "a\n", "x".repeat(129)])("%j is none", (name) =>
    expect(() => checkName("container", name)).toThrow("is no name for a container"),
  );

  test.each([
    ["docker.io/library/alpine:3.20", /^alpine-[0-9a-f]{6}$/],
    [`localhost:5000/x/My_App@sha256:${"0".repeat(64)}`, /^My-App-[0-9a-f]{6}$/],
    ["___", /^container-[0-9a-f]{6}$/],
  ])("of %s is made one", (reference, pattern) => {
    expect(newName(reference)).toMatch(pattern);
    expect(checkName("container", newName(reference))).toMatch(pattern);
  });

  test("come before ids, and ids before their beginnings", () => {
    const all = [
      { id: `abc${"0".repeat(61)}`, name: "one" },
      { id: `abd${"0".repeat(61)}`, name: "abc" },
    ];
    expect(findNamed(all, "abc").name).toBe("abc");
    expect(findNamed(all, "abc0").name).toBe("one");
    expect(() => findNamed(all, "ab")).toThrow("the ids of 2 containers (one, abc)");
    expect(() => findNamed(all, "on")).toThrow("no such container: on");
    expect(newId()).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe("ports", () => {
  test.each([
    ["80", { protocol: "tcp", address: null, hostPort: 80, containerPort: 80 }],
    ["8080:80/udp", { protocol: "udp", address: null, hostPort: 8080, containerPort: 80 }],
    ["127.0.0.1:8080:80", { protocol: "tcp", address: "127.0.0.1", hostPort: 8080, containerPort: 80 }],
    ["[::1]:8080:80", { protocol: "tcp", address: "::1", hostPort: 8080, containerPort: 80 }],
  ])("%s", (given, published) => expect(parsePublish(given)).toEqual(published));
  const wrong = [
    "",
    "0",
    "65536",
    "a",
    "80/sctp",
    "1:2:3:4",
    ":80",
    "80:",
    "host:1:2",
    "1.2.3:1:2",
    "1.2.3.256:1:2",
    "[1:2]:1:2",
  ];
  test.each(wrong)("not %j", (given) =>
    expect(() => parsePublish(given)).toThrow(`--publish ${JSON.stringify(given)}: `),
  );

  test.each([
    [["8080:80", "8080:81"]],
    [["8080:80", "8080:80"]],
    [["8080:80", "127.0.0.1:8080:81"]],
    [["1.2.3.4:8080:80", "0.0.0.0:8080:81"]],
    [["[::1]:8080:80", "[0::1]:8080:81"]],
    [["1:1", "[::1]:8080:80", "[::]:8080:81"]],
  ])("%j are refused: both are at one port", (given) =>
    expect(() => refuseSharedPorts(given.map(parsePublish))).toThrow(
      /^--publish: the host's tcp port 8080 cannot lead to/,
    ),
  );

  test.each([
    [["8080:80", "8081:80"]],
    [["8080:80", "8080:80/udp"]],
    [["127.0.0.1:8080:80", "127.0.0.2:8080:81"]],
    [["0.0.0.0:8080:80", "[::]:8080:81"]],
  ])("%j are not", (given) => expect(() => refuseSharedPorts(given.map(parsePublish))).not.toThrow());

  test("become arguments of pasta, which gets nothing else of the host's", () => {
    const args = pastaArguments([parsePublish("127.0.0.1:8080:80"), parsePublish("53/udp")], "/p", false).join(" ");
    expect(args).toContain("-t 127.0.0.1/8080:80 -u 53:53 -T none -U none --no-map-gw");
    expect(args).toContain("--netns-only");
    expect(pastaArguments([], "/p", true).join(" ")).toMatch(/-t none -u none .*--userns \/proc\/self\/fd\/4$/);
  });
});

describe("volumes", () => {
  test("have a name, or are the host's", () => {
    expect(parseNamedMount("/srv:/srv")).toBeNull();
    expect(parseNamedMount("data:/d")).toEqual({ name: "data", destination: "/d", options: [], fill: true });
    expect(parseNamedMount("d:/d:ro,nocopy")).toEqual({ name: "d", destination: "/d", options: ["ro"], fill: false });
  });
  test.each(["a", "a:", "a:b", "a:/", "a:/..", "a:/b:x", "a:/b:ro:c", "a b:/c", ":/c"])("not %j", (given) =>
    expect(() => parseNamedMount(given)).toThrow("NAME:DESTINATION[:ro|rw|nocopy] is right"),
  );
});

test("errors of the runtime are taken out of its records", () => {
  expect(withoutProgram('time="x" level=error msg="exec: \\"/a\\": no"\n')).toBe('exec: "/a": no');
  expect(withoutProgram("first\ntsrunc: second\n")).toBe("second");
});

test("a resolver on the host's loopback interface is asked by an address of pasta's, others as they are", () => {
  expect(forwarded("nameserver 10.0.0.1\nsearch a.example\n")).toBeNull();
  expect(forwarded("")).toBeNull();
  expect(forwarded("# 127.0.0.1\nnameserver 127.0.0.53\noptions edns0\nsearch a.example\n")).toBe(
    "nameserver 169.254.1.1\n# 127.0.0.1\noptions edns0\nsearch a.example\n",
  );
  expect(forwarded("nameserver ::1\nnameserver 10.0.0.1\n")).toBe("nameserver 169.254.1.1\nnameserver 10.0.0.1\n");
});
