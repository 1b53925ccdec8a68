import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Does something while a directory has sockets that nobody can use, see wrong-sockets.py. */
export async function withWrongSockets(directory: string, act: () => void): Promise<void> {
  const child = spawn("python3", ["test/support/wrong-sockets.py", directory], { stdio: "ignore" });
  try {
    for (let waited = 0; waited < 500 && !existsSync(join(directory, "ready")); waited++) {
      await new Promise((done) => setTimeout(done, 20));
    }
    act();
  } finally {
    child.kill("SIGKILL");
  }
}
