/**
 * Building a filter in a process of its own.
 *
 * A snapshot has the builder's libc in its memory, and the host's libseccomp may need a newer one: so the plain engine, which is beside it,
 * loads that, builds the filter and writes it to its standard output. Where this engine is a plain one itself, it does so here.
 */
import { ENGINE_SUFFIX, engineDirectory, enginePath, isCompiled, PLAIN_SUFFIX } from "../sys/executable.ts";
import { exists } from "../sys/file.ts";
import { memoryFile, memoryFileOf, readMemory } from "../sys/memory-file.ts";
import { POLL, poll } from "../sys/poll.ts";
import { type ExitStatus, pidfdOpen, sendSignal, waitPid } from "../sys/process.ts";
import { startProgram } from "../sys/spawn.ts";
import { type CompiledFilter, compileFilter } from "./compile.ts";
import { COMPILE_COMMAND, type FilterPlan } from "./filter-plan.ts";

/** What the other process reads on its standard input, as JSON. */
export interface Order {
  plan: FilterPlan;
  library: string;
}

/** How long the helper may take, in milliseconds: it takes 40. */
const PATIENCE = 30_000;

const SIGKILL = 9;

/** A filter that is being built, while whoever wants it does something else. */
export class FilterInTheMaking implements Disposable {
  readonly #helper: Helper | null;

  /**
   * Begins, where that is another process's work.
   * @param library path of libseccomp
   */
  constructor(
    private readonly plan: FilterPlan,
    private readonly library: string,
  ) {
    const plain = plainLauncher();
    this.#helper = plain === null ? null : new Helper(plain, { plan, library });
  }

  /**
   * Waits for it.
   * @throws {Error} what went wrong, in libseccomp's words or our own
   */
  finish(): CompiledFilter {
    return this.#helper === null ? compileFilter(this.plan, this.library) : this.#helper.finish();
  }

  /** Ends what is still building it. */
  [Symbol.dispose](): void {
    this.#helper?.[Symbol.dispose]();
  }
}

/** The other process. */
class Helper implements Disposable {
  readonly #output = memoryFile("filter");
  readonly #messages = memoryFile("messages");
  readonly #pid: number;
  #waitedFor = false;

  constructor(
    private readonly path: string,
    order: Order,
  ) {
    using input = memoryFileOf("order", Buffer.from(JSON.stringify(order)));
    const program = { path, args: [path, COMPILE_COMMAND], environment: [] };
    this.#pid = startProgram(program, [input, this.#output, this.#messages]);
  }

  finish(): CompiledFilter {
    using pidfd = pidfdOpen(this.#pid);
    const ended = poll([{ fd: pidfd.number, events: POLL.IN }], PATIENCE)[0] !== 0;
    const status = this.#end();
    const said = Buffer.from(readMemory(this.#messages)).toString().trim();
    if (!ended || status.kind !== "exited" || status.code !== 0)
      throw new Error(said || `${this.path} failed to build the filter`);
    return { program: readMemory(this.#output), unknown: said === "" ? [] : said.split("\n") };
  }

  /** Waits for its end, which may be brought about. */
  #end(): ExitStatus {
    // It has ended already, or it must: either way it is not reaped yet, and its number nobody else's.
    sendSignal(this.#pid, SIGKILL);
    this.#waitedFor = true;
    return waitPid(this.#pid);
  }

  [Symbol.dispose](): void {
    if (!this.#waitedFor) this.#end();
    for (const file of [this.#output, this.#messages]) file.close();
  }
}

/** The launcher of the plain engine beside a snapshot; `null` where this engine is a plain one. */
function plainLauncher(): string | null {
  if (!isCompiled) return null;
  engineDirectory(); // which nobody else may write to
  const plain = `${enginePath().slice(0, -ENGINE_SUFFIX.length)}${PLAIN_SUFFIX}`;
  return exists(plain) ? plain : null;
}
