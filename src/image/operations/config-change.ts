/** Instructions that change an image's configuration, as `docker import --change` takes them: a Dockerfile's, read and planned as one's. */
import type { Instruction } from "../build/language/instructions.ts";
import { parseDockerfile } from "../build/language/parse.ts";
import { DockerfileError } from "../build/language/position.ts";
import { planGraph } from "../build/plan/graph.ts";
import { planStage } from "../build/plan/stage.ts";
import type { ExecutionConfig } from "../store/documents.ts";
import { hostPlatform } from "../store/platform.ts";

/** Those that change nothing but the configuration. */
const CHANGES: ReadonlySet<Instruction["kind"]> = new Set([
  "cmd",
  "entrypoint",
  "env",
  "expose",
  "healthcheck",
  "label",
  "onbuild",
  "shell",
  "stopsignal",
  "user",
  "volume",
  "workdir",
]);

/** What keeps the PATH of a build FROM scratch away: an image that is imported has what it is given. */
const NO_PATH = "PATH=";

/** @throws {Error} that names the instruction, for one that is none of these, or that cannot be read */
export function configOf(changes: readonly string[]): ExecutionConfig {
  try {
    const dockerfile = parseDockerfile("FROM scratch", "--change");
    const platform = hostPlatform();
    const options = { buildArgs: new Map(), target: null, buildPlatform: platform, targetPlatform: platform };
    const [stage] = dockerfile.stages;
    const base = { config: { Env: [NO_PATH] }, author: null, args: new Map(), triggers: [] };
    const { config } = planStage(
      { ...(stage as NonNullable<typeof stage>), instructions: changes.flatMap(instructionsOf) },
      base,
      planGraph(dockerfile, options),
      { buildArgs: options.buildArgs, network: "default" },
    );
    const env = config.Env?.filter((one) => one !== NO_PATH) ?? [];
    const all = { ...config, Env: env.length > 0 ? env : null };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
  } catch (error) {
    throw error instanceof DockerfileError ? new Error(`${error.at.file}: ${error.what}`) : error;
  }
}

function instructionsOf(change: string) {
  const file = JSON.stringify(change);
  const { stages } = parseDockerfile(`FROM scratch\n${change}\n`, file);
  const instructions = stages.flatMap((one) => one.instructions);
  const known = () => [...CHANGES].map((kind) => kind.toUpperCase()).join(", ");
  if (instructions.length === 0 || stages.length > 1) throw new Error(`${file}: ${known()} and a value are expected`);
  const other = instructions.find(({ kind }) => !CHANGES.has(kind));
  if (other !== undefined)
    throw new Error(`${file}: ${other.kind.toUpperCase()} changes more than the configuration: ${known()} do not`);
  return instructions;
}
