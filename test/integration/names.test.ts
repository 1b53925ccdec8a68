/** Names of files are bytes. What is not UTF-8 is found, kept and removed as anything else is. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  commandLine,
  commandTimeout,
  directory,
  makeBundle,
  newId,
  output,
  startDetached,
  state,
  succeed,
  useContainers,
} from "./harness.ts";

useContainers();

/** A name that is not UTF-8, as the shell of a container and of the host write it. */
const NAME = String.raw`a\377b`;

function bash(script: string, ...args: string[]) {
  const done = spawnSync("bash", ["-c", script, "bash", ...args], { encoding: "latin1", timeout: commandTimeout });
  return { code: done.status, stdout: done.stdout, stderr: done.stderr };
}

/** The container's directories in the host's cgroup hierarchies. */
function cgroupsOf(pid: number): string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" "));
  return readFileSync(`/proc/${pid}/cgroup`, "utf8")
    .trim()
    .split("\n")
    .flatMap((line) => {
      const [, controllers = "", path = ""] = line.split(":");
      const mount = mounts.find((fields) => {
        const [fstype, , options = ""] = fields.slice(fields.indexOf("-") + 1);
        if (controllers === "") return fstype === "cgroup2";
        return fstype === "cgroup" && controllers.split(",").every((name) => options.split(",").includes(name));
      });
      return mount === undefined || path === "/" ? [] : [`${mount[4]}${path}`];
    });
}

// Such a cgroup could not be removed, ever, and hid its processes from `delete --force`.
test("a cgroup below the container's is removed with its processes", () => {
  const id = startDetached("sleep 1000");
  const cgroups = cgroupsOf(state(id).pid);
  expect(cgroups.length).toBeGreaterThan(0);
  // With a process that is not in the container's pid namespace, and does not end with its init.
  const script = `name=$(printf '${NAME}'); setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!
    for cgroup; do mkdir -p "$cgroup/$name/below"; echo $! > "$cgroup/$name/below/cgroup.procs"; done 2>/dev/null`;
  const pid = bash(script, ...cgroups).stdout.trim();
  expect(readFileSync(`/proc/${pid}/cgroup`, "latin1").split("a\xffb/below\n").length).toBeGreaterThan(1);
  try {
    succeed(["delete", "--force", id]);
    expect(bash('ls -d "$@" 2>/dev/null', ...cgroups).stdout).toBe("");
  } finally {
    spawnSync("kill", ["-9", pid]);
  }
});

test("a tmpfs with tmpcopyup has files and links of such names", () => {
  const listing = `cd /filled; find . -mindepth 1 | sort | od -An -c; cat */file; readlink */link | od -An -c`;
  const options = ["tmpcopyup"];
  const shown = output(listing, (config, { rootfs }) => {
    const made = `cd "$1"; name=$(printf '${NAME}'); mkdir -p "filled/$name"; cd "filled/$name"
      echo text > file; echo > "$name"; ln -s "$name" link`;
    expect(bash(made, rootfs)).toMatchObject({ code: 0 });
    config.mounts.push({ destination: "/filled", type: "tmpfs", source: "tmpfs", options });
  });
  expect(shown).toContain("text");
  const squeezed = shown.replace(/[\s\\]+/g, "");
  expect(squeezed).toContain("./a377bn./a377b/a377bn./a377b/filen./a377b/linkn");
  expect(squeezed.endsWith("texta377bn")).toBe(true);
});

test("a bundle at such a path is run, from within it and by its path", () => {
  const bundle = makeBundle("cat /file");
  const script = `name=$(printf '${NAME}'); bundle="$1/$name"; shift; first=$1 second=$2; shift 2
    mv "$OLD" "$bundle"; echo text > "$bundle/rootfs/file"; cd "$bundle" || exit
    "$@" run --bundle "$bundle" "$first" && "$@" run "$second" &&
    "$@" run --bundle "../$name" --pid-file "../$name/pid" "$first" && cat pid`;
  const [first, second] = [newId(), newId()];
  const all = ["-c", script, "bash", directory(), first, second, ...commandLine([])];
  const done = spawnSync("bash", all, {
    encoding: "utf8",
    env: { ...process.env, OLD: bundle.path },
    timeout: commandTimeout,
  });
  expect(done).toMatchObject({ status: 0, stderr: "" });
  expect(done.stdout).toMatch(/^text\ntext\ntext\n\d+$/);
});

test("the state of a container of such a bundle, and an error about one, name it", () => {
  const bundle = makeBundle("sleep 1000");
  const id = newId();
  const at = join(directory(), "x");
  const script = `name=$(printf '${NAME}'); at=$2; id=$3; mv "$1" "$at$name"; shift 3
    "$@" run --detach --bundle "$at$name" $id </dev/null >/dev/null 2>&1; "$@" run --bundle "$at$name/none" other; "$@" state $id`;
  const { stdout, stderr } = bash(script, bundle.path, at, id, ...commandLine([]));
  expect(stderr).toContain(`${at}a\\udcffb/none: no such file or directory`);
  expect((JSON.parse(stdout) as { bundle: string }).bundle).toBe(`${at}a\udcffb`);
  execFileSync("bash", ["-c", `rm -rf "$1"*`, "bash", at]);
});
