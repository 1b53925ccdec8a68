/** Debian's docker-registry on the loopback, for a test: plain, with TLS and a user, or with TLS and certificates of its clients. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { hasProgram } from "./harness.ts";

export const USER = "someone";
export const PASSWORD = "pass:word";

export interface Registry {
  /** `localhost:5000`. */
  host: string;
  /** With the authority's `ca.crt`, where there is TLS; `client.cert` and `client.key`, where clients need them. */
  certificates: string;
  stop(): void;
}

/** Why no registry can be started; `null` where one can. */
export function whyNoRegistry(secure = false): string | null {
  const needed = ["docker-registry", ...(secure ? ["openssl", "htpasswd"] : [])];
  const missing = needed.find((name) => !hasProgram(name));
  return missing === undefined ? null : `${missing} is not installed`;
}

/** Starts one, with its data below a directory. @param wants with TLS: {@link USER}, or a certificate; `null` for neither, without TLS */
export async function startRegistry(directory: string, wants: "user" | "certificate" | null = null): Promise<Registry> {
  const port = await freePort();
  const at = (name: string) => join(directory, name);
  const certificates = at("certificates");
  mkdirSync(certificates, { recursive: true });
  const config: string[] = [
    "version: 0.1",
    "log: {level: error}",
    `storage: {filesystem: {rootdirectory: ${at("data")}}, delete: {enabled: true}}`,
  ];
  if (wants !== null) {
    makeCertificate(certificates);
    if (wants === "user") {
      const { stdout } = spawnSync("htpasswd", ["-Bbn", USER, PASSWORD], { encoding: "utf8" });
      writeFileSync(at("htpasswd"), stdout);
      config.push(`auth: {htpasswd: {realm: test, path: ${at("htpasswd")}}}`);
    } else makeClientCertificate(certificates);
    const clients = wants === "user" ? "" : `, clientcas: [${certificates}/ca.crt]`;
    const server = `certificate: ${certificates}/ca.crt, key: ${certificates}/server.pem`;
    config.push(`http: {addr: "127.0.0.1:${port}", tls: {${server}${clients}}}`);
  } else {
    config.push(`http: {addr: "127.0.0.1:${port}"}`);
  }
  writeFileSync(at("registry.yml"), config.join("\n"));
  const server: ChildProcess = spawn("docker-registry", ["serve", at("registry.yml")], { stdio: "ignore" });
  await reachable(port);
  return { host: `localhost:${port}`, certificates, stop: () => void server.kill("SIGKILL") };
}

function makeCertificate(directory: string): void {
  const key = join(directory, "server.pem");
  const args = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=localhost",
  ];
  spawnSync("openssl", [
    ...args,
    "-addext",
    "subjectAltName=DNS:localhost,IP:127.0.0.1",
    "-keyout",
    key,
    "-out",
    join(directory, "ca.crt"),
  ]);
  chmodSync(key, 0o600);
}

/** Of the authority that the server's own certificate is, too. */
function makeClientCertificate(directory: string): void {
  const at = (name: string) => join(directory, name);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", at("client.key")];
  spawnSync("openssl", ["req", "-new", ...key, "-subj", "/CN=client", "-out", at("client.csr")]);
  const authority = ["-CA", at("ca.crt"), "-CAkey", at("server.pem"), "-CAcreateserial"];
  spawnSync("openssl", [
    "x509",
    "-req",
    "-days",
    "2",
    "-in",
    at("client.csr"),
    ...authority,
    "-out",
    at("client.cert"),
  ]);
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

async function reachable(port: number): Promise<void> {
  const { connect } = await import("node:net");
  for (let tries = 0; tries < 200; tries++) {
    const ok = await new Promise<boolean>((done) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        done(true);
      });
      socket.on("error", () => done(false));
    });
    if (ok) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error("docker-registry does not listen");
}
