/** The machine's own devices, which no container may change: a runtime that gives one away has harmed every other program. */
import { chmodSync, chownSync, statSync } from "node:fs";

const DEVICES = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx"];

/** Who owns the devices, and who may use them, when it is made. */
export class HostDevices {
  readonly #before = DEVICES.map((path) => ({ path, ...rightsOf(path) }));

  /** @returns a few words for each device that has another owner or other rights by now */
  changes(): string[] {
    return this.#changed().map(({ path }) => {
      const { uid, gid, mode } = rightsOf(path);
      return `${path} with owner ${uid}:${gid} and mode ${mode.toString(8)}`;
    });
  }

  /** Gives the devices back what they had. */
  restore(): void {
    for (const { path, uid, gid, mode } of this.#changed()) {
      chownSync(path, uid, gid);
      chmodSync(path, mode);
    }
  }

  #changed() {
    return this.#before.filter(({ path, uid, gid, mode }) => {
      const now = rightsOf(path);
      return now.uid !== uid || now.gid !== gid || now.mode !== mode;
    });
  }
}

function rightsOf(path: string): { uid: number; gid: number; mode: number } {
  const { uid, gid, mode } = statSync(path);
  return { uid, gid, mode: mode & 0o7777 };
}
