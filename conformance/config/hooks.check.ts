/** config.md, "POSIX-platform Hooks": where, when, in which order, with which input, and what their failure does. */
import { chmodSync, existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { check } from "../harness/check.ts";
import type { Hook, HookKind } from "../harness/spec.ts";
import { type Bundle, type Edit, type Subject, until } from "../harness/subject.ts";

const KINDS: readonly HookKind[] = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
];

const SECTIONS: Readonly<Record<HookKind, string>> = {
  prestart: "prestart",
  createRuntime: "create-runtime",
  createContainer: "create-container",
  startContainer: "start-container",
  poststart: "poststart",
  poststop: "poststop",
};

/** Kinds whose hooks run in the runtime's namespaces. */
const OUTSIDE: readonly HookKind[] = ["prestart", "createRuntime", "poststart", "poststop"];

/** The requirement that says that hooks of a kind are called. */
function invoked(kind: HookKind): string {
  return `runtime/lifecycle-${kind.toLowerCase()}-hooks-invoked`;
}

/**
 * A hook that appends a line to a file. `startContainer` finds its program, and the file, in the container's root.
 * @param script sees the file as `$log`
 */
function hook(kind: HookKind, bundle: Bundle, script: string): Hook {
  const log = kind === "startContainer" ? "/log" : join(bundle.rootfs, "log");
  return { path: "/bin/sh", args: ["sh", "-c", script], env: ["PATH=/bin:/usr/bin:/sbin:/usr/sbin", `log=${log}`] };
}

/** A bundle whose hooks of all kinds write their kind's name. */
function logging(subject: Subject, edit: Edit = () => {}): Bundle {
  return subject.bundle("echo program >> /log", (spec, bundle) => {
    writeFileSync(join(bundle.rootfs, "log"), "");
    chmodSync(join(bundle.rootfs, "log"), 0o666);
    spec.hooks = Object.fromEntries(KINDS.map((kind) => [kind, [hook(kind, bundle, `echo ${kind} >> "$log"`)]]));
    edit(spec, bundle);
  });
}

function log(bundle: Bundle): string[] {
  return readFileSync(join(bundle.rootfs, "log"), "utf8").split("\n").filter(Boolean);
}

for (const kind of KINDS) {
  check(invoked(kind), `${kind} hooks are called once in a container's life`, async (subject) => {
    const bundle = logging(subject);
    await subject.succeed(["run", "--bundle", bundle.path, subject.newId()]);
    await until("the hooks are over", () => log(bundle).includes("poststop"));
    expect(log(bundle).filter((line) => line === kind)).toEqual([kind]);
  });
}

check(
  "config/hooks-prestart-prestart-hooks-called-before",
  "hooks of all kinds come in the order of the lifecycle",
  async (subject) => {
    const bundle = logging(subject);
    const id = subject.newId();
    await subject.succeed(["create", "--bundle", bundle.path, id]);
    expect(log(bundle)).toEqual(["prestart", "createRuntime", "createContainer"]);
    await subject.succeed(["start", id]);
    await subject.untilStatus(id, "stopped");
    await subject.succeed(["delete", id]);
    const order = log(bundle).filter((line) => line !== "program" && line !== "poststart");
    expect(order).toEqual(["prestart", "createRuntime", "createContainer", "startContainer", "poststop"]);
  },
);

for (const kind of ["prestart", "createRuntime", "createContainer"] as const) {
  check(
    `config/hooks-${SECTIONS[kind]}-${kind.toLowerCase()}-hooks-called-part`,
    `${kind} hooks are over when create returns`,
    async (subject) => {
      const bundle = logging(subject);
      await subject.succeed(["create", "--bundle", bundle.path, subject.newId()]);
      expect(log(bundle)).toContain(kind);
    },
  );
}

check(
  "config/hooks-create-container-createcontainer-hooks-called-after",
  "createContainer hooks come after createRuntime hooks",
  async (subject) => {
    const bundle = logging(subject);
    await subject.succeed(["create", "--bundle", bundle.path, subject.newId()]);
    expect(log(bundle).indexOf("createContainer")).toBeGreaterThan(log(bundle).indexOf("createRuntime"));
  },
);

check(
  "config/hooks-start-container-startcontainer-hooks-called-before",
  "startContainer hooks come before the program",
  async (subject) => {
    const bundle = logging(subject);
    await subject.succeed(["run", "--bundle", bundle.path, subject.newId()]);
    expect(log(bundle).indexOf("startContainer")).toBeLessThan(log(bundle).indexOf("program"));
  },
);

check(
  "config/hooks-start-container-startcontainer-hooks-called-before",
  "startContainer hooks do not run at create",
  async (subject) => {
    const bundle = logging(subject);
    await subject.succeed(["create", "--bundle", bundle.path, subject.newId()]);
    expect(log(bundle)).toContain("createContainer");
    expect(log(bundle)).not.toContain("startContainer");
  },
);

check(
  "config/hooks-poststart-poststart-hooks-called-after",
  "poststart hooks are over when start returns",
  async (subject) => {
    const bundle = logging(subject);
    const id = subject.newId();
    await subject.succeed(["create", "--bundle", bundle.path, id]);
    expect(log(bundle)).not.toContain("poststart");
    await subject.succeed(["start", id]);
    expect(log(bundle)).toContain("poststart");
  },
);

check(
  "config/hooks-poststop-poststop-hooks-called-after",
  "poststop hooks are over when delete returns, and not before",
  async (subject) => {
    const bundle = logging(subject);
    const id = subject.newId();
    await subject.succeed(["create", "--bundle", bundle.path, id]);
    await subject.succeed(["start", id]);
    await subject.untilStatus(id, "stopped");
    expect(log(bundle)).not.toContain("poststop");
    await subject.succeed(["delete", id]);
    expect(log(bundle)).toContain("poststop");
  },
);

for (const kind of KINDS) {
  check("config/hooks-hooks-called-listed-order", `${kind} hooks are called in the listed order`, async (subject) => {
    const bundle = logging(subject, (spec, made) => {
      spec.hooks = { [kind]: [1, 2, 3].map((number) => hook(kind, made, `echo ${number} >> "$log"`)) };
    });
    await subject.succeed(["run", "--bundle", bundle.path, subject.newId()]);
    await until("three hooks", () => log(bundle).filter((line) => line !== "program").length === 3);
    expect(log(bundle).filter((line) => line !== "program")).toEqual(["1", "2", "3"]);
  });

  check("config/hooks-state-passed-hooks-over", `${kind} hooks get the container's state on stdin`, async (subject) => {
    const bundle = logging(subject, (spec, made) => {
      spec.annotations = { "com.example.hook": "yes" };
      spec.hooks = { [kind]: [hook(kind, made, 'cat >> "$log"')] };
    });
    bundle.spec.process = { ...bundle.spec.process, cwd: "/", args: ["/bin/true"] };
    subject.write(bundle);
    const id = subject.newId();
    await subject.succeed(["run", "--bundle", bundle.path, id]);
    await until("the state", () => log(bundle).length > 0);
    const state = JSON.parse(log(bundle).join("\n"));
    expect(state).toMatchObject({ id, bundle: bundle.path, annotations: { "com.example.hook": "yes" } });
    expect(state.ociVersion).toMatch(/^\d+\.\d+\.\d+/);
    expect(state.status, "the state at this time").toMatch(
      { startContainer: /^(creating|created)$/, poststart: /^running|stopped$/, poststop: /^stopped$/ }[
        kind as string
      ] ?? /^(creating|created)$/,
    );
  });

  check(
    [
      `config/hooks-${SECTIONS[kind]}-${kind.toLowerCase()}-hooks-executed-namespace`,
      `config/hooks-${kind.toLowerCase()}-hooks-executed-namespace`,
    ],
    `${kind} hooks run in the ${OUTSIDE.includes(kind) ? "runtime's" : "container's"} namespaces`,
    async (subject) => {
      const bundle = logging(subject, (spec, made) => {
        spec.hooks = { [kind]: [hook(kind, made, 'readlink /proc/self/ns/uts >> "$log"')] };
      });
      bundle.spec.process = { ...bundle.spec.process, cwd: "/", args: ["/bin/true"] };
      subject.write(bundle);
      await subject.succeed(["run", "--bundle", bundle.path, subject.newId()]);
      await until("a namespace in the log", () => log(bundle).length > 0);
      const [seen] = log(bundle);
      const ours = readlinkSync("/proc/self/ns/uts");
      if (OUTSIDE.includes(kind)) expect(seen).toBe(ours);
      else expect(seen).not.toBe(ours);
    },
  );

  check(
    "config/hooks-path-similar-semantics-ieee",
    `${kind} hooks have the arguments and the environment given`,
    async (subject) => {
      const bundle = logging(subject, (spec, made) => {
        const plain = hook(kind, made, 'echo "$0 $1 $2 $OWN $FOREIGN" >> "$log"');
        spec.hooks = {
          [kind]: [
            { ...plain, args: [...(plain.args ?? []), "zero", "one", "two"], env: [...(plain.env ?? []), "OWN=own"] },
          ],
        };
      });
      bundle.spec.process = { ...bundle.spec.process, cwd: "/", args: ["/bin/true"] };
      subject.write(bundle);
      await subject.succeed(["run", "--bundle", bundle.path, subject.newId()], { env: { FOREIGN: "foreign" } });
      await until("a line in the log", () => log(bundle).length > 0);
      expect(log(bundle)[0]?.trim()).toBe("zero one two own");
    },
  );

  check(
    "config/hooks-specification-extends-ieee-standard",
    `a ${kind} hook with a relative path is refused`,
    async (subject) => {
      const id = subject.newId();
      const bundle = logging(subject, (spec) => {
        spec.hooks = { [kind]: [{ path: "bin/true" }] };
      });
      await subject.refused(["create", "--bundle", bundle.path, id]);
    },
  );

  check("config/hooks-timeout-greater-zero", `a ${kind} hook with the timeout 0 is refused`, async (subject) => {
    const bundle = logging(subject, (spec) => {
      spec.hooks = { [kind]: [{ path: "/bin/true", timeout: 0 }] };
    });
    await subject.refused(["create", "--bundle", bundle.path, subject.newId()]);
  });
}

for (const kind of ["prestart", "createRuntime", "createContainer"] as const) {
  check(
    `runtime/lifecycle-${kind.toLowerCase()}-hook-fails-generate`,
    `a ${kind} hook that fails fails create, and no container is left`,
    async (subject) => {
      const id = subject.newId();
      const bundle = logging(subject, (spec, made) => {
        spec.hooks = {
          [kind]: [hook(kind, made, "exit 7")],
          poststop: [hook("poststop", made, 'echo poststop >> "$log"')],
        };
      });
      await subject.refused(["create", "--bundle", bundle.path, id]);
      await subject.refused(["state", id]);
    },
  );

  check(
    `runtime/lifecycle-${kind.toLowerCase()}-hook-fails-generate`,
    `no hook is called after a ${kind} hook that failed, but poststop`,
    async (subject) => {
      const bundle = logging(subject, (spec, made) => {
        spec.hooks = { ...spec.hooks, [kind]: [hook(kind, made, "exit 7"), hook(kind, made, 'echo second >> "$log"')] };
      });
      await subject.refused(["create", "--bundle", bundle.path, subject.newId()]);
      expect(log(bundle)).not.toContain("second");
      expect(log(bundle)).not.toContain("program");
    },
  );
}

check(
  "runtime/lifecycle-startcontainer-hook-fails-generate",
  "a startContainer hook that fails fails start, and the program does not run",
  async (subject) => {
    const id = subject.newId();
    const bundle = logging(subject, (spec, made) => {
      spec.hooks = { startContainer: [hook("startContainer", made, "exit 7")] };
    });
    await subject.succeed(["create", "--bundle", bundle.path, id]);
    await subject.refused(["start", id]);
    expect(log(bundle)).not.toContain("program");
    const { code, stdout } = await subject.command(["state", id]);
    if (code === 0) expect(JSON.parse(stdout).status).toBe("stopped");
  },
);

check(
  "runtime/lifecycle-poststop-hook-fails-log",
  "a poststop hook that fails does not fail delete, and the next one is called",
  async (subject) => {
    const id = subject.newId();
    const bundle = logging(subject, (spec, made) => {
      spec.hooks = { poststop: [hook("poststop", made, "exit 7"), hook("poststop", made, 'echo second >> "$log"')] };
    });
    await subject.succeed(["create", "--bundle", bundle.path, id]);
    await subject.succeed(["start", id]);
    await subject.untilStatus(id, "stopped");
    const { stderr } = await subject.succeed(["delete", id]);
    expect(log(bundle)).toContain("second");
    expect(stderr, "a warning").toMatch(/\S/);
  },
);

check(
  "config/hooks-timeout-greater-zero",
  "a hook that outlasts its timeout is ended, and fails create",
  async (subject) => {
    const bundle = logging(subject, (spec, made) => {
      spec.hooks = { createRuntime: [{ ...hook("createRuntime", made, "sleep 30"), timeout: 1 }] };
    });
    const started = Date.now();
    await subject.refused(["create", "--bundle", bundle.path, subject.newId()]);
    expect(Date.now() - started, "milliseconds").toBeLessThan(7_000);
  },
);

check("config/hooks-path-resolve-namespace", "a hook whose program is not there fails create", async (subject) => {
  const bundle = logging(subject, (spec) => {
    spec.hooks = { createRuntime: [{ path: "/no/such/hook" }] };
  });
  await subject.refused(["create", "--bundle", bundle.path, subject.newId()]);
});

check(
  ["config/hooks-start-container-startcontainer-hooks-path-resolve", "config/hooks-path-resolve-namespace-2"],
  "startContainer hooks find their program in the container's root",
  async (subject) => {
    const bundle = subject.bundle("true", (spec, made) => {
      writeFileSync(join(made.rootfs, "bin/own-hook"), "#!/bin/sh\necho own > /log\n", { mode: 0o755 });
      spec.hooks = { startContainer: [{ path: "/bin/own-hook" }] };
    });
    await subject.succeed(["run", "--bundle", bundle.path, subject.newId()]);
    expect(readFileSync(join(bundle.rootfs, "log"), "utf8")).toBe("own\n");
  },
);

for (const kind of ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] as const) {
  check(
    `config/hooks-${SECTIONS[kind]}-${kind.toLowerCase()}-hooks-path-resolve`,
    `${kind} hooks find their program on the host`,
    async (subject) => {
      const bundle = subject.bundle("true", (spec, made) => {
        const program = join(made.path, "hook");
        writeFileSync(program, `#!/bin/sh\necho host > ${made.path}/log\n`, { mode: 0o755 });
        spec.hooks = { [kind]: [{ path: program }] };
      });
      await subject.succeed(["run", "--bundle", bundle.path, subject.newId()]);
      expect(existsSync(join(bundle.path, "log"))).toBe(true);
    },
  );
}
