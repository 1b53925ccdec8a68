#!/usr/bin/env node
// Becomes the executable for this processor, which is a package of its own: @tsrunc/linux-x64 or @tsrunc/linux-arm64.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";

const name = `@tsrunc/linux-${process.arch}`;

function executable() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), "lib/tsrunc");
  } catch {
    process.stderr.write(
      `tsrunc: ${name} is not installed: npm leaves it out on another processor, and with --omit=optional\n`,
    );
    process.exit(1);
  }
}

const file = executable();
const args = process.argv.slice(2);

// From Node 22.15 on; where there is none, a parent remains, which hands on signals.
if (typeof process.execve === "function") process.execve(file, [file, ...args], process.env);

const child = spawn(file, args, { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH"]) {
  process.on(signal, () => child.kill(signal));
}
child.on("error", (error) => {
  process.stderr.write(`tsrunc: cannot execute ${file}: ${error.message}\n`);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
