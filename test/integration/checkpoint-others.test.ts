/** Checkpoints of containers that have to do with somebody else: the other end of a connection, a server of pages, a namespace, cgroups. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { hasFeature } from "../support/criu.ts";
import { checkpoint, count, countsOn, criu, env, images, networkNamespace, restore, start } from "./checkpoints.ts";
import {
  commandLine,
  type Edit,
  makeBundle,
  newId,
  pause,
  refused,
  state,
  stateRoot,
  succeed,
  until,
  useContainers,
} from "./harness.ts";

useContainers();

// Of hooks after a test the last is the first.
const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const work of cleanUp.splice(0)) work();
});

/** Numbers the lines that it gets, and keeps the number in memory alone. */
const SERVER = `
import socket
listener = socket.create_server(("", 7007))
open("/ready", "w").close()
connection, _ = listener.accept()
number = 0
while True:
    for line in connection.recv(1000).decode().splitlines():
        number += 1
        connection.sendall(f"{number}:{line}\\n".encode())
`;

/** Has a connection to itself, and says at SIGUSR1 whether that still carries anything. */
const BOTH_ENDS = `
import signal, socket
listener = socket.create_server(("127.0.0.1", 7008))
client = socket.create_connection(("127.0.0.1", 7008))
server, _ = listener.accept()
listener.close()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
open("/ready", "w").close()
signal.sigwait([signal.SIGUSR1])
try:
    client.settimeout(5)
    server.sendall(b"hello")
    answer = client.recv(5)
except OSError:
    answer = b""
with open("/report", "w") as report:
    report.write("open\\n" if answer else "closed\\n")
signal.pause()
`;

const usesPython: Edit = (config, { rootfs }) => {
  for (const name of ["lib", "lib64"]) symlinkSync(`usr/${name}`, join(rootfs, name));
  config.mounts.push({ destination: "/usr", type: "bind", source: "/usr", options: ["rbind", "ro"] });
};

const whyNoPython = existsSync("/usr/bin/python3") ? null : "needs /usr/bin/python3";
/** Since Linux 6.16 a TCP socket has no SO_PASSCRED, which CRIU asks for before 4.2. */
function whyNoTcp(): string | null {
  if (whyNoPython !== null || criu.kind === "none") return whyNoPython;
  const version = execFileSync("criu", ["--version"], { encoding: "utf8", env: { ...process.env, ...env } });
  const [, major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(version) ?? []).map(Number);
  const script = "import socket; socket.socket().getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED)";
  if (major * 100 + minor >= 402 || spawnSync("/usr/bin/python3", ["-c", script]).status === 0) return null;
  return `criu ${major}.${minor} does not know this kernel's TCP sockets`;
}

/** The bytes of a pipe that CRIU serves pages by, without looking whether it gets them. */
const PIPE_OF_PAGES = 3_354_624;

function whyNoLazyPages(): string | null {
  if (criu.kind === "none" || !hasFeature(criu.path, "uffd-noncoop")) return "needs userfaultfd with its events";
  if (Number(readFileSync("/proc/sys/fs/pipe-max-size", "utf8")) >= PIPE_OF_PAGES) return null;
  const effective = /^CapEff:\s*(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  // CAP_SYS_RESOURCE
  if ((BigInt(`0x${effective}`) >> 24n) & 1n) return null;
  return `needs fs.pipe-max-size of ${PIPE_OF_PAGES}, or CAP_SYS_RESOURCE`;
}

describe.skipIf(criu.kind === "none")(`with ${criu.kind === "none" ? criu.whyNot : "criu"}`, () => {
  const noTcp = whyNoTcp();

  test.skipIf(noTcp !== null)(
    `a server goes on with its client on the host, which has written meanwhile (${noTcp ?? ""})`,
    async ({ skip }) => {
      const netns = networkNamespace();
      // Before the directory is removed, in which it is mounted.
      cleanUp.push(() => void spawnSync("umount", [netns]));
      const inside = (...args: string[]) => execFileSync("nsenter", [`--net=${netns}`, "ip", ...args]);
      const name = `tsc${process.pid}`;
      if (spawnSync("ip", ["link", "add", name, "type", "veth", "peer", "name", `${name}p`]).status !== 0) {
        return skip("needs veth devices");
      }
      onTestFinished(() => void spawnSync("ip", ["link", "delete", name]));
      const holder = spawn("nsenter", [`--net=${netns}`, "sleep", "1000"], { stdio: "ignore" });
      onTestFinished(() => void holder.kill("SIGKILL"));
      await until("the namespace to be entered", () => {
        return readNamespace(holder.pid ?? 0) !== readNamespace(process.pid);
      });
      execFileSync("ip", ["link", "set", `${name}p`, "netns", String(holder.pid)]);
      execFileSync("ip", ["address", "add", "198.51.100.1/24", "dev", name]);
      execFileSync("ip", ["link", "set", name, "up"]);
      inside("address", "add", "198.51.100.2/24", "dev", `${name}p`);
      inside("link", "set", `${name}p`, "up");

      const made = start(["/usr/bin/python3", "-c", SERVER], (config, bundle) => {
        usesPython(config, bundle);
        config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "network");
        config.linux.namespaces.push({ type: "network", path: netns });
      });
      await until("the server", () => existsSync(join(made.bundle.rootfs, "ready")));
      const client = connect(7007, "198.51.100.2");
      onTestFinished(() => void client.destroy());
      const heard = listen(client);
      client.write("before\n");
      await until("the answer", () => heard.text === "1:before\n");

      expect(refused(["checkpoint", "--image-path", images(), made.id], { env })).toMatch(/tcp|TCP|established/);
      client.write("still there\n");
      await until("the answer", () => heard.text.endsWith("2:still there\n"));

      checkpoint(made.id, "--tcp-established");
      client.write("meanwhile\n");
      await pause(300);
      expect(heard).toEqual({ text: "1:before\n2:still there\n", closed: false });
      restore(made, "--tcp-established");
      await until("the answer to what was sent meanwhile", () => heard.text.endsWith("3:meanwhile\n"));
      client.write("after\n");
      await until("the answer", () => heard.text.endsWith("4:after\n"));
      expect(heard.closed).toBe(false);
    },
    60_000,
  );

  test.skipIf(noTcp !== null)(
    `both ends of a connection in a network namespace of the container's own go on (${noTcp ?? ""})`,
    async () => {
      const args = ["/usr/bin/python3", "/keeper.py", "/"];
      const made = start(args, (config, bundle) => {
        copyFileSync("test/support/state-keeper.py", join(bundle.rootfs, "keeper.py"));
        usesPython(config, bundle);
        for (const set of ["effective", "permitted", "bounding"] as const)
          config.process.capabilities?.[set]?.push("CAP_NET_ADMIN");
      });
      await until("the process to be ready", () => existsSync(join(made.bundle.rootfs, "ready")));
      checkpoint(made.id, "--tcp-established", "--file-locks", "--link-remap");
      restore(made, "--tcp-established", "--file-locks");
      succeed(["kill", made.id, "USR1"]);
      const report = join(made.bundle.rootfs, "report");
      await until("the report", () => existsSync(report));
      expect(JSON.parse(readFileSync(report, "utf8"))).toMatchObject({ tcp: "over TCP", back: "and back" });
    },
    60_000,
  );

  test.skipIf(noTcp !== null)(
    `connections come back closed with --tcp-close, and the process goes on (${noTcp ?? ""})`,
    async () => {
      const made = start(["/usr/bin/python3", "-c", BOTH_ENDS], usesPython);
      await until("the process to be ready", () => existsSync(join(made.bundle.rootfs, "ready")));
      checkpoint(made.id, "--tcp-established");
      restore(made, "--tcp-close");
      succeed(["kill", made.id, "USR1"]);
      const report = join(made.bundle.rootfs, "report");
      await until("the report", () => existsSync(report) && readFileSync(report, "utf8").endsWith("\n"));
      expect(readFileSync(report, "utf8")).toBe("closed\n");
    },
    60_000,
  );

  test("its memory goes to a server of pages, and is restored from there", async () => {
    const made = start();
    await countsOn(made.bundle, 3);
    const pages = images("pages");
    mkdirSync(pages);
    const port = await freePort();
    const args = ["page-server", "--images-dir", pages, "--address", "127.0.0.1", "--port", String(port)];
    const server = spawn("criu", args, { stdio: "ignore", env: { ...process.env, ...env } });
    onTestFinished(() => void server.kill("SIGKILL"));
    await until("the server", () => isListening(port));
    checkpoint(made.id, "--page-server", `127.0.0.1:${port}`);
    const memory = /^page(map|s)-/;
    expect(readdirSync(images()).filter((name) => memory.test(name))).toEqual([]);
    await until("the server to have written all", () => server.exitCode !== null);
    const sent = readdirSync(pages).filter((name) => memory.test(name));
    expect(sent.length).toBeGreaterThan(1);
    for (const name of sent) copyFileSync(join(pages, name), join(images(), name));
    const before = count(made.bundle);
    restore(made);
    await countsOn(made.bundle, before);
    expect(count(made.bundle)).toBeGreaterThan(before);
  });

  test("a server of pages that does not answer leaves the container running", async () => {
    const made = start();
    await countsOn(made.bundle, 3);
    const address = `127.0.0.1:${await freePort()}`;
    const said = refused(["checkpoint", "--image-path", images(), "--page-server", address, made.id], { env });
    expect(said).toMatch(/criu failed: type DUMP.*Can't connect to server 127/);
    expect(said.trim().split("\n")).toHaveLength(1);
    expect(state(made.id).status).toBe("running");
    await countsOn(made.bundle, count(made.bundle));
  });

  const noLazyPages = whyNoLazyPages();
  test.skipIf(noLazyPages !== null)(
    `it goes on before its memory has come, which is fetched as it is used (${noLazyPages ?? ""})`,
    async () => {
      const made = start();
      await countsOn(made.bundle, 3);
      const { pid } = state(made.id);
      const port = String(await freePort());
      const environment = { ...process.env, ...env };
      const flags = ["--lazy-pages", "--page-server", `127.0.0.1:${port}`, "--status-fd", "3"];
      const [program = "", ...args] = commandLine(["checkpoint", "--image-path", images(), ...flags, made.id]);
      const dump = spawn(program, args, { stdio: ["ignore", "ignore", "pipe", "pipe"], env: environment });
      cleanUp.push(() => dump.kill("SIGKILL"));
      const [said, ready] = [listen(dump.stderr as Socket), listen(dump.stdio[3] as Socket)];
      await until("the pages to be served", () => ready.text !== "" || dump.exitCode !== null);
      expect({ ready: ready.text, said: said.text }).toEqual({ ready: "\0", said: "" });
      // The container is held, and there until the last page has gone.
      const before = count(made.bundle);
      expect(state(made.id)).toMatchObject({ pid });
      const lazy = ["lazy-pages", "--page-server", "--address", "127.0.0.1", "--port", port, "--images-dir", images()];
      const fetcher = spawn("criu", lazy, { stdio: "ignore", env: environment });
      cleanUp.push(() => fetcher.kill("SIGKILL"));
      await until("whoever fetches pages", () => existsSync(join(images(), "lazy-pages.socket")));
      const other = { id: newId(), bundle: made.bundle };
      restore(other, "--lazy-pages");
      await countsOn(other.bundle, before);
      await until("the last page", () => dump.exitCode !== null && fetcher.exitCode !== null);
      expect({ dump: dump.exitCode, fetcher: fetcher.exitCode, said: said.text }).toEqual({
        dump: 0,
        fetcher: 0,
        said: "",
      });
      expect(refused(["state", made.id])).toContain("does not exist");
      await countsOn(other.bundle, count(other.bundle));
    },
  );

  test("a pid namespace that it was given is joined again by its path", async () => {
    const holder = spawn("unshare", ["--pid", "--fork", "--kill-child", "sh", "-c", "while :; do sleep 1; done"], {
      stdio: "ignore",
    });
    onTestFinished(() => void holder.kill("SIGKILL"));
    const first = () => readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, "utf8").trim();
    await until("the namespace's first process", () => first() !== "");
    const path = `/proc/${first()}/ns/pid`;
    const made = start(undefined, (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
      config.linux.namespaces.push({ type: "pid", path });
    });
    await countsOn(made.bundle, 3);
    const { pid } = state(made.id);
    const numbers = (process: number) => /^NSpid:\s(.*)$/m.exec(readFileSync(`/proc/${process}/status`, "utf8"))?.[1];
    const [, within] = numbers(pid)?.split(/\s+/) ?? [];
    expect(within).toMatch(/^\d+$/);
    checkpoint(made.id);
    // Whoever is the machine's reaper: until then the number is taken.
    await until("the old process to be reaped", () => !existsSync(`/proc/${pid}`));
    const before = count(made.bundle);
    restore(made);
    await countsOn(made.bundle, before);
    const restored = state(made.id).pid;
    expect(numbers(restored)?.split(/\s+/)[1]).toBe(within);
    expect(readNamespace(restored, "pid")).toBe(readNamespace(Number(first()), "pid"));
    // And once more from the same images, when the namespace is another.
    succeed(["delete", "--force", made.id]);
    holder.kill("SIGKILL");
    await until("the end of the namespace", () => !existsSync(path));
    const said = refused(["restore", "--image-path", images(), "--bundle", made.bundle.path, made.id], { env });
    expect(said).toContain(path);
    expect(readdirSync(stateRoot())).toEqual([]);
  });

  test("limits are those of the configuration again, and its cgroups are seen in it", async () => {
    const made = start(undefined, (config) => {
      config.linux.resources = { memory: { limit: 128 << 20 }, pids: { limit: 60 }, cpu: { shares: 512 } };
      config.mounts.push({
        destination: "/sys/fs/cgroup",
        type: "cgroup",
        source: "cgroup",
        options: ["ro", "nosuid"],
      });
    });
    await countsOn(made.bundle, 3);
    const limits = () => JSON.parse(succeed(["events", "--stats", made.id])).data;
    const seen = () => succeed(["exec", made.id, "sh", "-c", "ls /sys/fs/cgroup; cat /proc/self/cgroup"]);
    const [before, sawBefore] = [limits(), seen()];
    expect(before.pids.limit).toBe(60);
    checkpoint(made.id);
    restore(made);
    await countsOn(made.bundle, count(made.bundle));
    const after = limits();
    expect(after.pids.limit).toBe(60);
    expect(after.memory.usage.limit).toBe(128 << 20);
    expect(before.memory.usage.limit).toBe(after.memory.usage.limit);
    expect(seen()).toBe(sawBefore);
  });

  test.each([
    [
      ["--lsm-profile", "apparmor:docker-default"],
      "/sys/module/apparmor/parameters/enabled",
      "AppArmor is not enabled",
    ],
    [["--lsm-profile", "selinux:a:b:c"], "/sys/fs/selinux/enforce", "SELinux is not enabled in this kernel"],
    [["--lsm-mount-context", "a:b:c"], "/sys/fs/selinux/enforce", "--lsm-mount-context is not possible here"],
    [["--lsm-profile", "nothing"], "/none", "apparmor:NAME or selinux:NAME is expected"],
  ])("restore %s, where the kernel has no such module, before anything is made", (flags, mark, words) => {
    if (existsSync(mark) && readFileSync(mark, "utf8").trim() !== "N") return;
    const args = ["restore", "--bundle", makeBundle("true").path, "--image-path", images(), ...flags, newId()];
    const said = refused(args, { env });
    expect(said).toContain(words);
    expect(said.trim().split("\n")).toHaveLength(1);
    expect(readdirSync(stateRoot())).toEqual([]);
  });
});

function readNamespace(pid: number, type: "net" | "pid" = "net"): string {
  return execFileSync("readlink", [`/proc/${pid}/ns/${type}`], { encoding: "utf8" });
}

/** What a connection brings, as it comes. */
function listen(socket: Socket): { text: string; closed: boolean } {
  const heard = { text: "", closed: false };
  socket.setEncoding("utf8");
  socket.on("data", (text) => {
    heard.text += text;
  });
  for (const event of ["close", "error", "end"])
    socket.on(event, () => {
      heard.closed = true;
    });
  return heard;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Without a connection, which a server may take for the one it waits for. */
function isListening(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return new RegExp(`: [0-9A-F]+:${hex} [0-9A-F]+:0000 0A `).test(readFileSync("/proc/net/tcp", "utf8"));
}
