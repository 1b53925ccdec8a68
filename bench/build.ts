/**
 * `bun bench/build.ts`: a build of ten steps beside `buildah bud --layers`, in one run: with nothing changed, and with what the last step copies
 * changed. Needs root, buildah and build/busybox. Each figure is a median of RUNS (7).
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
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
const steps = Array.from({ length: 9 }, (_, index) => `RUN echo ${index} > /f${index}\n`).join("");
const context = builder.context({ Dockerfile: `FROM localhost/base:1\n${steps}COPY last /last\n`, last: "0" });
const builds = {
  tsrunc: () => void builder.must("build", "-q", "-t", "ten:1", context),
  buildah: () => buildah("bud", "-q", "--layers", "--isolation", "chroot", "--pull=never", "-t", "ten:1", context),
};
let changes = 0;
const change = () => writeFileSync(join(context, "last"), `${++changes}`);
for (const [row, before] of [
  ["nothing changed", () => {}],
  ["last step changed", change],
] as const) {
  const times: Record<keyof typeof builds, number[]> = { tsrunc: [], buildah: [] };
  for (const build of Object.values(builds)) build();
  for (let run = 0; run < RUNS; run++) {
    // In turn, so that what else the machine does meets both.
    for (const name of ["tsrunc", "buildah"] as const) {
      before();
      times[name].push(milliseconds(builds[name]));
    }
  }
  const [ours, theirs] = [median(times.tsrunc), median(times.buildah)];
  console.log(
    `build of ten steps, ${row}: tsrunc ${ours.toFixed(0)} ms, buildah ${theirs.toFixed(0)} ms: ${(ours / theirs).toFixed(2)} x`,
  );
}
try {
  buildah("rmi", "--all", "--force");
} catch {
  // Its storage goes with the scratch directory.
}
