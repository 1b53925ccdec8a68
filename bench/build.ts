/**
 * A part of `make bench`: a build of ten steps beside `buildah bud --layers` and `docker build`, in one run: with nothing changed, and
 * with what the last step copies changed. Needs root, buildah and build/busybox; without Docker's daemon it is left out. Each figure is a
 * median of RUNS (7); the ratio is to the better of the others.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Builder, whyNotBuildah } from "../test/integration/build/support.ts";

const RUNS = Number(process.env["RUNS"] ?? 7);

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] as number;
}

function milliseconds(act: () => void): number {
  const begun = process.hrtime.bigint();
  act();
  return Number(process.hrtime.bigint() - begun) / 1e6;
}

const why = whyNotBuildah();
if (why !== null) {
  console.error(`bench: without builds: ${why}`);
  process.exit(1);
}
using builder = new Builder();
builder.must("save", "--output", builder.at("base.tar"), "localhost/base:1");
const storage = [
  "--root",
  builder.at("buildah"),
  "--runroot",
  builder.at("buildah-run"),
  "--storage-driver",
  "overlay",
];
const buildah = (...args: string[]) =>
  void execFileSync("buildah", [...storage, ...args], { stdio: ["ignore", "ignore", "pipe"] });
buildah("pull", `oci-archive:${builder.at("base.tar")}`);
const docker = await startDocker();
const steps = Array.from({ length: 9 }, (_, index) => `RUN echo ${index} > /f${index}\n`).join("");
const context = builder.context({ Dockerfile: `FROM localhost/base:1\n${steps}COPY last /last\n`, last: "0" });
const builds: Record<string, () => void> = {
  tsrunc: () => void builder.must("build", "-q", "-t", "ten:1", context),
  buildah: () => buildah("bud", "-q", "--layers", "--isolation", "chroot", "--pull=never", "-t", "ten:1", context),
  ...(docker === null ? {} : { docker: () => docker.run("build", "-q", "--network", "none", "-t", "ten:1", context) }),
};
let changes = 0;
const change = () => writeFileSync(join(context, "last"), `${++changes}`);
try {
  for (const [row, before] of [
    ["nothing changed", () => {}],
    ["last step changed", change],
  ] as const) {
    const names = Object.keys(builds);
    const times = Object.fromEntries(names.map((name): [string, number[]] => [name, []]));
    for (const build of Object.values(builds)) build();
    for (let run = 0; run < RUNS; run++) {
      // In turn, so that what else the machine does meets all.
      for (const name of names) {
        before();
        times[name]?.push(milliseconds(builds[name] as () => void));
      }
    }
    const [ours, ...theirs] = names.map((name) => median(times[name] as number[])) as [number, ...number[]];
    const figures = names.map((name, index) => `${name} ${[ours, ...theirs][index]?.toFixed(0)} ms`).join(", ");
    console.log(`build of ten steps, ${row}: ${figures}: ${(ours / Math.min(...theirs)).toFixed(2)} x the better`);
  }
} finally {
  docker?.stop();
  // Its storage goes with the scratch directory, whatever becomes of this.
  spawnSync("buildah", [...storage, "rmi", "--all", "--force"], { stdio: "ignore" });
}

/** Docker's daemon with the base image, in the scratch directory; `null` where there is none, or it does not start. */
async function startDocker(): Promise<{ run(...args: string[]): void; stop(): void } | null> {
  const without = (reason: string) => {
    console.error(`bench: builds without docker: ${reason}`);
    return null;
  };
  if (spawnSync("dockerd", ["--version"]).status !== 0) return without("dockerd is not installed");
  const home = builder.at("docker");
  mkdirSync(home);
  const places = ["--data-root", `${home}/data`, "--exec-root", `${home}/exec`, "--pidfile", `${home}/pid`];
  const network = ["--bridge=none", "--iptables=false", "--ip6tables=false"];
  const log = openSync(`${home}/log`, "w");
  const address = `unix://${home}/sock`;
  const daemon = spawn("dockerd", ["--host", address, ...places, ...network], { stdio: ["ignore", log, log] });
  const call = ["--host", address, "--config", home];
  // Debian's Docker has its own builder alone, unless buildx is there.
  const hasBuildKit = spawnSync("docker", ["buildx", "version"], { stdio: "ignore" }).status === 0;
  const env = { ...process.env, DOCKER_BUILDKIT: hasBuildKit ? "1" : "0" };
  const stop = () => {
    daemon.kill("SIGTERM");
    // Its end comes as that of a process that tail(1) waits for.
    spawnSync("timeout", ["30", "tail", "--pid", `${daemon.pid}`, "-f", "/dev/null"]);
    spawnSync("sh", ["-c", `grep -o '${home}[^ ]*' /proc/self/mounts | xargs -r umount -l`]);
  };
  for (let tries = 0; tries < 100; tries++) {
    if (spawnSync("docker", [...call, "version"], { stdio: "ignore" }).status === 0) break;
    await new Promise((settle) => setTimeout(settle, 200));
    if (tries === 99) {
      stop();
      return without(
        `its daemon does not answer: ${execFileSync("tail", ["-n1", `${home}/log`], { encoding: "utf8" }).trim()}`,
      );
    }
  }
  execFileSync("tar", ["-cf", builder.at("base-files.tar"), "-C", builder.at("base"), "."]);
  const run = (...args: string[]) =>
    void execFileSync("docker", [...call, ...args], { env, stdio: ["ignore", "ignore", "pipe"] });
  run("import", "--change", "ENV PATH=/usr/local/bin:/bin", builder.at("base-files.tar"), "localhost/base:1");
  return { run, stop };
}
