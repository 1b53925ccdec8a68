/** Platforms: which of an index's images runs here. @see image-spec, image-index.md, and Go's GOOS, GOARCH and GOARM */
import { orNull } from "../../sys/error.ts";
import { readText } from "../../sys/file.ts";
import type { Descriptor, Platform } from "./documents.ts";

/** Go's names for what uname(2), Debian and people call it. */
const ARCHITECTURES: Readonly<Record<string, Pick<Platform, "architecture" | "variant">>> = {
  x86_64: { architecture: "amd64" },
  "x86-64": { architecture: "amd64" },
  x64: { architecture: "amd64" },
  i386: { architecture: "386" },
  i686: { architecture: "386" },
  ia32: { architecture: "386" },
  aarch64: { architecture: "arm64" },
  armhf: { architecture: "arm", variant: "v7" },
  armel: { architecture: "arm", variant: "v6" },
  armv5: { architecture: "arm", variant: "v5" },
  armv6: { architecture: "arm", variant: "v6" },
  armv6l: { architecture: "arm", variant: "v6" },
  armv7: { architecture: "arm", variant: "v7" },
  armv7l: { architecture: "arm", variant: "v7" },
  ppc64el: { architecture: "ppc64le" },
  mipsel: { architecture: "mipsle" },
  mips64el: { architecture: "mips64le" },
};

/** The platform of this machine, as what is made here is for: without a variant, it runs on all of them. */
export function hostPlatform(): Platform {
  return canonical({ os: "linux", architecture: process.arch });
}

/** What this machine's processor runs: the platform with the newest variant of it. */
export function machinePlatform(): Platform {
  const host = hostPlatform();
  if (host.architecture !== "amd64") return host;
  return canonical({ ...host, variant: `v${levelOf(orNull(() => readText("/proc/cpuinfo")) ?? "")}` });
}

/** What each level of x86-64 has beyond the one before, as Linux calls it. @see the x86-64 psABI, "Micro-Architecture Levels" */
const LEVELS = [
  "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3",
  "abm avx avx2 bmi1 bmi2 f16c fma movbe xsave",
  "avx512bw avx512cd avx512dq avx512f avx512vl",
];

/** The level of x86-64. @param cpuinfo `/proc/cpuinfo` */
export function levelOf(cpuinfo: string): number {
  const flags = new Set((/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1] ?? "").split(" "));
  const missing = LEVELS.findIndex((level) => level.split(" ").some((flag) => !flags.has(flag)));
  return missing === -1 ? LEVELS.length + 1 : missing + 1;
}

/**
 * Reads `--platform`: `os/architecture[/variant]`, or an architecture alone.
 * @throws {Error}
 */
export function parsePlatform(text: string): Platform {
  const parts = text.split("/");
  if (parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(part))) {
    throw new Error(
      `invalid platform ${JSON.stringify(text)}: os/architecture[/variant] is expected, such as linux/arm64/v8`,
    );
  }
  const [first = "", second, variant] = parts;
  if (second === undefined) return canonical({ os: "linux", architecture: first });
  return canonical({ os: first.toLowerCase(), architecture: second, ...(variant === undefined ? {} : { variant }) });
}

/** Go's spelling; the one variant of arm64 that there was for years is named by leaving it out. */
function canonical(platform: Platform): Platform {
  const name = platform.architecture.toLowerCase();
  const known = Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined;
  const { architecture, variant } = { ...(known ?? { architecture: name }), ...variantOf(platform) } as Platform;
  if (!variant || (architecture === "arm64" && variant === "v8") || (architecture === "amd64" && variant === "v1")) {
    return { ...without(platform), architecture };
  }
  return { ...without(platform), architecture, variant };
}

function variantOf({ variant }: Platform): { variant?: string } {
  if (!variant) return {};
  // "8" for "v8", as some builders write it.
  return { variant: /^\d/.test(variant) ? `v${variant}` : variant.toLowerCase() };
}

function without({ variant: _, architecture: __, ...rest }: Platform): Omit<Platform, "architecture" | "variant"> {
  return rest;
}

/** A platform as people write it: `linux/arm/v7`. */
export function formatPlatform({
  os,
  architecture,
  variant,
}: Pick<Platform, "os" | "architecture" | "variant">): string {
  return [os, architecture, ...(variant ? [variant] : [])].join("/");
}

/** What processors run besides their own, all but a few of them. @see containerd's platforms.Only, which Docker goes by */
const ALSO_RUNS: Readonly<Record<string, string>> = { amd64: "386", arm64: "arm" };

/**
 * What to say of an image that this machine does not run by itself, where nobody has asked for its platform; `null` for one that it runs. With an
 * emulator of binfmt_misc, or to be copied from, it may be what is wanted.
 */
export function foreignWarning(label: string, image: Platform): string | null {
  const host = machinePlatform();
  const { os, architecture } = canonical(image);
  if (fitness(image, host) !== null || (os === host.os && architecture === ALSO_RUNS[host.architecture])) return null;
  const own = formatPlatform(architecture === host.architecture ? host : hostPlatform());
  const its = formatPlatform(image);
  return `${label}: the image's platform (${its}) does not match this machine's (${own}), and none was asked for (--platform ${its} does)`;
}

/**
 * How well an image for one platform runs on another: the lower the better; `null` when it does not.
 * A processor runs what was made for an older variant of its architecture, and never what was made for a newer one.
 */
export function fitness(offered: Platform, wanted: Platform): number | null {
  const [image, host] = [canonical(offered), canonical(wanted)];
  if (image.os !== host.os || image.architecture !== host.architecture) return null;
  const versions = [image, host].map(({ architecture, variant }) => version(architecture, variant));
  const [has = null, runs = null] = versions;
  if (has === null || runs === null) return !image.variant || image.variant === host.variant ? 0 : null;
  return has > runs ? null : runs - has;
}

/** @param wanted `undefined`: any will do @throws {Error} for an image that is for another platform */
export function refuseForeign(image: Platform, wanted: Platform | undefined, label: string): void {
  if (wanted === undefined || fitness(image, wanted) !== null) return;
  throw new Error(`${label}: is for ${formatPlatform(image)}, not for ${formatPlatform(wanted)}`);
}

/** The number of a variant; `null` for one that has none. Without a variant: the oldest that is meant by that, and of arm the newest. */
function version(architecture: string, variant: string | null | undefined): number | null {
  if (!variant) return { arm: 7, arm64: 8, amd64: 1 }[architecture] ?? null;
  const match = /^v(\d+)(?:\.(\d+))?$/.exec(variant);
  return match === null ? null : Number(match[1]) + Number(match[2] ?? 0) / 100;
}

/** What is no image to run, such as an attestation, which has no platform on purpose. */
export function isRunnable({ platform, annotations }: Descriptor): boolean {
  if (annotations?.["vnd.docker.reference.type"] !== undefined) return false;
  return platform?.os !== "unknown" || platform.architecture !== "unknown";
}
