/** Containers with a name of which something is lost: they are shown, refused in one line, and removed with all that they are. */
import { execFileSync } from "node:child_process";
import { chownSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
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
