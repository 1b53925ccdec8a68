/** containerd's `hosts.toml`: where the images of a registry are asked for, and whom to trust there. @see containerd's docs/hosts.md */
import { readFileSync } from "node:fs";
import { parse as parseToml } from "smol-toml";
import { dirname, join } from "../../sys/path-names.ts";
import type { Endpoint } from "./endpoints.ts";
import type { TlsOptions } from "./http.ts";

/** What the file says of a place, or of the registry itself at its top. */
type Settings = Record<string, unknown>;

/**
 * @param registry the registry itself, as it is without the file
 * @returns the mirrors that images are pulled from, in the file's order, and the registry last
 * @throws {Error} for what no such file says, with its path
 */
export function readHosts(path: string, registry: Endpoint): Endpoint[] {
  const file = new HostsFile(path);
  const document = file.parse();
  const base = document["server"] === undefined ? registry.base : file.url(document["server"], "server");
  const own: Endpoint = { ...registry, base, tls: file.tls(document, "the top", registry.tls) };
  const mirrors: Endpoint[] = [];
  for (const [name, settings] of Object.entries(file.table(document["host"], "host"))) {
    const where = `host ${JSON.stringify(name)}`;
    const place = file.place(name, file.table(settings, where), where, registry.tls);
    if (place === null) continue;
    // What is said of the registry as one of its own hosts holds for it.
    if (place.base.host === base.host) Object.assign(own, { tls: place.tls, wholePath: place.wholePath });
    else mirrors.push(place);
  }
  return [...mirrors, own];
}

class HostsFile {
  constructor(private readonly path: string) {}

  parse(): Settings {
    try {
      return parseToml(readFileSync(this.path, "utf8"));
    } catch (error) {
      return this.#refuse((error as Error).message.split("\n")[0] as string);
    }
  }

  table(value: unknown, where: string): Settings {
    if (value === undefined) return {};
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Settings)
      : this.#refuse(`${where}: must be a table`);
  }

  url(text: unknown, where: string): URL {
    const full = typeof text !== "string" ? "" : /^[a-z]+:\/\//.test(text) ? text : `https://${text}`;
    return URL.canParse(full) && /^https?:/.test(full)
      ? new URL(full)
      : this.#refuse(`${where}: must be a URL of http or https`);
  }

  /** @returns `null` for a place that images are not pulled from */
  place(name: string, settings: Settings, where: string, trusted: TlsOptions): Endpoint | null {
    const { capabilities = ["pull", "resolve"] } = settings;
    if (!Array.isArray(capabilities)) return this.#refuse(`${where}: capabilities: must be an array`);
    if (!capabilities.includes("pull") || !capabilities.includes("resolve")) return null;
    return {
      base: this.url(name, where),
      tls: this.tls(settings, where, trusted),
      mirror: true,
      wholePath: this.#flag(settings, "override_path", where),
    };
  }

  /** @param trusted what is trusted besides, and how the caller wants certificates checked */
  tls(settings: Settings, where: string, trusted: TlsOptions): TlsOptions {
    const authorities = this.#files(settings["ca"], `${where}: ca`).map((file) => this.#read(file));
    const ca = [...(trusted.ca ?? []), ...authorities];
    const client = this.#client(settings["client"], `${where}: client`);
    return {
      ...trusted,
      verify: trusted.verify && !this.#flag(settings, "skip_verify", where),
      ...(ca.length === 0 ? {} : { ca }),
      ...(client === null ? {} : client),
    };
  }

  /** A file with both, or the first of pairs: of several certificates containerd tries each, and one place wants one. */
  #client(value: unknown, where: string): Pick<TlsOptions, "cert" | "key"> | null {
    const [first] = [value ?? []].flat();
    if (first === undefined) return null;
    const [cert, key = cert] = Array.isArray(value) && Array.isArray(value[0]) ? (value[0] as unknown[]) : [first];
    const [certificate, secret] = this.#files([cert, key], where) as [string, string];
    return { cert: this.#read(certificate), key: this.#read(secret) };
  }

  #files(value: unknown, where: string): string[] {
    return [value ?? []]
      .flat()
      .map((file) => (typeof file === "string" ? file : this.#refuse(`${where}: must be the path of a file`)));
  }

  #flag(settings: Settings, name: string, where: string): boolean {
    const value = settings[name] ?? false;
    return typeof value === "boolean" ? value : this.#refuse(`${where}: ${name}: must be true or false`);
  }

  /** Paths count from the file's directory. */
  #read(file: string): string {
    try {
      return readFileSync(file.startsWith("/") ? file : join(dirname(this.path), file), "utf8");
    } catch (error) {
      return this.#refuse((error as Error).message);
    }
  }

  #refuse(what: string): never {
    throw new Error(`${this.path}: ${what}`);
  }
}
