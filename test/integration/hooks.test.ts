import { existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Hook, HookKind } from "../../src/config/types.ts";
import {
  type Bundle,
  ended,
  isTsrunc,
  makeBundle,
  newId,
  refused,
  spawnTsrunc,
  state,
  succeed,
  tsrunc,
  until,
  useContainers,
} from "./harness.ts";

useContainers();

const kinds: HookKind[] = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/** A hook that runs a script: the host's shell, and busybox's for those that run in the container's root. */
function hook(script: string, more: Partial<Hook> = {}): Hook {
  return { path: "/bin/sh", args: ["sh", "-c", script], ...more };
}

/**
 * A bundle with a hook of each kind. Its directory is bound at the same path inside, so that all hooks, in whatever
 * root, write to one place.
 */
function bundleWithHooks(script: (kind: HookKind, bundle: Bundle) => string, args = "sleep 1000"): Bundle {
  return makeBundle(args, (config, bundle) => {
    config.mounts.push({ destination: bundle.path, type: "bind", source: bundle.path, options: ["bind", "rw"] });
    for (const kind of kinds) config.hooks[kind] = [hook(script(kind, bundle), { env: ["PATH=/bin:/usr/bin"] })];
  });
}

function lines(bundle: Bundle, file: string): string[] {
  const path = join(bundle.path, file);
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
}

// runc 1.1 runs poststart hooks at create already, before the process runs.
test.runIf(isTsrunc)("the six kinds run in order, each at its command", () => {
  const bundle = bundleWithHooks((kind, { path }) => `echo ${kind} >> ${path}/log`);
  const id = newId();
  succeed(["create", "--bundle", bundle.path, id]);
  expect(lines(bundle, "log")).toEqual(["prestart", "createRuntime", "createContainer"]);
  succeed(["start", id]);
  expect(lines(bundle, "log").slice(3)).toEqual(["startContainer", "poststart"]);
  succeed(["delete", "--force", id]);
  expect(lines(bundle, "log").slice(5)).toEqual(["poststop"]);
});

test("hooks of one kind run in the order of the config", () => {
  const bundle = makeBundle("true", (config, { path }) => {
    config.hooks.createRuntime = [1, 2, 3].map((n) => hook(`echo ${n} >> ${path}/log`));
  });
  succeed(["run", "--bundle", bundle.path, newId()]);
  expect(lines(bundle, "log")).toEqual(["1", "2", "3"]);
});

test("each kind runs in the namespaces that the spec gives it", () => {
  const bundle = bundleWithHooks(
    (kind, { path }) => `for n in mnt net pid; do readlink /proc/self/ns/$n; done > ${path}/${kind}`,
  );
  const id = newId();
  succeed(["run", "--detach", "--bundle", bundle.path, id]);
  const { pid } = state(id);
  const of = (process: number | "self"): string[] =>
    ["mnt", "net", "pid"].map((name) => readlinkSync(`/proc/${process}/ns/${name}`));
  const [host, container] = [of("self"), of(pid)];
  succeed(["delete", "--force", id]);
  for (const kind of kinds) {
    const inside = kind === "createContainer" || kind === "startContainer";
    const [mount, network] = lines(bundle, kind);
    expect({ kind, mount, network }).toEqual({
      kind,
      mount: inside ? container[0] : host[0],
      network: inside ? container[1] : host[1],
    });
  }
});

test.runIf(isTsrunc)("each kind gets the container's state on stdin", () => {
  const bundle = bundleWithHooks((kind, { path }) => `cat > ${path}/${kind}`);
  bundle.config.annotations["org.example.key"] = "value";
  const id = newId();
  succeed(["run", "--detach", "--bundle", bundle.path, id]);
  const { pid } = state(id);
  succeed(["delete", "--force", id]);
  const statuses: Record<string, RegExp> = {
    prestart: /^creat(ing|ed)$/,
    createRuntime: /^creat(ing|ed)$/,
    createContainer: /^creat(ing|ed)$/,
    startContainer: /^creat(ing|ed)$/,
    poststart: /^running$/,
    poststop: /^stopped$/,
  };
  for (const kind of kinds) {
    const document = JSON.parse(lines(bundle, kind).join("\n"));
    expect({ kind, document }).toMatchObject({
      kind,
      document: {
        id,
        bundle: bundle.path,
        ociVersion: expect.any(String),
        status: expect.stringMatching(statuses[kind] as RegExp),
      },
    });
    if (kind === "prestart" || kind === "createRuntime" || kind === "poststart") expect(document.pid).toBe(pid);
  }
});

test("a container is creating, for whoever asks, until its init is set up", async () => {
  const bundle = makeBundle("sleep 1000", (config, { path }) => {
    // It runs in the init, before the change of root: nothing must join the container meanwhile.
    config.hooks.createContainer = [hook(`echo > ${path}/begun; while [ ! -e ${path}/go ]; do sleep 0.01; done`)];
  });
  const id = newId();
  const create = spawnTsrunc(["create", "--bundle", bundle.path, id]);
  await until("the hook runs", () => existsSync(join(bundle.path, "begun")));
  const { status } = state(id);
  writeFileSync(join(bundle.path, "go"), "");
  expect(status).toBe("creating");
  expect(await ended(create)).toBe(0);
  expect(state(id).status).toBe("created");
});

test("a hook without an environment in its config has the caller's, with nothing of the runtime's", () => {
  const bundle = makeBundle("true", (config, { path }) => {
    config.hooks.createRuntime = [hook(`env > ${path}/env`)];
  });
  const env = { OUTSIDE: "1", PATH: "/usr/bin:/bin" };
  succeed(["run", "--bundle", bundle.path, newId()], { env });
  const names = lines(bundle, "env").map((line) => line.split("=")[0]);
  expect(names).toContain("OUTSIDE");
  expect(names.filter((name) => /^(BUN_|_TSRUNC)/.test(name ?? ""))).toEqual([]);
});

test("a hook has the environment of its config and no other", () => {
  const bundle = makeBundle("true", (config, { path }) => {
    config.hooks.createRuntime = [{ path: "/usr/bin/env", args: ["env", "-0"], env: ["ONLY=this"] }];
    config.hooks.poststart = [hook(`env > ${path}/env`, { env: ["ONLY=this", "PATH=/usr/bin:/bin"] })];
  });
  succeed(["run", "--bundle", bundle.path, newId()], { env: { OUTSIDE: "1" } });
  const names = lines(bundle, "env").map((line) => line.split("=")[0]);
  expect(names.filter((name) => !["PWD", "SHLVL", "_"].includes(name ?? "")).sort()).toEqual(["ONLY", "PATH"]);
});

describe("a hook that fails", () => {
  test.each(["prestart", "createRuntime", "createContainer"] as const)(
    "of kind %s fails create, and nothing is left",
    (kind) => {
      const bundle = makeBundle("true", (config) => {
        config.hooks[kind] = [hook("echo the reason >&2; exit 3")];
      });
      const id = newId();
      const error = refused(["create", "--bundle", bundle.path, id]);
      expect(error).toMatch(/hook/);
      expect(error).toMatch(/exit status 3|3/);
      expect(refused(["state", id])).toMatch(/not exist/);
    },
  );

  test("of kind startContainer fails the start, and the process does not run", () => {
    const bundle = makeBundle("echo > /ran", (config) => {
      config.hooks.startContainer = [hook("exit 3")];
    });
    const id = newId();
    succeed(["create", "--bundle", bundle.path, id]);
    expect(tsrunc(["start", id]).stderr).toMatch(/startContainer hook|exit status 3/);
    expect(existsSync(join(bundle.rootfs, "ran"))).toBe(false);
  });

  // So says the specification; runc leaves the stopped container.
  test.runIf(isTsrunc).each(["startContainer", "poststart"] as const)(
    "of kind %s fails the start, and destroys the container",
    (kind) => {
      const bundle = makeBundle("sleep 1000", (config, { path }) => {
        config.hooks[kind] = [hook("exit 3")];
        config.hooks.poststop = [hook(`echo poststop >> ${path}/log`)];
      });
      const id = newId();
      succeed(["create", "--bundle", bundle.path, id]);
      expect(refused(["start", id])).toMatch(new RegExp(`error running ${kind} hook #0: /bin/sh: exit status 3`));
      expect(refused(["state", id])).toMatch(/not exist/);
      expect(lines(bundle, "log")).toEqual(["poststop"]);
    },
  );

  test("of kind poststop does not stop the delete", () => {
    const bundle = makeBundle("true", (config) => {
      config.hooks.poststop = [hook("exit 3")];
    });
    const id = newId();
    succeed(["create", "--bundle", bundle.path, id]);
    const { code, stderr } = tsrunc(["delete", "--force", id]);
    expect(code).toBe(0);
    // In the words of crun.
    if (isTsrunc) expect(stderr).toMatch(/level=warning msg="poststop hook failed with exit code 3.*\/bin\/sh/);
    expect(refused(["state", id])).toMatch(/not exist/);
  });

  test("keeps the poststop hooks of a created container from being forgotten", () => {
    const bundle = makeBundle("true", (config, { path }) => {
      config.hooks.createRuntime = [hook("exit 3")];
      config.hooks.poststop = [hook(`echo poststop >> ${path}/log`)];
    });
    refused(["create", "--bundle", bundle.path, newId()]);
    expect(lines(bundle, "log")).toEqual(["poststop"]);
  });
});

test("a hook that outlives its timeout is killed and fails create", () => {
  const bundle = makeBundle("true", (config) => {
    config.hooks.createRuntime = [hook("exec sleep 1000", { timeout: 1 })];
  });
  expect(refused(["create", "--bundle", bundle.path, newId()])).toMatch(/time/i);
});

test("a hook whose program is missing fails create, by name", () => {
  const bundle = makeBundle("true", (config) => {
    config.hooks.createRuntime = [{ path: "/no/such/hook" }];
  });
  expect(refused(["create", "--bundle", bundle.path, newId()])).toMatch(/\/no\/such\/hook/);
});
