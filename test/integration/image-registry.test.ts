/** `tsrunc image` against a real registry, seen from the other side by skopeo. */
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer as createHttpServer, type Server } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unmountBelow } from "../image/support.ts";
import { hasProgram, runtime } from "./harness.ts";
import { PASSWORD, type Registry, startRegistry, USER, whyNoRegistry } from "./registry-server.ts";

const missing = whyNoRegistry() ?? (hasProgram("skopeo") ? null : "skopeo is not installed");

let scratch: string;
let registry: Registry;
const at = (name: string) => join(scratch, name);

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

function image(args: string[], env: Record<string, string> = {}, store = "store"): Outcome {
  const [command = "", ...rest] = args;
  const withStore = ["login", "logout"].includes(command) ? [] : ["--store", at(store)];
  const {
    status: code,
    stdout,
    stderr,
  } = spawnSync(runtime, ["image", command, ...withStore, ...rest], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"], HOME: at("home"), XDG_RUNTIME_DIR: at("run"), ...env },
  });
  return { code, stdout, stderr };
}

function succeed(args: string[], env: Record<string, string> = {}, store?: string): string {
  const { code, stdout, stderr } = image(args, env, store);
  expect(stderr.includes("level=error") ? stderr : "", args.join(" ")).toBe("");
  expect(code, stderr).toBe(0);
  return stdout.trim();
}

function skopeo(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync("skopeo", args, { encoding: "utf8" });
  expect(status, stderr).toBe(0);
  return stdout;
}

beforeAll(async () => {
  if (missing !== null) return;
  scratch = mkdtempSync(join(tmpdir(), "tsrunc-registry-"));
  for (const name of ["home", "run", "rootfs/etc", "second"]) mkdirSync(at(name), { recursive: true });
  writeFileSync(at("rootfs/random"), randomBytes(3_000_000));
  writeFileSync(at("rootfs/etc/os-release"), "NAME=test\n");
  registry = await startRegistry(at("plain"));
  succeed(["import", "--quiet", "--change", 'CMD ["/bin/sh"]', at("rootfs"), `${registry.host}/team/app:1`]);
});

afterAll(() => {
  registry?.stop();
  if (scratch === undefined) return;
  unmountBelow(scratch);
  rmSync(scratch, { recursive: true, force: true });
});

describe.skipIf(missing !== null)(`a registry${missing === null ? "" : ` (skipped: ${missing})`}`, () => {
  test("has what was pushed, as skopeo sees it, and gives it back", () => {
    const [, digest] = succeed(["push", "--plain-http", `${registry.host}/team/app:1`]).split("\n");
    const seen = JSON.parse(skopeo("inspect", "--tls-verify=false", `docker://${registry.host}/team/app:1`)) as {
      Digest: string;
    };
    expect(seen.Digest).toBe(digest);
    expect(succeed(["pull", "--plain-http", `${registry.host}/team/app:1`], {}, "other").split("\n")[1]).toBe(digest);
    skopeo("copy", "--src-tls-verify=false", `docker://${registry.host}/team/app:1`, `dir:${at("by-skopeo")}`);
    const layers = JSON.parse(readFileSync(at("by-skopeo/manifest.json"), "utf8")).layers as { digest: string }[];
    expect(existsSync(at(`other/blobs/sha256/${layers[0]?.digest.slice(7)}`))).toBe(true);
  });

  test("mounts blobs of its other repositories, and takes chunks", () => {
    const { stderr } = image(["push", "--plain-http", `${registry.host}/team/app:1`, `${registry.host}/other/app:2`]);
    expect(stderr).toContain("mounted from team/app");
    writeFileSync(at("second/x"), randomBytes(1_000_000));
    succeed(["import", "--quiet", at("second"), `${registry.host}/chunks/app:1`]);
    succeed(["push", "--plain-http", "--chunk-size", "300000", `${registry.host}/chunks/app:1`]);
    succeed(["pull", "--plain-http", `${registry.host}/chunks/app:1`], {}, "chunks");
    expect(succeed(["verify"], {}, "chunks")).toContain("all sound");
  });

  test("takes what skopeo sends, as Docker's and as OCI's", () => {
    succeed(["save", "--quiet", "-o", at("app.tar"), `${registry.host}/team/app:1`]);
    for (const format of ["v2s2", "oci"]) {
      skopeo(
        "copy",
        "--format",
        format,
        "--dest-tls-verify=false",
        `oci-archive:${at("app.tar")}`,
        `docker://${registry.host}/by/skopeo:${format}`,
      );
      succeed(["pull", "--plain-http", `${registry.host}/by/skopeo:${format}`], {}, format);
      const [inspected] = JSON.parse(succeed(["inspect", `${registry.host}/by/skopeo:${format}`], {}, format)) as {
        config: { Cmd: string[] };
      }[];
      expect(inspected?.config.Cmd).toEqual(["/bin/sh"]);
    }
  });

  test("has the image that a build wants for another platform, beside the one that the store has", () => {
    const [host, foreign] = process.arch === "arm64" ? ["arm64", "amd64"] : ["amd64", "arm64"];
    const name = `${registry.host}/team/foreign:1`;
    succeed(["import", "--quiet", "--platform", `linux/${foreign}`, at("rootfs"), name], {}, "foreign");
    succeed(["push", "--plain-http", name], {}, "foreign");
    succeed(["import", "--quiet", at("second"), name]);
    mkdirSync(at("context"), { recursive: true });
    const build = (from: string, ...args: string[]) => {
      writeFileSync(at("context/Dockerfile"), `FROM --platform=linux/${foreign} ${from}\n`);
      return image(["build", "--plain-http", "--quiet", ...args, at("context")]);
    };
    expect(build(name, "--tag", "b:1")).toMatchObject({ code: 0 });
    const platformOf = (of: string) => (JSON.parse(succeed(["inspect", of])) as { platform: string }[])[0]?.platform;
    expect(platformOf("b:1")).toBe(`linux/${foreign}`);
    expect(platformOf(name)).toBe(`linux/${host}`);
    succeed(["import", "--quiet", at("second"), `${registry.host}/team/none:1`]);
    const { code, stderr } = build(`${registry.host}/team/none:1`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/is for linux\/\w+, not for linux\/\w+, and such an image cannot be fetched: .*team\/none/);
  });

  test.each(["oci-archive", "docker-archive", "oci-dir"])(
    "saves as %s what skopeo reads, and loads it again",
    (format) => {
      const path = at(`saved-${format}`);
      succeed(["save", "--quiet", "--format", format, "-o", path, `${registry.host}/team/app:1`]);
      const transport = format === "oci-dir" ? "oci" : format;
      const seen = JSON.parse(skopeo("inspect", "--config", `${transport}:${path}`)) as { config: { Cmd: string[] } };
      expect(seen.config.Cmd).toEqual(["/bin/sh"]);
      expect(succeed(["load", "--quiet", path], {}, `loaded-${format}`)).toBe(`Loaded: ${registry.host}/team/app:1`);
      expect(succeed(["verify"], {}, `loaded-${format}`)).toContain("all sound");
      expect(readdirSync(scratch).filter((name) => name.endsWith(".partial"))).toEqual([]);
    },
  );

  test.each([
    ["oci", "oci:", "a:1"],
    ["oci-archive", "oci-archive:", "a:1"],
    ["docker-archive", "docker-archive:", "a/b:1"],
    ["dir", "dir:", ""],
  ])("loads what skopeo writes as %s", (name, transport, reference) => {
    const path = at(`skopeo-${name}`);
    skopeo(
      "copy",
      "--src-tls-verify=false",
      `docker://${registry.host}/team/app:1`,
      `${transport}${path}${reference === "" ? "" : `:${reference}`}`,
    );
    expect(succeed(["load", "--quiet", path], {}, `from-${name}`)).toMatch(/^Loaded: /);
    expect(succeed(["verify"], {}, `from-${name}`)).toContain("all sound");
  });

  test("is an OCI layout that skopeo reads", () => {
    const seen = JSON.parse(skopeo("inspect", `oci:${at("store")}:${registry.host}/team/app:1`)) as {
      Layers: string[];
    };
    expect(seen.Layers).toHaveLength(1);
  });

  test("goes on with an interrupted pull", async () => {
    const store = at("interrupted");
    // A partial that was there before counts as fetched: the registry's log would show one request for the rest only.
    succeed(["pull", "--plain-http", `${registry.host}/team/app:1`], {}, "interrupted");
    const [{ layers: [layer] = [] } = {}] = JSON.parse(
      succeed(["inspect", `${registry.host}/team/app:1`], {}, "interrupted"),
    ) as { layers: { digest: string; size: number }[] }[];
    const hex = layer?.digest.slice(7) ?? "";
    const whole = readFileSync(join(store, "blobs/sha256", hex));
    succeed(["rm", `${registry.host}/team/app:1`], {}, "interrupted");
    writeFileSync(join(store, `ingest/sha256-${hex}`), whole.subarray(0, 1_000_000));
    succeed(["pull", "--plain-http", `${registry.host}/team/app:1`], {}, "interrupted");
    expect(readFileSync(join(store, "blobs/sha256", hex)).equals(whole)).toBe(true);
  });

  test("goes through a proxy that the environment names, unless it says not to", async () => {
    const seen: string[] = [];
    const proxy: Server = createHttpServer((request, response) => {
      seen.push(request.url ?? "");
      const url = new URL(request.url ?? "");
      const socket = connect(Number(url.port), "127.0.0.1", () => {
        socket.write(
          `${request.method} ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\nconnection: close\r\naccept: ${request.headers.accept ?? "*/*"}\r\n\r\n`,
        );
        socket.pipe(response.socket as NodeJS.WritableStream);
      });
    });
    await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
    const address = proxy.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    const pull = (env: Record<string, string>) =>
      new Promise<number | null>((done) => {
        const child = spawn(
          runtime,
          [
            "image",
            "pull",
            "-q",
            "--store",
            at(`proxy-${seen.length}`),
            "--retries",
            "0",
            "--plain-http",
            `${registry.host}/team/app:1`,
          ],
          {
            env: { PATH: process.env["PATH"] ?? "", HOME: at("home"), ...env },
            stdio: "ignore",
          },
        );
        child.on("close", done);
      });
    await pull({ HTTP_PROXY: url, NO_PROXY: "localhost" });
    expect(seen).toEqual([]);
    await pull({ http_proxy: url });
    expect(seen.some((one) => one.includes("/manifests/1"))).toBe(true);
    proxy.close();
  });

  test("lets two processes pull, tag, remove and prune at once", async () => {
    const reference = `${registry.host}/team/app:1`;
    const start = (...args: string[]) =>
      new Promise<number | null>((done) => {
        const [name = "", ...rest] = args;
        spawn(runtime, ["image", name, "--store", at("both"), ...rest], {
          stdio: "ignore",
          env: { PATH: process.env["PATH"] ?? "", HOME: at("home") },
        }).on("close", done);
      });
    for (let round = 0; round < 4; round++) {
      const pulls = Array.from({ length: 3 }, () => start("pull", "-q", "--plain-http", reference));
      const prunes = Array.from({ length: 2 }, () => start("prune"));
      expect(await Promise.all(pulls)).toEqual([0, 0, 0]);
      expect(await Promise.all(prunes)).toEqual([0, 0]);
      expect(succeed(["verify"], {}, "both")).toContain("1 images, 3 contents");
      await Promise.all([start("rm", "--force", reference), start("rm", "--force", reference)]);
    }
  }, 120_000);

  test("names what is damaged, and the images it belongs to; pulling again mends it", () => {
    const reference = `${registry.host}/team/app:1`;
    succeed(["pull", "--plain-http", reference], {}, "damaged");
    const [{ layers: [layer] = [] } = {}] = JSON.parse(succeed(["inspect", reference], {}, "damaged")) as {
      layers: { digest: string }[];
    }[];
    const path = at(`damaged/blobs/sha256/${layer?.digest.slice(7)}`);
    const bytes = readFileSync(path);
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const { code, stdout } = image(["verify"], {}, "damaged");
    expect(code).toBe(1);
    expect(stdout).toContain(`${reference}: ${path}: damaged`);
    succeed(["pull", "--plain-http", reference], {}, "damaged");
    expect(succeed(["verify"], {}, "damaged")).toContain("all sound");
    expect(statSync(path).size).toBe(bytes.length);
  });
});

const insecure = missing ?? whyNoRegistry(true);
describe.skipIf(insecure !== null)(
  `a registry with TLS and a user${insecure === null ? "" : ` (skipped: ${insecure})`}`,
  () => {
    let secure: Registry;
    beforeAll(async () => {
      secure = await startRegistry(at("secure"), "user");
      cpSync(secure.certificates, at("client"), {
        recursive: true,
        filter: (source) => !source.endsWith("server.pem"),
      });
    });
    afterAll(() => secure?.stop());

    test("is refused without its authority, and without a user", () => {
      const push = ["push", `${registry.host}/team/app:1`, `${secure.host}/team/app:1`, "--retries", "0"];
      expect(image(push).stderr).toContain("its certificate is not trusted");
      expect(image([...push, "--cert-dir", at("client")]).stderr).toContain("wants a user and a password");
      expect(image([...push, "--cert-dir", at("client"), "--creds", "someone:wrong"]).stderr).toContain(
        "access denied",
      );
      expect(image([...push, "--tls-verify=false", "--creds", `${USER}:${PASSWORD}`]).code).toBe(0);
    });

    test("login keeps what skopeo reads, and logout forgets it", () => {
      const authFile = at("auth.json");
      const env = { REGISTRY_AUTH_FILE: authFile };
      writeFileSync(authFile, "{}");
      const wrong = image(["login", "--cert-dir", at("client"), "-u", USER, "-p", "wrong", secure.host], env);
      expect(wrong.code).toBe(1);
      for (const host of ["127.0.0.1:0", "127.0.0.1:65536", "a..b", "999.999.999.999"]) {
        const nowhere = image(["login", "-u", USER, "-p", PASSWORD, host], env);
        expect(nowhere.code, host).toBe(1);
        expect(nowhere.stderr).toMatch(/is no registry: .*host\[:port\] is expected/);
      }
      expect(readFileSync(authFile, "utf8")).toBe("{}");
      succeed(["login", "--cert-dir", at("client"), "-u", USER, "-p", PASSWORD, secure.host], env);
      expect(statSync(authFile).mode & 0o777).toBe(0o600);
      skopeo("inspect", "--authfile", authFile, "--cert-dir", at("client"), `docker://${secure.host}/team/app:1`);
      succeed(["pull", "--cert-dir", at("client"), `${secure.host}/team/app:1`], env, "secure-store");
      succeed(["logout", secure.host], env);
      expect(
        image(["pull", "--cert-dir", at("client"), "--retries", "0", `${secure.host}/team/app:1`], env, "secure-store")
          .stderr,
      ).toContain("wants a user");
    });

    test("is asked with the credentials of skopeo's login, and of a helper", () => {
      const authFile = at("skopeo-auth.json");
      skopeo("login", "--authfile", authFile, "--cert-dir", at("client"), "-u", USER, "-p", PASSWORD, secure.host);
      succeed(
        ["pull", "--cert-dir", at("client"), "--authfile", authFile, `${secure.host}/team/app:1`],
        {},
        "by-skopeo-login",
      );
      mkdirSync(at("bin"), { recursive: true });
      const reply = JSON.stringify({ ServerURL: secure.host, Username: USER, Secret: PASSWORD });
      writeFileSync(
        at("bin/docker-credential-test"),
        `#!/bin/sh\nread host\n[ "$1 $host" = "get ${secure.host}" ] && echo '${reply}'\n`,
        { mode: 0o755 },
      );
      writeFileSync(
        at("helper.json"),
        JSON.stringify({ auths: { [secure.host]: {} }, credHelpers: { [secure.host]: "test" } }),
      );
      const env = { PATH: `${at("bin")}:${process.env["PATH"]}` };
      succeed(
        ["pull", "--cert-dir", at("client"), "--authfile", at("helper.json"), `${secure.host}/team/app:1`],
        env,
        "by-helper",
      );
      const unreadable = image(["pull", "--authfile", at("not-there.json"), `${secure.host}/team/app:1`]);
      expect(unreadable.stderr).toContain("not-there.json: cannot be read for credentials");
    });

    test("is found behind a mirror, and without the mirror when that has gone", () => {
      const directory = at("home/.config/containers/certs.d/registry.invalid");
      mkdirSync(directory, { recursive: true });
      writeFileSync(
        join(directory, "hosts.toml"),
        `server = "http://${registry.host}"\n[host."http://127.0.0.1:1"]\n[host."https://${secure.host}"]\nca = "${at("client/ca.crt")}"\n`,
      );
      writeFileSync(
        at("mirror.json"),
        JSON.stringify({ auths: { [secure.host]: { auth: Buffer.from(`${USER}:${PASSWORD}`).toString("base64") } } }),
      );
      const { code, stderr } = image(
        ["pull", "--authfile", at("mirror.json"), "registry.invalid/team/app:1"],
        {},
        "mirrored",
      );
      expect(stderr).toContain("mirror 127.0.0.1:1 is passed over");
      expect(code).toBe(0);
      expect(succeed(["list", "--format", "json"], {}, "mirrored")).toContain('"registry.invalid/team/app:1"');
    });
  },
);

describe.skipIf(insecure !== null)(
  `a registry that wants its clients' certificates${insecure === null ? "" : ` (skipped: ${insecure})`}`,
  () => {
    let secure: Registry;
    const host = () => secure.host;
    beforeAll(async () => {
      secure = await startRegistry(at("mutual"), "certificate");
      const directory = at(`home/.config/containers/certs.d/${secure.host}`);
      mkdirSync(directory, { recursive: true });
      for (const name of ["ca.crt", "client.cert", "client.key"])
        cpSync(join(secure.certificates, name), join(directory, name));
      cpSync(directory, at("by-option"), { recursive: true });
      cpSync(directory, at("without-key"), { recursive: true, filter: (source) => !source.endsWith(".key") });
      mkdirSync(at("authority-alone"));
      cpSync(join(directory, "ca.crt"), at("authority-alone/ca.crt"));
    });
    afterAll(() => secure?.stop());

    test("gets the one of certs.d, of --cert-dir, and of hosts.toml", () => {
      succeed(["push", `${registry.host}/team/app:1`, `${host()}/team/app:1`]);
      succeed(["pull", `${host()}/team/app:1`], {}, "by-certs-d");
      succeed(["pull", "--cert-dir", at("by-option"), `${host()}/team/app:1`], {}, "by-cert-dir");
      mkdirSync(at("by-hosts"));
      for (const name of ["ca.crt", "client.cert", "client.key"])
        cpSync(join(secure.certificates, name), join(at("by-hosts"), `${name}.pem`));
      writeFileSync(
        at("by-hosts/hosts.toml"),
        `[host."https://${host()}"]\nca = "ca.crt.pem"\nclient = [["client.cert.pem", "client.key.pem"]]\n`,
      );
      succeed(["pull", "--cert-dir", at("by-hosts"), `${host()}/team/app:1`], {}, "by-hosts-file");
      for (const store of ["by-certs-d", "by-cert-dir", "by-hosts-file"])
        expect(succeed(["list"], {}, store)).toContain("team/app");
    });

    test("refuses a client without one, which is told what may be missing", () => {
      const pull = (directory: string) =>
        image(["pull", "--retries", "0", "--cert-dir", at(directory), `${host()}/team/app:1`], {}, "refused");
      const without = pull("authority-alone");
      expect(without.code).toBe(1);
      expect(without.stderr).toContain("wants a certificate of its client");
      expect(without.stderr.trim().split("\n")).toHaveLength(1);
      expect(pull("without-key").stderr).toContain("client.cert has no client.key beside it");
    });
  },
);

describe.skipIf(insecure !== null)(
  `a proxy of connections${insecure === null ? "" : ` (skipped: ${insecure})`}`,
  () => {
    let secure: Registry;
    let proxy: ConnectProxy;
    beforeAll(async () => {
      secure = await startRegistry(at("proxied"), "user");
      const push = ["push", "--cert-dir", secure.certificates, "--creds", `${USER}:${PASSWORD}`];
      succeed([...push, `${registry.host}/team/app:1`, `${secure.host}/team/app:1`]);
      proxy = await ConnectProxy.start();
    });
    afterAll(() => {
      secure?.stop();
      proxy?.stop();
    });
    let pulls = 0;
    const pull = (env: Record<string, string>) => {
      proxy.seen.length = 0;
      const options = ["--cert-dir", secure.certificates, "--creds", `${USER}:${PASSWORD}`, "--retries", "0"];
      const args = [
        "image",
        "pull",
        "-q",
        "--store",
        at(`by-proxy-${pulls++}`),
        ...options,
        `${secure.host}/team/app:1`,
      ];
      return new Promise<{ code: number | null; stderr: string }>((done) => {
        const child = spawn(runtime, args, { env: { PATH: process.env["PATH"] ?? "", HOME: at("home"), ...env } });
        let stderr = "";
        child.stderr.on("data", (chunk) => {
          stderr += chunk;
        });
        child.on("close", (code) => done({ code, stderr }));
      });
    };

    test.each(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])("that %s names carries TLS", async (name) => {
      expect(await pull({ [name]: proxy.url })).toEqual({ code: 0, stderr: "" });
      expect(proxy.seen.length).toBeGreaterThan(0);
      expect(new Set(proxy.seen)).toEqual(new Set([secure.host]));
    });

    test.each([
      ["NO_PROXY", () => "localhost"],
      ["no_proxy", () => `other, ${secure.host}`],
      ["NO_PROXY", () => "*"],
    ])("is left aside where %s says so (%#)", async (name, hosts) => {
      expect((await pull({ HTTPS_PROXY: proxy.url, [name]: hosts() })).code).toBe(0);
      expect(succeed(["list"], {}, `by-proxy-${pulls - 1}`)).toContain("team/app");
      expect(proxy.seen).toEqual([]);
    });

    test("gets the user and password that its URL has, and shows neither", async () => {
      const url = new URL(proxy.url);
      [url.username, url.password] = ["me", "secret"];
      proxy.wants = `Basic ${Buffer.from("me:secret").toString("base64")}`;
      expect((await pull({ HTTPS_PROXY: url.href })).code).toBe(0);
      url.password = "wrong-one";
      const { code, stderr } = await pull({ HTTPS_PROXY: url.href });
      proxy.wants = null;
      expect(code).toBe(1);
      expect(stderr).toContain(`the proxy ${url.host} answered 407`);
      expect(stderr).not.toContain("wrong-one");
      expect(stderr.trim().split("\n")).toHaveLength(1);
    });

    test("that is not there is named", async () => {
      const { code, stderr } = await pull({ HTTPS_PROXY: "http://me:secret@127.0.0.1:1" });
      expect(code).toBe(1);
      expect(stderr).toContain("the proxy 127.0.0.1:1");
      expect(stderr).not.toContain("secret");
    });
  },
);

/** Carries connections to where CONNECT says. @see RFC 9110, section 9.3.6 */
class ConnectProxy {
  /** `host:port`, for each connection. */
  readonly seen: string[] = [];
  /** What Proxy-Authorization must be. */
  wants: string | null = null;

  private constructor(private readonly server: Server) {
    server.on("connect", (request, client) => {
      if (this.wants !== null && request.headers["proxy-authorization"] !== this.wants)
        return void client.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
      this.seen.push(request.url ?? "");
      const remote = connect(Number(request.url?.split(":")[1]), "127.0.0.1", () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        remote.pipe(client).pipe(remote);
      });
      remote.on("error", () => client.destroy());
      client.on("error", () => remote.destroy());
    });
  }

  static async start(): Promise<ConnectProxy> {
    const server = createHttpServer();
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return new ConnectProxy(server);
  }

  get url(): string {
    const address = this.server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
