/**
 * The probe: a script for the container's shell that says what a process there sees, as JSON, and what the checks read of it.
 *
 * It needs nothing but busybox, so that it runs in whatever the runtime under test has made of the root filesystem.
 */

/** What a process in the container sees. */
export interface Sight {
  args: string[];
  cwd: string;
  env: Record<string, string>;
  hostname: string;
  domainname: string;
  pid: number;
  umask: string;
  /** Lines of `/proc/self/status`, by name: `Uid`, `Groups`, `CapEff`, `NoNewPrivs`, `Seccomp`, … */
  status: Record<string, string>;
  /** `/proc/self/limits`: name to soft and hard limit, `unlimited` or a number as text. */
  limits: Record<string, [soft: string, hard: string]>;
  /** Links below `/proc/self/ns`. */
  namespaces: Record<string, string>;
  mounts: Mount[];
  /** Descriptors of the shell that are open. */
  descriptors: string[];
  oomScoreAdj: string;
  cgroup: string[];
}

/** A line of `/proc/self/mountinfo`. */
export interface Mount {
  root: string;
  destination: string;
  /** Per-mount options. */
  options: string[];
  /** Optional fields: `shared:1`, `master:2`, `unbindable`. */
  propagation: string[];
  type: string;
  source: string;
  /** Options of the filesystem. */
  superOptions: string[];
}

/** Prints one JSON object; what cannot be read is `""`. `$0` and the arguments are those of the script itself. */
export const PROBE = String.raw`
text() { awk 'BEGIN { ORS = "" } { gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); gsub(/\t/, "\\t"); gsub(/[[:cntrl:]]/, "?"); if (NR > 1) print "\\n"; print }'; }
quoted() { printf '"'; printf '%s' "$1" | text; printf '"'; }
file() { printf '"'; cat "$1" 2>/dev/null | tr '\0' '\n' | text; printf '"'; }
# No pipe and no listing is open any more when the links are looked at.
descriptors=; for each in /proc/$$/fd/*; do [ -h "$each" ] && descriptors="$descriptors \${each##*/}"; done
printf '{"args":['; comma=; for each in "$@"; do printf '%s' "$comma"; quoted "$each"; comma=,; done
printf '],"cwd":'; quoted "$(pwd)"
printf ',"hostname":'; quoted "$(hostname 2>/dev/null)"
printf ',"domainname":'; file /proc/sys/kernel/domainname
printf ',"pid":%d,"umask":"%s"' $$ "$(umask)"
printf ',"environ":'; file /proc/$$/environ
printf ',"status":'; file /proc/$$/status
printf ',"limits":'; file /proc/$$/limits
printf ',"mountinfo":'; file /proc/$$/mountinfo
printf ',"oomScoreAdj":'; file /proc/$$/oom_score_adj
printf ',"cgroup":'; file /proc/$$/cgroup
printf ',"namespaces":'; quoted "$(for each in /proc/$$/ns/*; do printf '%s=%s\n' "\${each##*/}" "$(readlink $each)"; done)"
printf ',"descriptors":'; quoted "$descriptors"
printf '}\n'
`.replaceAll("\\$", "$");

/** @throws {Error} with the output, when it is not what the probe prints */
export function readSight(output: string): Sight {
  let raw: Record<string, string> & { args: string[]; pid: number };
  try {
    raw = JSON.parse(output);
  } catch {
    throw new Error(
      `the probe in the container was expected to print JSON, and the output was ${JSON.stringify(output)}`,
    );
  }
  const lines = (name: string): string[] => (raw[name] ?? "").split("\n").filter((line) => line !== "");
  return {
    args: raw.args,
    cwd: raw["cwd"] as string,
    env: pairs(lines("environ"), "="),
    hostname: raw["hostname"] as string,
    domainname: (raw["domainname"] ?? "").trim(),
    pid: raw.pid,
    umask: raw["umask"] as string,
    status: pairs(lines("status"), ":"),
    limits: Object.fromEntries(lines("limits").slice(1).map(limit)),
    namespaces: pairs(lines("namespaces"), "="),
    mounts: lines("mountinfo").map(mount),
    descriptors: (raw["descriptors"] ?? "").split(" ").filter((name) => name !== ""),
    oomScoreAdj: (raw["oomScoreAdj"] ?? "").trim(),
    cgroup: lines("cgroup"),
  };
}

function pairs(lines: readonly string[], separator: string): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf(separator);
      return [line.slice(0, at), line.slice(at + 1).trim()];
    }),
  );
}

function limit(line: string): [string, [string, string]] {
  const [, name = "", soft = "", hard = ""] = /^(.*?)\s{2,}(\S+)\s+(\S+)/.exec(line) ?? [];
  return [name, [soft, hard]];
}

function mount(line: string): Mount {
  const fields = line.split(" ");
  const end = fields.indexOf("-");
  return {
    root: fields[3] ?? "",
    destination: fields[4] ?? "",
    options: (fields[5] ?? "").split(","),
    propagation: fields.slice(6, end),
    type: fields[end + 1] ?? "",
    source: fields[end + 2] ?? "",
    superOptions: (fields[end + 3] ?? "").split(","),
  };
}
