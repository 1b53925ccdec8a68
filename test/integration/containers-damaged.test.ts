/** Containers with a name of which something is lost: they are shown, refused in one line, and removed with all that they are. */
import { execFileSync, spawn } from "node:child_process";
import {
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runtime } from "./harness.ts";
import { list, monitorOf, must, one, scratch, tsrunc, until, useNamedContainers } from "./named.ts";

useNamedContainers();

type Damage = (path: string) => void;

const damages: [string, Damage, RegExp][] = [
  ["lost", (path) => rmSync(path), /is missing/],
  ["empty", (path) => truncateSync(path, 0), /JSON/],
  ["cut", (path) => truncateSync(path, 40), /JSON/],
  ["null", (path) => writeFileSync(path, "null"), /must be an object/],
  ["a fifo", (path) => execFileSync("sh", ["-c", 'rm "$0"; mkfifo "$0"', path]), /it is no file/],
  ["a directory", (path) => execFileSync("sh", ["-c", 'rm "$0"; mkdir "$0"', path]), /it is no file/],
  ["another user's", (path) => chownSync(path, 1000, 1000), /it belongs to user 1000/],
];

const inStore = (id: string, name: string) => join(scratch.at("store/containers"), id, name);
const run = (name: string, ...args: string[]) =>
  must(["image", "run", "--quiet", "--detach", "--name", name, "demo", ...args]).trim();
const isAlive = (pid: number) => existsSync(`/proc/${pid}`);

describe.each(["container.json", "state.json"])("a %s that is", (file) => {
  test.each(damages)(
    "%s: is listed, refused in one line, and removed by rm --force with its process",
    async (_, damage, why) => {
      const id = run("web");
      const other = run("other");
      const { pid } = one("web") ?? { pid: 0 };
      damage(inStore(id, file));
      expect(one("web")).toMatchObject({ id, status: "damaged", error: expect.stringMatching(why) });
      expect(must(["container", "list"])).toMatch(/ web .* damaged/);
      for (const command of ["start", "stop", "inspect", "logs", "wait", "rm"]) {
        const { code, stdout, stderr } = tsrunc(["container", command, "web"]);
        expect({ command, code, stdout: stdout.replace("[]\n", "") }).toEqual({ command, code: 1, stdout: "" });
        expect(stderr.trim().split("\n")).toHaveLength(1);
        expect(stderr).toMatch(why);
        expect(stderr).toContain("container web is damaged");
        expect(stderr).toContain("container rm --force web");
      }
      expect(tsrunc(["container", "exec", "web", "true"]).stderr).toContain("container web is damaged");
      expect(tsrunc(["image", "run", "--name", "web", "demo"]).stderr).toContain("the name web belongs to");
      expect(isAlive(pid)).toBe(true);
      expect(must(["container", "rm", "--force", "web"])).toBe("web\n");
      await until(() => !isAlive(pid));
      expect(existsSync(inStore(id, ""))).toBe(false);
      expect(list().map(({ id }) => id)).toEqual([other]);
      expect(readdirSync(scratch.at("store/snapshots/active"))).toHaveLength(1);
    },
  );
});

describe("a container that is damaged", () => {
  test("is removed though its monitor was killed, its bundle's marker and its state are lost, and none has its name", async () => {
    const id = run("web");
    const { pid } = one("web") ?? { pid: 0 };
    process.kill(monitorOf(id), "SIGKILL");
    for (const name of ["container.json", "state.json", "bundle/image.json", "bundle/config.json"])
      rmSync(inStore(id, name));
    const shown = list()[0];
    expect(shown).toMatchObject({ id, name: id.slice(0, 12), status: "damaged" });
    const refused = tsrunc(["container", "rm", "--force", "web"]);
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`whose name is lost: ${id.slice(0, 12)}`),
    });
    must(["volume", "create", "free"]);
    for (const args of [["prune"], ["rm", "free"]]) {
      const { code, stderr } = tsrunc(["volume", ...args]);
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("not known which volumes") });
    }
    must(["container", "rm", "--force", id]);
    await until(() => !isAlive(pid));
    expect(must(["volume", "prune"])).toBe("free\n");
  });

  test("keeps its snapshot and its volumes when those that nobody uses are removed", () => {
    const id = must(["image", "run", "--quiet", "--detach", "--name", "web", "--volume", "v:/data", "demo"]).trim();
    must(["container", "stop", "--time", "0", "web"]);
    rmSync(inStore(id, "container.json"));
    must(["image", "rm", "--force", "demo"]);
    must(["image", "prune"]);
    expect(readdirSync(scratch.at("store/snapshots/active"))).toHaveLength(1);
    expect(must(["volume", "prune"])).toBe("");
    expect(tsrunc(["volume", "rm", "v"]).stderr).toContain("belongs to web");
    must(["container", "rm", "--force", "web"]);
    expect(must(["volume", "prune"])).toBe("v\n");
  });

  test("writes its state down anew when its process ends", async () => {
    const id = run("brief", "sh", "-c", "sleep 1; exit 3");
    writeFileSync(inStore(id, "state.json"), "{");
    expect(one("brief")?.status).toBe("damaged");
    await until(() => one("brief")?.status === "exited");
    expect(one("brief")?.exitCode).toBe(3);
  });

  test("does not keep the other one of its snapshots from a pruning, nor its own", () => {
    const id = run("web");
    must(["container", "stop", "--time", "0", "web"]);
    const { snapshot } = JSON.parse(readFileSync(inStore(id, "bundle/image.json"), "utf8"));
    truncateSync(scratch.at(`store/snapshots/active/${snapshot}/snapshot.json`), 10);
    must(["image", "prune"]);
    expect(existsSync(scratch.at(`store/snapshots/active/${snapshot}/upper`))).toBe(true);
    expect(tsrunc(["container", "start", "web"]).stderr).toMatch(/web is damaged: .*snapshot\.json.*container rm web/);
    must(["container", "rm", "web"]);
  });
});

describe("a container of which the runtime's state is damaged, too", () => {
  const inRuntime = (name: string) => join(scratch.at("run"), name);
  const cut = (...paths: string[]) => {
    for (const path of paths) truncateSync(path, 10);
  };
  const runtimesNames = () => readdirSync(scratch.at("run")).filter((name) => !name.includes(":"));
  const isEnded = (pid: number) => !isAlive(pid) || readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  /** One whose monitor was killed. @returns its id and the pid of its process */
  const unwatched = (...args: string[]) => {
    const id = must(["image", "run", "--quiet", "--detach", "--name", "web", ...args, "demo"]).trim();
    const { pid } = one("web") ?? { pid: 0 };
    process.kill(monitorOf(id), "SIGKILL");
    return { id, pid };
  };

  test.each([
    ["and keeps its name", [], ["container.json"]],
    ["and has lost its name", [], ["container.json", "state.json"]],
    ["and has lost its name, and the runtime its configuration", ["config.json"], ["container.json", "state.json"]],
  ])("%s is removed with its process, and nothing else is killed", async (_, ofRuntime, ofStore) => {
    // What is told from the runtime's configuration is told without a host name, too.
    const { id, pid } = unwatched("--hostname", "own");
    const other = run("other");
    const rootfs = inStore(id, "bundle/rootfs");
    const stranger = spawn("chroot", [rootfs, "/bin/sleep", "1000"], { stdio: "ignore" });
    await until(() => readlinkSync(`/proc/${stranger.pid}/root`) !== "/");
    cut(...ofRuntime.concat("state.json").map((name) => join(inRuntime("web"), name)));
    cut(...ofStore.concat("state.json").map((name) => inStore(id, name)));
    must(["container", "rm", "--force", id]);
    await until(() => isEnded(pid));
    expect(isEnded(stranger.pid ?? 0)).toBe(false);
    stranger.kill("SIGKILL");
    expect(list().map(({ id, status }) => ({ id, status }))).toEqual([{ id: other, status: "running" }]);
    expect(runtimesNames()).toEqual(["other"]);
  });

  test("is left alone, in one line, where nothing tells whether it is another one", async () => {
    const { id, pid } = unwatched();
    execFileSync("umount", ["--lazy", inStore(id, "bundle/rootfs")]);
    cut(join(inRuntime("web"), "state.json"), join(inRuntime("web"), "config.json"), inStore(id, "state.json"));
    const { code, stderr } = tsrunc(["container", "rm", "--force", "web"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/web is damaged, and its process was not found: web below .*run delete --force web/);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect([isEnded(pid), existsSync(inStore(id, "bundle")), runtimesNames()]).toEqual([false, true, ["web"]]);
    execFileSync(runtime, ["--root", scratch.at("run"), "delete", "--force", "web"], { stdio: "ignore" });
    must(["container", "rm", "--force", "web"]);
    await until(() => isEnded(pid));
  });

  test("alone is stopped, started and removed", () => {
    run("web");
    const damage = () => cut(join(inRuntime("web"), "state.json"));
    damage();
    must(["container", "stop", "--time", "1", "web"]);
    expect(one("web")).toMatchObject({ status: "exited", exitCode: 137 });
    expect(runtimesNames()).toEqual([]);
    must(["container", "start", "web"]);
    damage();
    must(["container", "rm", "--force", "web"]);
    expect(runtimesNames()).toEqual([]);
  });

  test("alone gets its stop signal, and is started again after its process has ended", async () => {
    const id = run("web", "sh", "-c", "trap 'exit 4' USR1; echo ready; while :; do sleep 0.05; done");
    await until(() => must(["container", "logs", "web"]) === "ready\n");
    cut(join(inRuntime("web"), "state.json"));
    must(["container", "stop", id]);
    expect(one("web")).toMatchObject({ status: "exited", exitCode: 4 });
    expect(runtimesNames()).toEqual([]);
    must(["container", "start", "web"]);
    must(["container", "rm", "--force", "web"]);
  });
});

test.each(["config.json", "image.json"])(
  "a bundle without its %s is not started, and removed without force",
  (name) => {
    const id = run("web");
    must(["container", "stop", "--time", "0", "web"]);
    rmSync(inStore(id, `bundle/${name}`));
    const { code, stderr } = tsrunc(["container", "start", "web"]);
    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(new RegExp(`web is damaged: .*${name}.*container rm web`));
    must(["container", "rm", "web"]);
  },
);

test.each(damages.filter(([what]) => what !== "lost"))(
  "a volume whose volume.json is %s is shown, refused, kept by a pruning and removed by its name; others are as they were",
  (_, damage, why) => {
    must(["volume", "create", "sound"]);
    must(["image", "run", "--rm", "--volume", "bad:/data", "demo", "true"]);
    damage(scratch.at("store/volumes/bad/volume.json"));
    expect(must(["volume", "list"])).toMatch(/^bad +damaged/m);
    const shown = JSON.parse(must(["volume", "list", "--format", "json"]));
    expect(shown).toMatchObject([
      { name: "bad", created: null, error: expect.stringMatching(why) },
      { name: "sound", created: expect.any(String), error: null },
    ]);
    expect(JSON.parse(must(["volume", "inspect", "bad"]))).toMatchObject([{ name: "bad", labels: {} }]);
    for (const args of [
      ["volume", "create", "bad"],
      ["image", "run", "--rm", "--volume", "bad:/data", "demo", "true"],
    ]) {
      const { code, stderr } = tsrunc(args);
      expect({ args, code }).toEqual({ args, code: 1 });
      expect(stderr).toMatch(/the volume bad is damaged: .*volume\.json.*tsrunc volume rm bad/);
      expect(stderr).toMatch(why);
      expect(stderr.trim().split("\n")).toHaveLength(1);
    }
    must(["image", "run", "--rm", "--volume", "sound:/data", "demo", "true"]);
    expect(must(["volume", "prune"])).toBe("sound\n");
    expect(must(["volume", "rm", "bad"])).toBe("bad\n");
    expect(must(["volume", "list", "--quiet"])).toBe("");
  },
);
