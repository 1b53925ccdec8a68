/** Instructions that change an image's configuration, as `docker import --change` takes them. */
import type { ExecutionConfig } from "../store/documents.ts";

/**
 * Applies one instruction.
 * @throws {Error} for one that is not known, or that cannot be read
 */
export function applyChange(config: ExecutionConfig, instruction: string): void {
  const match = /^\s*([A-Za-z]+)\s+(.*\S)\s*$/s.exec(instruction);
  const name = match?.[1]?.toUpperCase() ?? "";
  const change = Object.hasOwn(CHANGES, name) ? CHANGES[name] : undefined;
  if (match === null || change === undefined) {
    throw new Error(`${JSON.stringify(instruction)}: ${Object.keys(CHANGES).join(", ")} and a value are expected`);
  }
  try {
    change(config, match[2] as string);
  } catch (error) {
    throw new Error(`${JSON.stringify(instruction)}: ${(error as Error).message}`);
  }
}

const CHANGES: Readonly<Record<string, (config: ExecutionConfig, value: string) => void>> = {
  CMD: (config, value) => {
    config.Cmd = command(value);
  },
  ENTRYPOINT: (config, value) => {
    config.Entrypoint = command(value);
  },
  ENV: (config, value) => {
    const [name, content] = pair(value);
    config.Env = [...(config.Env ?? []).filter((one) => !one.startsWith(`${name}=`)), `${name}=${content}`];
  },
  EXPOSE: (config, value) => {
    for (const port of value.split(/\s+/)) {
      if (!/^\d{1,5}(-\d{1,5})?(\/(tcp|udp|sctp))?$/.test(port))
        throw new Error(`${port}: port[/tcp|udp|sctp] is expected`);
      config.ExposedPorts = { ...config.ExposedPorts, [port.includes("/") ? port : `${port}/tcp`]: {} };
    }
  },
  LABEL: (config, value) => {
    const [name, content] = pair(value);
    config.Labels = { ...config.Labels, [name]: content };
  },
  STOPSIGNAL: (config, value) => {
    config.StopSignal = value;
  },
  USER: (config, value) => {
    config.User = value;
  },
  VOLUME: (config, value) => {
    for (const path of array(value) ?? value.split(/\s+/)) config.Volumes = { ...config.Volumes, [path]: {} };
  },
  WORKDIR: (config, value) => {
    if (!value.startsWith("/")) throw new Error("an absolute path is expected");
    config.WorkingDir = value;
  },
};

/** The array form, or a command for the shell. */
function command(value: string): string[] {
  return array(value) ?? ["/bin/sh", "-c", value];
}

function array(value: string): string[] | null {
  if (!value.startsWith("[")) return null;
  const parsed: unknown = JSON.parse(value);
  if (Array.isArray(parsed) && parsed.every((item) => typeof item === "string")) return parsed as string[];
  throw new Error("an array of strings is expected");
}

/** `NAME=value`, the value in quotes perhaps. */
function pair(value: string): [string, string] {
  const match = /^([^\s=]+)=(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(.*))$/s.exec(value);
  if (match === null) throw new Error("NAME=value is expected");
  return [match[1] as string, match[2]?.replace(/\\(.)/g, "$1") ?? match[3] ?? match[4] ?? ""];
}
