/**
 * Building a filter in a process of its own.
 *
 * A snapshot has the builder's libc in its memory, and the host's libseccomp may need a newer one: so the plain engine, which is beside it,
 * loads that, builds the filter and writes it to its standard output. Where this engine is a plain one itself, it does so here.
 */
import { ENGINE_SUFFIX, engineDirectory, enginePath, isCompiled, PLAIN_SUFFIX } from "../sys/executable.ts";
import { Fd } from "../sys/fd.ts";
import { exists, readTextOf } from "../sys/file.ts";
import { writeSome } from "../sys/io.ts";
import { memoryFile, readMemory } from "../sys/memory-file.ts";
import { runProgram } from "../sys/spawn.ts";
import { type CompiledFilter, compileFilter } from "./compile.ts";
import { COMPILE_COMMAND, type FilterPlan } from "./filter-plan.ts";

interface Order {
  plan: FilterPlan;
  library: string;
}

/** How long the helper may take, in milliseconds: it takes 40. */
const PATIENCE = 30_000;

/**
 * Builds a filter.
 * @param library path of libseccomp
 * @throws {Error} what went wrong, in libseccomp's words or our own
 */
export function buildFilter(plan: FilterPlan, library: string): CompiledFilter {
  const plain = plainLauncher();
  if (plain === null) return compileFilter(plan, library);
  using output = memoryFile("filter");
  using messages = memoryFile("messages");
  const order: Order = { plan, library };
  const { status, timedOut } = runProgram({
    path: plain,
    args: [plain, COMPILE_COMMAND],
    environment: [],
    input: JSON.stringify(order),
    output: { stdout: output, stderr: messages },
    timeout: PATIENCE,
  });
  const said = Buffer.from(readMemory(messages)).toString().trim();
  if (timedOut || status.kind !== "exited" || status.code !== 0)
    throw new Error(said || `${plain} failed to build the filter`);
  return { program: readMemory(output), unknown: said === "" ? [] : said.split("\n") };
}

/** Does what {@link buildFilter} asks of another process: reads the order, writes the filter, and the names that nobody knows on stderr. */
export function serveFilter(): void {
  using input = new Fd(0);
  const { plan, library } = JSON.parse(readTextOf(input, "standard input")) as Order;
  const { program, unknown } = compileFilter(plan, library);
  for (let at = 0; at < program.length; ) at += writeSome(1, program.subarray(at)) ?? 0;
  if (unknown.length > 0) writeSome(2, Buffer.from(unknown.join("\n")));
}

/** The launcher of the plain engine beside a snapshot; `null` where this engine is a plain one. */
function plainLauncher(): string | null {
  if (!isCompiled) return null;
  engineDirectory(); // which nobody else may write to
  const plain = `${enginePath().slice(0, -ENGINE_SUFFIX.length)}${PLAIN_SUFFIX}`;
  return exists(plain) ? plain : null;
}
