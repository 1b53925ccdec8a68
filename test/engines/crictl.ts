/** The program that speaks the CRI: Debian 12 has no package of it. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const MODULE = "sigs.k8s.io/cri-tools/cmd/crictl@v1.34.0";

/**
 * `$CRICTL`, the one in PATH, or one built from the Go module proxy into a temporary directory.
 * @param quick does not build: that takes minutes
 * @returns its path, or `null` where it cannot be had
 */
export function findCrictl(scratch: string, quick: boolean, say: (message: string) => void): string | null {
  const named = process.env["CRICTL"];
  if (named !== undefined && named !== "") return existsSync(named) ? named : null;
  const inPath = (process.env["PATH"] ?? "").split(":").map((directory) => join(directory, "crictl"));
  const there = inPath.find((path) => existsSync(path));
  if (there !== undefined) return there;
  if (quick) return null;
  say(`building ${MODULE}, which takes minutes; CRICTL=PATH names one that is there`);
  const [GOBIN, GOPATH, GOCACHE] = ["bin", "go", "go-cache"].map((name) => join(scratch, name));
  const env = { ...process.env, GOBIN, GOPATH, GOCACHE, GOFLAGS: "-modcacherw", CGO_ENABLED: "0" };
  const { status, stderr } = spawnSync("go", ["install", MODULE], { env, encoding: "utf8", timeout: 1_800_000 });
  if (status === 0) return join(scratch, "bin/crictl");
  say(`no crictl: ${stderr?.trim().split("\n").at(-1) ?? "go is not installed"}`);
  return null;
}
