/** What callers of crun rely on: `mounts`, annotations, mount options, user namespaces without a root. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Mount } from "../../src/config/types.ts";
import {
  type Bundle,
  directory,
  type Edit,
  makeBundle,
  newId,
  output,
  refused,
  run,
  startDetached,
  succeed,
  tsrunc,
  until,
  useContainers,
} from "./harness.ts";

useContainers();

const NAMESPACE_MAP = [{ containerID: 0, hostID: 100000, size: 65536 }];

const inUserNamespace: Edit = (config, bundle) => {
  config.linux.namespaces.push({ type: "user" });
  config.linux.uidMappings = NAMESPACE_MAP;
  config.linux.gidMappings = NAMESPACE_MAP;
  ownedBy(bundle, 100000);
};

function ownedBy({ rootfs }: Bundle, id: number): void {
  execFileSync("chown", ["-R", `${id}:${id}`, rootfs]);
}

function source(files: Record<string, string>): string {
  const path = join(directory(), `source-${Object.keys(files).join("-")}`);
  mkdirSync(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

function fileOf(mounts: Mount[]): string {
  const path = join(directory(), "mounts.json");
  writeFileSync(path, JSON.stringify(mounts));
  return path;
}

const mountinfo = (id: string) => succeed(["exec", id, "cat", "/proc/self/mountinfo"]);

describe("mounts add", () => {
  test.each([
    ["a container", () => {}],
    ["a container in a user namespace", inUserNamespace],
  ] as [string, Edit][])("gives %s binds of directories and files, and filesystems", (_, edit) => {
    const from = source({ file: "text" });
    const id = startDetached("sleep 1000", edit);
    const file = fileOf([
      { destination: "/new/data", source: from, options: ["rbind", "ro"] },
      { destination: "/etc/one", source: join(from, "file"), options: ["bind"] },
      { destination: "/scratch", type: "tmpfs", source: "tmpfs", options: ["size=64k", "nosuid", "mode=700"] },
    ]);
    succeed(["mounts", "add", id, file]);
    expect(succeed(["exec", id, "cat", "/new/data/file", "/etc/one"])).toBe("texttext");
    const lines = mountinfo(id).split("\n");
    const line = (place: string) => lines.find((one) => one.split(" ")[4] === place) ?? "";
    expect(line("/new/data")).toMatch(/ ro,/);
    expect(line("/etc/one")).toMatch(/ rw,/);
    expect(line("/scratch")).toMatch(/nosuid.* - tmpfs .*size=64k,mode=700/);
    expect(succeed(["exec", id, "sh", "-c", "echo new > /scratch/x && cat /scratch/x"])).toBe("new\n");
  });

  test("resolves the destination in the container, whatever its links say", () => {
    const id = startDetached("ln -s /tmp/inside /link; ln -s ../../../../etc /up; sleep 1000");
    const from = source({ file: "text" });
    const file = fileOf([
      { destination: "/link/data", source: from, options: ["bind"] },
      { destination: "/up/data", source: from, options: ["bind"] },
    ]);
    succeed(["exec", id, "sh", "-c", "until [ -L /up ]; do sleep 0.1; done"]);
    succeed(["mounts", "add", id, file]);
    expect(succeed(["exec", id, "cat", "/tmp/inside/data/file", "/etc/data/file"])).toBe("texttext");
    expect(existsSync("/tmp/inside")).toBe(false);
    expect(existsSync("/etc/data")).toBe(false);
  });

  test("lets no mount of the container reach the host through a shared source", () => {
    const from = source({ file: "text" });
    mkdirSync(join(from, "below"));
    execFileSync("mount", ["--bind", from, from]);
    try {
      execFileSync("mount", ["--make-shared", from]);
      const id = startDetached("sleep 1000", (config) => {
        for (const set of ["bounding", "effective", "permitted"] as const) {
          config.process.capabilities[set]?.push("CAP_SYS_ADMIN");
        }
      });
      succeed(["mounts", "add", id, fileOf([{ destination: "/data", source: from, options: ["bind"] }])]);
      const script = "mount -t tmpfs tmpfs /data/below && echo x > /data/below/x && cat /data/below/x";
      expect(succeed(["exec", id, "sh", "-c", script])).toBe("x\n");
      expect(readdirSync(join(from, "below"))).toEqual([]);
    } finally {
      execFileSync("umount", ["-R", from]);
    }
  });

  test("maps the owners of a source", () => {
    const from = source({ file: "text" });
    const id = startDetached();
    const uidMappings = [{ containerID: 0, hostID: 1234, size: 1 }];
    const mount = { destination: "/data", source: from, options: ["bind"], uidMappings, gidMappings: uidMappings };
    succeed(["mounts", "add", id, fileOf([mount])]);
    expect(succeed(["exec", id, "stat", "-c", "%u:%g", "/data/file"])).toBe("1234:1234\n");
  });

  test.each([
    ["a destination in /proc", { destination: "/proc/sys", type: "tmpfs" }, /mount 0, .*the place is in \/proc/],
    ["the root", { destination: "/", type: "tmpfs" }, /top of the rootfs/],
    ["a remount", { destination: "/tmp", type: "tmpfs", options: ["remount", "ro"] }, /only while a container is made/],
    ["a source that is missing", { destination: "/x", source: "/no/such", options: ["bind"] }, /\/no\/such.*ENOENT/],
    ["an option that the filesystem does not know", { destination: "/x", type: "tmpfs", options: ["nope"] }, /nope/],
  ] as [string, Mount, RegExp][])("refuses %s, naming it", (_, mount, why) => {
    const id = startDetached();
    const before = mountinfo(id);
    expect(refused(["mounts", "add", id, fileOf([mount])])).toMatch(why);
    expect(mountinfo(id)).toBe(before);
  });

  test("says where the file is wrong", () => {
    const id = startDetached();
    expect(refused(["mounts", "add", id, fileOf([{ source: "/x" } as unknown as Mount])])).toMatch(
      /mounts\.json: \/0: .*destination.* is missing/,
    );
    expect(refused(["mounts", "add", id, fileOf({} as Mount[])])).toMatch(/mounts\.json: must be an array/);
  });

  test("is refused for a container that has stopped", async () => {
    const id = startDetached("true");
    await until("the container has ended", () => succeed(["state", id]).includes('"stopped"'));
    expect(refused(["mounts", "add", id, fileOf([])])).toMatch(/stopped container/);
  });
});

describe("mounts remove", () => {
  test("takes away what was added, the inner ones first", () => {
    const from = source({ file: "text" });
    const file = fileOf([
      { destination: "/data", type: "tmpfs", source: "tmpfs" },
      { destination: "/data/inner", source: from, options: ["bind"] },
      { destination: "/data/one", source: join(from, "file"), options: ["bind"] },
    ]);
    const id = startDetached();
    const before = mountinfo(id);
    succeed(["mounts", "add", id, file]);
    expect(mountinfo(id)).not.toBe(before);
    succeed(["mounts", "remove", id, file]);
    expect(mountinfo(id)).toBe(before);
    expect(refused(["mounts", "remove", id, file])).toMatch(/mount 2, unmount \/data\/one/);
  });

  test("leaves what hides parts of /proc, even through a link of the container", () => {
    const id = startDetached("ln -s /proc/sys /link; sleep 1000");
    succeed(["exec", id, "sh", "-c", "until [ -L /link ]; do sleep 0.1; done"]);
    const before = mountinfo(id);
    for (const destination of ["/proc/sys", "/link", "/sys/firmware"]) {
      expect(refused(["mounts", "remove", id, fileOf([{ destination }])])).toMatch(/in \/proc or \/sys/);
    }
    expect(mountinfo(id)).toBe(before);
  });

  test("says that nothing is mounted where nothing is", () => {
    const id = startDetached();
    expect(refused(["mounts", "remove", id, fileOf([{ destination: "/tmp" }])])).toMatch(/nothing is mounted there/);
    expect(refused(["mounts", "remove", id, fileOf([{ destination: "/" }])])).toMatch(/root of the container/);
  });
});

test("mounts takes add or remove", () => {
  expect(tsrunc(["mounts", "list", "x", "y"])).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/No help topic for 'list'/),
  });
  expect(refused(["mounts"])).toMatch(/needs a command: add, remove/);
});

describe("a mount option of crun", () => {
  const withMount = (mount: (from: string) => Mount, prepare: (bundle: Bundle) => void = () => {}): Edit => {
    const from = source({ file: "text" });
    symlinkSync("file", join(from, "link"));
    return (config, bundle) => {
      prepare(bundle);
      config.mounts.push(mount(from));
    };
  };

  test("copy-symlink makes a source that is a symlink again", () => {
    const edit = withMount((from) => ({
      destination: "/etc/copied",
      source: join(from, "link"),
      options: ["bind", "copy-symlink"],
    }));
    expect(output("readlink /etc/copied", edit)).toBe("file");
  });

  test("copy-symlink binds any other source", () => {
    const edit = withMount((from) => ({
      destination: "/copied",
      source: join(from, "file"),
      options: ["bind", "copy-symlink"],
    }));
    expect(output("cat /copied", edit)).toBe("text");
  });

  test("copy-symlink is content with the same symlink, and with no other", () => {
    const prepare = (to: string) => (bundle: Bundle) => symlinkSync(to, join(bundle.rootfs, "copied"));
    const mount = (from: string) => ({
      destination: "/copied",
      source: join(from, "link"),
      options: ["bind", "copy-symlink"],
    });
    const same = withMount(mount, prepare("file"));
    expect(output("readlink /copied", same)).toBe("file");
    const other: Edit = (config, bundle) => {
      prepare("other")(bundle);
      config.mounts.push(mount(join(directory(), "source-file")));
    };
    const { code, stderr } = run("true", other);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/symlink to something other than file/),
    });
  });

  test("src-nofollow binds a symlink itself, on a symlink with dest-nofollow", () => {
    const prepare = ({ rootfs }: Bundle) => symlinkSync("elsewhere", join(rootfs, "place"));
    const edit = withMount(
      (from) => ({
        destination: "/place",
        source: join(from, "link"),
        options: ["bind", "src-nofollow", "dest-nofollow"],
      }),
      prepare,
    );
    expect(output("readlink /place", edit)).toBe("file");
  });

  test("idmap takes maps of its own", () => {
    const edit = withMount((from) => ({
      destination: "/data",
      source: from,
      options: ["bind", "idmap=uids=0-77-1;gids=0-88-1"],
    }));
    expect(output("stat -c %u:%g /data/file", edit)).toBe("77:88");
  });
});

describe("an annotation", () => {
  const annotate =
    (annotations: Record<string, string>): Edit =>
    (config) =>
      void Object.assign(config.annotations, annotations);

  test("keeps the caller's groups: run.oci.keep_original_groups", () => {
    const bundle = makeBundle("id -G", annotate({ "run.oci.keep_original_groups": "1" }));
    const inGroups = (id: string) =>
      execFileSync(
        "setpriv",
        ["--groups", "4321,8765", process.env.TSRUNC ?? "dist/tsrunc", "--root", join(directory(), "groups")].concat([
          "run",
          "--bundle",
          bundle.path,
          id,
        ]),
        { encoding: "utf8" },
      );
    expect(inGroups(newId()).trim().split(" ").sort()).toEqual(["0", "4321", "8765"]);
  });

  test("refuses a FIFO for hooks' output that nobody reads, and does not wait", () => {
    const fifo = join(directory(), "fifo");
    execFileSync("mkfifo", [fifo]);
    const bundle = makeBundle("true", (config, bundle) => {
      config.hooks = { createRuntime: [{ path: "/bin/true" }] };
      annotate({ "run.oci.hooks.stdout": fifo })(config, bundle);
    });
    expect(refused(["create", "--bundle", bundle.path, newId()])).toContain(`open ${fifo}: ENXIO`);
  });

  test("takes hooks' output: run.oci.hooks.stdout and .stderr", () => {
    const files = { out: join(directory(), "out"), err: join(directory(), "err") };
    writeFileSync(files.out, "before\n");
    const hook = (name: string) => [{ path: "/bin/sh", args: ["sh", "-c", `echo ${name}; echo ${name}! >&2`] }];
    const kinds = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] as const;
    const text = output("true", (config, bundle) => {
      annotate({ "run.oci.hooks.stdout": files.out, "run.oci.hooks.stderr": files.err })(config, bundle);
      for (const kind of kinds) config.hooks[kind] = hook(kind);
    });
    expect(text).toBe("");
    expect(readFileSync(files.out, "utf8").trim().split("\n")).toEqual(["before", ...kinds]);
    expect(readFileSync(files.err, "utf8").trim().split("\n")).toEqual(kinds.map((kind) => `${kind}!`));
  });

  test("sends a pidfd: run.oci.pidfd_receiver", async () => {
    const socket = join(directory(), "receiver");
    const script = `
import array, os, socket, sys
server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[1]); server.listen(1)
message, control, *_ = server.accept()[0].recvmsg(100, socket.CMSG_SPACE(4))
fd = array.array("i", control[0][2])[0]
print([line for line in open(f"/proc/self/fdinfo/{fd}") if line.startswith("Pid:")][0].split()[1])
`;
    const receiver = spawn("python3", ["-c", script, socket], { stdio: ["ignore", "pipe", "inherit"] });
    let received = "";
    receiver.stdout.on("data", (data) => {
      received += data;
    });
    const id = newId();
    await until("the receiver listens", () => existsSync(socket));
    const bundle = makeBundle("sleep 1000", annotate({ "run.oci.pidfd_receiver": socket }));
    succeed(["run", "--detach", "--bundle", bundle.path, id]);
    await until("the pidfd has come", () => received !== "");
    expect(Number(received)).toBe(JSON.parse(succeed(["state", id])).pid);
  });

  test.each([
    [{ "run.oci.handler": "krun" }, /run\.oci\.handler: .*krun.*: there is no such handler/],
    [{ "run.oci.delegate-cgroup": "payload" }, /delegate-cgroup.*not supported/],
  ])("that cannot be carried out is refused: %j", (annotations, why) => {
    const { code, stderr } = run("true", annotate(annotations as Record<string, string>));
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(why) });
  });
});

test("a user namespace need not map root", () => {
  const text = output("id -u; id -g; cat /proc/self/uid_map; touch /tmp/x && echo written", (config, bundle) => {
    for (const mount of config.mounts) mount.options = mount.options?.filter((option) => !option.startsWith("gid="));
    config.process.user = { uid: 1000, gid: 1001 };
    config.linux.namespaces.push({ type: "user" });
    config.linux.uidMappings = [{ containerID: 1000, hostID: 100000, size: 1 }];
    config.linux.gidMappings = [{ containerID: 1001, hostID: 100000, size: 1 }];
    ownedBy(bundle, 100000);
  });
  expect(text.split(/\s+/)).toEqual(["1000", "1001", "1000", "100000", "1", "written"]);
});
