import { expect, test } from "vitest";
import { changesBetween } from "../../src/config/closest.ts";
import { Container, ImageContainer } from "../../src/library/container.ts";
import { build, importImage, inspectImage, openContainer, pull, run, validate } from "../../src/library/index.ts";
import { mostSimilar } from "../../src/library/similar.ts";

/** What a program without types may call them with. */
const untyped = { run, pull, build, importImage, inspectImage, openContainer } as unknown as Record<
  string,
  (...args: unknown[]) => Promise<unknown>
>;

/** Where nothing may be executed. */
const nowhere = { executable: "/nosuch/tsrunc" };

test.each([
  ["run", [], "run: options: an object is expected, not undefined"],
  ["run", [42], "run: options: an object is expected, not 42"],
  ["run", [{}], "run: one of `image` and `bundle` is expected"],
  ["run", [{ image: "a", bundle: "b" }], "run: one of `image` and `bundle` is expected"],
  ["run", [{ bundle: 5 }], "run: bundle: a string is expected, not 5"],
  ["run", [{ image: "a", args: "true" }], 'run: args: an array of strings is expected, not "true"'],
  ["run", [{ image: "a", env: { N: 1 } }], 'run: env: an object of strings is expected, not {"N":1}'],
  ["run", [{ image: "a", env: ["N=1"] }], "run: env: an object of strings is expected"],
  ["run", [{ image: "a", volumes: ["data:/data"] }], "run: volumes: an array of objects is expected"],
  ["pull", [5], "pull: reference: a string that is not empty is expected, not 5"],
  ["pull", [""], "pull: reference"],
  ["run", [{ image: "a", readOnly: "false" }], 'run: readOnly: true or false is expected, not "false"'],
  ["run", [{ image: "a", stdin: "pipes" }], 'run: stdin: "pipe" or "inherit" or "ignore" is expected, not "pipes"'],
  ["run", [{ image: "a", network: "bridge" }], 'run: network: "none" or "host" or "pasta" is expected'],
  ["run", [{ image: "a", signal: "SIGTERM" }], 'run: signal: an AbortSignal is expected, not "SIGTERM"'],
  ["run", [{ image: "a", limits: { pids: "5" } }], 'run: limits.pids: a number is expected, not "5"'],
  ["run", [{ image: "a", volumes: [{ source: "v", destination: 5 }] }], "run: volumes[0].destination: a string"],
  ["run", [{ bundle: "b", user: "root" }], 'run: user: an object is expected, not "root"'],
  ["run", [{ bundle: "b", spec: "{}" }], 'run: spec: an object or a function is expected, not "{}"'],
  ["pull", ["a", { onProgress: true }], "pull: onProgress: a function is expected, not true"],
  ["build", [{}], "build: context: a string that is not empty, or a stream is expected, not undefined"],
  ["build", [{ context: null }], "build: context: a string that is not empty, or a stream is expected, not null"],
  ["importImage", [], "importImage: source: a string that is not empty, or a stream is expected, not undefined"],
  ["inspectImage", [{ name: "a" }], "inspectImage: image: a string that is not empty is expected"],
  ["openContainer", [""], "openContainer: name: a string that is not empty is expected"],
  ["build", ["."], "build: options: an object is expected"],
])("%s(%j) is refused before anything is called", async (name, args, words) => {
  const refused = untyped[name]?.(...args);
  await expect(refused).rejects.toThrow(TypeError);
  await expect(refused).rejects.toThrow(words);
});

test.each([
  ["run", [{ image: "a", argz: ["true"] }], "run: argz: unknown option; did you mean args?"],
  ["run", [{ image: "a", readonly: true }], "run: readonly: unknown option; did you mean readOnly?"],
  ["run", [{ image: "a", volume: [] }], "run: volume: unknown option; did you mean volumes?"],
  ["run", [{ imgae: "a" }], "run: imgae: unknown option; did you mean image?"],
  ["run", [{ image: "a", limits: { mem: "1g" } }], "run: limits.mem: unknown option; did you mean memory?"],
  ["run", [{ image: "a", limits: { foobar: 1 } }], "run: limits.foobar: unknown option; known are memory, cpus, pids"],
  ["run", [{ image: "a", volumes: [{ src: "v" }] }], "run: volumes[0].src: unknown option; did you mean source?"],
  ["run", [{ image: "a", mounts: [] }], "run: mounts: only a container of a bundle has this option"],
  ["run", [{ bundle: "b", volumes: [] }], "run: volumes: only a container of an image has this option"],
  ["run", [{ bundle: "b", user: { uid: 1, gid: 1, groups: [] } }], "run: user.groups: unknown option"],
  ["run", [{ image: "a", toString: 1 }], "run: toString: unknown option"],
  ["pull", ["a", { tlsverify: false }], "pull: tlsverify: unknown option; did you mean tlsVerify?"],
  ["build", [{ context: ".", tag: ["a"] }], "build: tag: unknown option; did you mean tags?"],
  [
    "build",
    [{ context: ".", secrets: [{ id: "a", flie: "b" }] }],
    "build: secrets[0].flie: unknown option; did you mean",
  ],
  ["importImage", [".", { change: [] }], "importImage: change: unknown option; did you mean changes?"],
  ["inspectImage", ["a", { platfrom: "" }], "inspectImage: platfrom: unknown option; did you mean platform?"],
  ["openContainer", ["a", { stroe: "" }], "openContainer: stroe: unknown option; did you mean store?"],
])("%s(%j) is refused for an option that nobody knows", async (name, args, words) => {
  const refused = untyped[name]?.(...args);
  await expect(refused).rejects.toThrow(TypeError);
  await expect(refused).rejects.toThrow(words);
});

test("a container's own functions refuse, too, what nobody knows", async () => {
  const kind = { exec: () => [], remove: [] };
  const image = new ImageContainer("a", "b", null, nowhere);
  const bundle = new Container("a", kind, null, nowhere);
  const call = (of: unknown, name: string, ...args: unknown[]) =>
    (of as Record<string, (...args: unknown[]) => unknown>)[name]?.(...args);
  expect(() => call(bundle, "exec", "ls")).toThrow(
    'exec: args: an array of strings that is not empty is expected, not "ls"',
  );
  expect(() => call(bundle, "exec", [])).toThrow(
    "exec: args: an array of strings that is not empty is expected, not []",
  );
  expect(() => call(bundle, "exec", ["ls"], { workdir: "/" })).toThrow(
    "exec: workdir: unknown option; known are stdin",
  );
  expect(() => call(image, "logs", { folow: true })).toThrow("logs: folow: unknown option; did you mean follow?");
  for (const one of [bundle, image])
    await expect(call(one, "stop", { timeuot: 1 })).rejects.toThrow(
      "stop: timeuot: unknown option; did you mean timeout?",
    );
});

test("validate does, too", () => {
  const call = validate as unknown as (...args: unknown[]) => unknown;
  expect(() => call({}, { forcreate: true })).toThrow("validate: forcreate: unknown option; did you mean forCreate?");
  expect(() => call({}, { uid: "0" })).toThrow('validate: uid: a number is expected, not "0"');
});

test.each([
  [{ image: "a" }],
  [{ image: "a", bundle: undefined, mounts: undefined, args: undefined }],
  [{ image: "a", bundle: "", entrypoint: "", volumes: [{ source: "v", destination: "/v", options: ["ro"] }] }],
  [{ image: "a", limits: { memory: "1g", cpus: 0.5 }, signal: new AbortController().signal, detach: true }],
  [{ bundle: "b", user: { uid: 1, gid: 1, additionalGids: [2], umask: 7 }, spec: { ociVersion: "1.2.0" }, mounts: [] }],
])("what is right is not refused: %j", async (options) => {
  await expect(untyped["run"]?.({ ...options, ...nowhere })).rejects.toMatchObject({ code: "NO_EXECUTABLE" });
});

test("letters added, left out, exchanged and swapped count one each", () => {
  expect(changesBetween("", "")).toBe(0);
  expect(changesBetween("args", "args")).toBe(0);
  expect(changesBetween("argz", "args")).toBe(1);
  expect(changesBetween("imgae", "image")).toBe(1);
  expect(changesBetween("", "cwd")).toBe(3);
  expect(changesBetween("kitten", "sitting")).toBe(3);
  expect(mostSimilar("TAGS", ["tag", "tags"])).toBe("tags");
  expect(mostSimilar("abc", ["xyz"])).toBe(null);
  expect(mostSimilar("", [])).toBe(null);
});
