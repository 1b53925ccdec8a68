/** The v2 hierarchy inside a container: whose it is, what it does to the host's, and processes that join later. */
import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Namespace } from "../../../src/config/types.ts";
import {
  COUNTING,
  checkpoint,
  count,
  countsOn,
  criu,
  images,
  quietly,
  start as startCounting,
} from "../checkpoints.ts";
import { type Edit, state, succeed, tsrunc, until, useContainers } from "../harness.ts";
import { cgroupDirectory, drivers, runLimited, version } from "./machine.ts";

useContainers();

const HOST_ID = 200_000;

/** A cgroup namespace and the hierarchy in it, for root of a user namespace. */
const inNamespaces =
  (option: "rw" | "ro"): Edit =>
  ({ mounts, linux }, { path, rootfs }) => {
    linux.namespaces.push({ type: "user" }, { type: "cgroup" });
    for (const maps of ["uidMappings", "gidMappings"] as const) {
      linux[maps] = [{ containerID: 0, hostID: HOST_ID, size: 65_536 }];
    }
    mounts.push({ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", option] });
    for (const directory of [path, rootfs]) chmodSync(directory, 0o755);
  };

const hostOptions = () =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(" /sys/fs/cgroup ") && line.includes(" - cgroup2 "));

describe.each(drivers)("by the driver %s (%s)", (driver, whyNot) => {
  const here = test.skipIf(whyNot !== null || version !== 2);

  function start(script: string, edit: Edit): string {
    const limits = { memory: { limit: 64 << 20 }, pids: { limit: 50 } };
    const { id, code, stderr } = runLimited(driver, script, limits, { edit, flags: ["--detach"] });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return id;
  }

  here("is the container's to divide, and no more of it than the kernel lists (needs cgroup v2)", async () => {
    const script =
      "cd /sys/fs/cgroup && mkdir init && echo 1 >init/cgroup.procs && echo +memory >cgroup.subtree_control";
    const id = start(`${script}; sleep 1000`, inNamespaces("rw"));
    const own = () => cgroupDirectory(state(id).pid, "");
    await until("the container's own cgroup", () => own().endsWith("/init"));
    const directory = join(own(), "..");
    await until("its controller", () => readFileSync(`${directory}/cgroup.subtree_control`, "utf8") === "memory\n");
    const listed = readFileSync("/sys/kernel/cgroup/delegate", "utf8").split("\n");
    expect(statSync(directory).uid).toBe(HOST_ID);
    for (const name of readdirSync(directory).filter((file) => file.includes("."))) {
      expect([name, statSync(`${directory}/${name}`).uid]).toEqual([name, listed.includes(name) ? HOST_ID : 0]);
    }
    // The container's cgroup takes no process any more: an exec goes to where the init is.
    expect(succeed(["exec", id, "cat", "/proc/self/cgroup"])).toBe("0::/init\n");
    succeed(["delete", "--force", id]);
    expect(tsrunc(["state", id]).code).not.toBe(0);
  });

  test.skipIf(whyNot !== null || version !== 2 || criu.kind === "none")(
    `is the container's again when it has been restored (needs cgroup v2 and criu: ${criu.kind === "none" ? criu.whyNot : ""})`,
    async () => {
      const edit: Edit = (config, bundle) => {
        inNamespaces("rw")(config, bundle);
        // CRIU 3.17 fails on masks of a container in a user namespace, by a mount's propagation; that is for other tests.
        Object.assign(config.linux, { maskedPaths: [], readonlyPaths: [] });
        if (driver === "systemd") config.linux.cgroupsPath = `:tsrunc:restored-${process.pid}`;
        execFileSync("chown", ["-R", `${HOST_ID}:${HOST_ID}`, bundle.rootfs]);
      };
      const global = ["--cgroup-manager", driver];
      const made = startCounting(COUNTING, edit, global);
      await countsOn(made.bundle, 3);
      const owners = () => {
        const directory = cgroupDirectory(state(made.id).pid, "");
        return ["", ...readdirSync(directory).filter((file) => file.includes("."))].map(
          (name) => `${name} ${statSync(`${directory}/${name}`).uid}`,
        );
      };
      const before = owners();
      expect(before[0]).toBe(` ${HOST_ID}`);
      checkpoint(made.id);
      const where = ["--image-path", images(), "--bundle", made.bundle.path];
      quietly([...global, "restore", "--detach", ...where, made.id]);
      await countsOn(made.bundle, count(made.bundle));
      expect(owners()).toEqual(before);
    },
  );

  here("is not given to a container that may only read it (needs cgroup v2)", () => {
    const { pid } = state(start("sleep 1000", inNamespaces("ro")));
    expect(statSync(cgroupDirectory(pid, "")).uid).toBe(0);
  });

  const NONE_OF_ITS_OWN: [what: string, namespaces: Namespace[]][] = [
    ["without a cgroup namespace", []],
    ["that joins the host's cgroup namespace", [{ type: "cgroup", path: `/proc/${process.pid}/ns/cgroup` }]],
  ];

  here.each(NONE_OF_ITS_OWN)(
    "keeps the host's options when a container %s sees it (needs cgroup v2)",
    (_, namespaces) => {
      // Whatever ran here before may have taken it away.
      execFileSync("mount", ["-o", "remount,nsdelegate", "/sys/fs/cgroup"]);
      const before = hostOptions();
      expect(before[0]).toMatch(/nsdelegate/);
      const edit: Edit = ({ mounts, linux }) => {
        linux.namespaces.push(...namespaces);
        mounts.push({ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "ro"] });
      };
      const { code, stdout } = runLimited(driver, "cat /proc/self/cgroup; ls /sys/fs/cgroup", {}, { edit });
      expect(code).toBe(0);
      // The whole of it, as without a mount namespace.
      expect(stdout).toMatch(/^init\.scope$/m);
      expect(hostOptions()).toEqual(before);
    },
  );
});
