import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import { writeSome } from "../../src/sys/io.ts";
import { getModes, type Pty, setWindowSize } from "../../src/sys/tty.ts";
import { buildProgram, ONE_THREAD } from "../support/program.ts";
import { openTerminal, readAll, until, whyNoTerminal } from "../support/terminal.ts";

const { SIGHUP, SIGKILL, SIGTERM, SIGUSR1 } = constants.signals;
const LFLAG = 12;
const ICANON = 0o2;

const [bun, program] = buildProgram("test/runtime/foreground-program.ts") as [string, string];
const noTerminal = whyNoTerminal();

interface Running {
  process: ChildProcess;
  /** What came out of stdout until now. */
  output(): string;
  ended: Promise<number | null>;
}

function start(how: "stdio" | "pty", script: string, options: SpawnOptions = {}): Running {
  const env = { ...process.env, ...ONE_THREAD, ...options.env };
  const child = spawn(bun, [program, how, "/bin/sh", "-c", script], {
    stdio: ["ignore", "pipe", "inherit"],
    ...options,
    env,
  });
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return { process: child, output: () => Buffer.concat(chunks).toString(), ended };
}

/** A program that says `ready`, then the name of each signal as it comes, and leaves at SIGTERM. */
function signalTeller(...names: string[]): string {
  const traps = names.map((name) => `trap 'echo ${name}' ${name};`).join(" ");
  return `${traps} trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done`;
}

describe("a process with the caller's stdio", () => {
  test("gives its exit code", async () => {
    expect(await start("stdio", "exit 3").ended).toBe(3);
  });

  test("gives 128 + n when signal n ends it", async () => {
    expect(await start("stdio", "kill -KILL $$").ended).toBe(128 + SIGKILL);
  });

  test("gets the caller's signals, the job control ones among them", async () => {
    const names = ["HUP", "INT", "QUIT", "USR1", "USR2", "TSTP", "TTIN", "TTOU", "CONT", "ALRM"];
    const { process: child, output, ended } = start("stdio", signalTeller(...names));
    await until(() => output() === "ready\n");
    for (const name of names) {
      child.kill(`SIG${name}` as NodeJS.Signals);
      await until(() => output().endsWith(`${name}\n`));
    }
    child.kill("SIGTERM");
    expect(await ended).toBe(5);
  });

  test("does not get SIGURG, SIGPIPE, SIGCHLD and SIGWINCH", async () => {
    const { process: child, output, ended } = start("stdio", signalTeller("URG", "PIPE", "CHLD", "WINCH", "USR1"));
    await until(() => output().startsWith("ready\n"));
    for (const signal of ["SIGURG", "SIGPIPE", "SIGCHLD", "SIGWINCH", "SIGUSR1"] as const) child.kill(signal);
    await until(() => output().includes("USR1\n"));
    child.kill("SIGTERM");
    await ended;
    // Its own children's ends it sees as ever: CHLD says nothing here.
    expect(output().replaceAll("CHLD\n", "")).toBe("ready\nUSR1\n");
  });

  test("gets a signal that came before it was supervised", async () => {
    const { ended } = start("stdio", "exec sleep 1000", { env: { SIGNAL_BEFORE: String(SIGUSR1) } });
    expect(await ended).toBe(128 + SIGUSR1);
  });

  test("gives its exit code to a caller that ignores SIGCHLD", async () => {
    const args = ["--ignore-signal=CHLD", bun, program, "stdio", "/bin/sh", "-c", "exit 6"];
    const child = spawn("env", args, { env: { ...process.env, ...ONE_THREAD }, stdio: "inherit" });
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(6);
  });

  test("has its orphans reaped", async () => {
    // The inner shell's child loses its parent and ends; it would stay a zombie if nobody reaped it.
    const script = `orphan=$(sh -c 'sleep 0.01 >/dev/null & echo $!'); while [ -e /proc/$orphan ]; do sleep 0.01; done; exit 7`;
    expect(await start("stdio", script).ended).toBe(7);
  });

  test("is done with at its own end, whoever else is left", async () => {
    const { process: child, output } = start("stdio", "sleep 1000 & echo $!; exit 8");
    const code = await new Promise((resolve) => child.on("exit", resolve));
    process.kill(Number(output()), "SIGKILL");
    expect(code).toBe(8);
  });
});

describe.skipIf(noTerminal !== null)(
  `a process with a terminal${noTerminal ? ` (skipped: ${noTerminal})` : ""}`,
  () => {
    test("has it as its three standard streams and as its controlling terminal", async () => {
      const { output, ended } = start("pty", "tty; tty <&1; tty <&2; echo there >/dev/tty");
      expect(await ended).toBe(0);
      expect(output()).toMatch(/^(\/dev\/pts\/\d+\n)\1\1there\n$/);
    });

    test("gives its exit code, or 128 + n", async () => {
      expect(await start("pty", "exit 9").ended).toBe(9);
      expect(await start("pty", "kill -KILL $$").ended).toBe(128 + SIGKILL);
    });

    test("starts with the size of config.json where the caller has no terminal", async () => {
      const { output, ended } = start("pty", "stty size", { stdio: ["ignore", "pipe", "pipe"], detached: true });
      await ended;
      expect(output()).toBe("11 22\n");
    });

    test("loses no output, and no newline becomes two characters", async () => {
      const lines = 200_000;
      const { output, ended } = start("pty", `exec seq ${lines}`);
      expect(await ended).toBe(0);
      const expected = Array.from({ length: lines }, (_, index) => `${index + 1}\n`).join("");
      expect(output().length).toBe(expected.length);
      expect(output() === expected).toBe(true);
    });

    test("gets what comes on a stdin that is no terminal, and goes on after its end", async () => {
      const {
        process: child,
        output,
        ended,
      } = start("pty", "stty -echo; read a; echo got $a; sleep 0.1; echo on", {
        stdio: ["pipe", "pipe", "inherit"],
      });
      child.stdin?.end("hello\n");
      expect(await ended).toBe(0);
      expect(output()).toMatch(/got hello\non\n$/);
    });

    test("is hung up when nobody can see it any more", async () => {
      const { process: child, output, ended } = start("pty", "exec yes");
      await until(() => output().length > 0);
      child.stdout?.destroy();
      expect(await ended).toBe(128 + SIGHUP);
    });

    test("is done with at its own end, though another still holds the terminal and writes to it", async () => {
      // The other writes as fast as it can until the hangup makes its writes fail.
      const { ended } = start("pty", "(trap '' HUP; while echo on; do :; done 2>/dev/null) & sleep 0.05; exit 4");
      expect(await ended).toBe(4);
    });

    test("is shown again by one that opens it after all have closed it", async () => {
      const script = "t=$(tty); exec 0<&- 1<&- 2<&-; sleep 0.05; exec >$t; echo back";
      const { output, ended } = start("pty", script);
      expect(await ended).toBe(0);
      expect(output()).toBe("back\n");
    });

    describe("shown on the caller's terminal", () => {
      interface Seat extends Running {
        caller: Pty;
        /** All that the caller has seen. */
        screen(): string;
      }

      function sit(script: string): Seat {
        const caller = openTerminal();
        setWindowSize(caller.master.number, { rows: 40, columns: 100 });
        const { number } = caller.slave;
        let seen = "";
        const running = start("pty", script, { stdio: [number, number, number] });
        return { ...running, caller, screen: () => (seen += readAll(caller.master.number)) };
      }

      function type({ caller }: Seat, text: string): void {
        writeSome(caller.master.number, Buffer.from(text));
      }

      function isRaw({ caller }: Seat): boolean {
        return (getModes(caller.master.number).readUInt32LE(LFLAG) & ICANON) === 0;
      }

      test("has its size, from the beginning and after SIGWINCH", async () => {
        const seat = sit("stty size; trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done");
        await until(() => seat.screen().includes("ready"));
        setWindowSize(seat.caller.master.number, { rows: 50, columns: 120 });
        seat.process.kill("SIGWINCH");
        await seat.ended;
        expect(seat.screen()).toBe("40 100\r\nready\r\n50 120\r\n");
      });

      test("gets every key, those that make signals among them", async () => {
        const seat = sit("stty -echo; trap 'echo interrupted' INT; echo ready; read a; echo got $a; read b; exit 2");
        await until(() => seat.screen().includes("ready"));
        await until(() => isRaw(seat));
        type(seat, "hello\r");
        await until(() => seat.screen().includes("got hello"));
        type(seat, "\x03");
        await until(() => seat.screen().includes("interrupted"));
        type(seat, "\r");
        expect(await seat.ended).toBe(2);
      });

      for (const [end, script] of [
        ["exits", "echo ready; read a"],
        ["is killed", "echo ready; read a; kill -KILL $$"],
      ] as const) {
        test(`makes it raw, and as it was before when the process ${end}`, async () => {
          const seat = sit(script);
          const before = getModes(seat.caller.master.number);
          await until(() => seat.screen().includes("ready") && isRaw(seat));
          type(seat, "\r");
          await seat.ended;
          expect(getModes(seat.caller.master.number)).toEqual(before);
        });
      }

      test("makes it as it was before when the runtime is told to end", async () => {
        const seat = sit("echo ready; exec sleep 1000");
        const before = getModes(seat.caller.master.number);
        await until(() => seat.screen().includes("ready") && isRaw(seat));
        seat.process.kill("SIGTERM");
        expect(await seat.ended).toBe(128 + SIGTERM);
        expect(getModes(seat.caller.master.number)).toEqual(before);
      });
    });
  },
);
