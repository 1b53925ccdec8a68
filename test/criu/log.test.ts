import { expect, test } from "vitest";
import { lastError } from "../../src/criu/log.ts";

test.each([
  [
    "(00.1) Pre-dump\n(00.2) Error (criu/tty.c:12): tty: dangling\n(00.3) Error (criu/cr-dump.c:2098): Dumping FAILED.\n",
    "Error (criu/tty.c:12): tty: dangling",
  ],
  [
    "(00.3)      1: Error (criu/files.c:3): no file\n(00.3) Error (criu/cr-restore.c:5): Restoring FAILED.\n",
    "Error (criu/files.c:3): no file",
  ],
  ["(00.3) Error (criu/cr-restore.c:5): Restoring FAILED.\n", "Error (criu/cr-restore.c:5): Restoring FAILED."],
  ["(00.3) Warn  (criu/x.c:5): no Error\n", null],
  [
    "(00.2) Error (criu/uffd.c:7): uffd: Broken pipe\n(00.3) Error (criu/cr-restore.c:2): Killing processes because of failure on restore.\n" +
      "(00.4) Error (criu/mount.c:9): mnt: Can't remove the directory /tmp/.criu.mntns.x: No such file or directory\n",
    "Error (criu/uffd.c:7): uffd: Broken pipe",
  ],
  [
    "(1.0) Error (criu/a.c:1): of before\n(1.1) x\n(1.1) x\n(1.1) x\n(1.1) x\n(1.2) Error (criu/sk.c:1): the cause\n(1.2) between\n" +
      "(1.3) Error (criu/cr-dump.c:2): Dump files (pid: 7) failed with -1\n(1.4) Error (criu/cr-dump.c:3): Dumping FAILED.\n",
    "Error (criu/sk.c:1): the cause",
  ],
  [
    "(1.0)      1: Error (criu/image.c:6): Unable to open\n(1.1) Error (criu/cr-restore.c:2): Restoring FAILED.\n" +
      "(1.2) Error (criu/cgroup.c:3): cg: cgroupd: recv req error\n",
    "Error (criu/image.c:6): Unable to open",
  ],
  [
    "(0.1) Connecting to server 127.0.0.1:9\n(0.1) Can't connect to server 127.0.0.1:9\n(0.1) net: Unlock network\n" +
      "(0.1) Error (compel/src/lib/infect.c:417): Unable to detach from 1894: No such process\n(0.1) Error (criu/cr-dump.c:1975): Dumping FAILED.\n",
    "Can't connect to server 127.0.0.1:9",
  ],
  ["", null],
])("the last error of %j", (text, error) => {
  expect(lastError(text)).toBe(error);
});
