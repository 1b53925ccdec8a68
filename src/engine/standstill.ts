/**
 * The engine's side of a snapshot (`snapshot.ts`): loads what there is, stands still while its memory is written to a file,
 * and goes on from there in each process that executes that file, as if it had been started with the arguments and the environment of this.
 *
 * So nothing may be kept in memory before that which a process finds out about the machine, its caller or itself.
 */
import { environmentIn } from "../sys/environment.ts";
import { VARIABLES } from "../sys/executable.ts";
import { declareAll, syscall } from "../sys/ffi.ts";
import { exit, prctl } from "../sys/process.ts";
import { randomNumber } from "../sys/random.ts";
import { decode } from "../sys/text.ts";
import { SYSCALL_NUMBERS } from "./syscall-numbers.ts";

const SIGSTOP = 19;
const WORD = 8;

/** Whether this process is started to be written to a file. */
export function isForSnapshot(): boolean {
  return process.env[VARIABLES.stage] === "snapshot";
}

/** What there is to rehearse. */
export interface Program {
  /** Loads all the code there is. */
  loadAll: () => Promise<unknown>;
  /** Carries out the command line that `process` has. @returns the exit code */
  tsrunc: () => Promise<number>;
  /** Keeps a filter for a configuration, which would have to be built otherwise. @throws {Error} where none can be built */
  keepFilter: (bundle: string, config: string) => Promise<void>;
  /** Does to this process what an init does, by a configuration. @throws {Error} to who may not make namespaces */
  rehearseInits: (bundle: string, config: string) => Promise<void>;
}

/**
 * Comes back in another process, and gives `process` the arguments and the environment of that. Ends this one when the rehearsal fails.
 */
export async function standStill(program: Program): Promise<void> {
  await program.loadAll();
  declareAll();
  Math.random = randomNumber;
  await rehearse(program);
  // To be read by who traces it, though a rehearsed command has hidden its memory.
  prctl("SET_DUMPABLE", 1);
  const heapEnd = syscall("dlsym", null, "__curbrk") ?? 0n;
  // Not by kill(3), which would cut the result: in the process that goes on it is an address.
  const stack = syscall("syscall", SYSCALL_NUMBERS.x86_64.kill, syscall("getpid"), SIGSTOP, heapEnd);
  const { args, environment } = readInitialStack(stack);
  beCalledWith(args, environment);
}

/** Gives `process` arguments and an environment. */
function beCalledWith(args: readonly string[], environment: Record<string, string>): void {
  process.argv = [process.argv[0] as string, process.argv[1] as string, ...args];
  process.env = environment;
}

/**
 * Has done what the commands that matter do: a function that was called once is called twenty times as fast, since it is found and
 * linked, and what it needs of the engine is there.
 */
async function rehearse({ tsrunc, keepFilter, rehearseInits }: Program): Promise<void> {
  const bundle = process.env[VARIABLES.rehearsal];
  if (bundle === undefined) return;
  const command = (...args: string[]) => {
    // Each finds the environment that the launcher would have given it.
    const { environment } = readInitialStack(ownStack());
    environment[VARIABLES.stage] = "sealed";
    beCalledWith(["--root", `${bundle}/state`, ...args], environment);
    return tsrunc();
  };
  const id = `rehearsal-${syscall("getpid")}`;
  const code = await command("run", "--explain", "--bundle", bundle, id);
  if (code !== 0) exit(code);
  // Whoever may not make containers has to do without what follows.
  if ((await command("run", "--bundle", bundle, id)) !== 0) return;
  // Not everybody has libseccomp, and all controllers.
  const engines = `${bundle}/engines.json`;
  const runsEngines = await keepFilter(bundle, engines).then(
    async () => (await command("run", "--bundle", bundle, "--config", engines, id)) === 0,
    () => false,
  );
  const [ending, waiting] = runsEngines ? [engines, "engines-waiting.json"] : [`${bundle}/config.json`, "waiting.json"];
  await command("create", "--bundle", bundle, "--config", `${bundle}/${waiting}`, id);
  await command("start", id);
  await command("state", id);
  await command("exec", id, "/exit");
  await command("kill", id, "KILL");
  await command("delete", "--force", id);
  await rehearseInits(bundle, ending);
}

/** Where this process's own initial stack is. */
function ownStack(): number {
  return Number(wordsAt(Number(syscall("dlsym", null, "__libc_stack_end")), 1)[0]);
}

/** What a new process finds on its stack. */
export interface InitialStack {
  /** Without that at 0, the name. */
  args: string[];
  environment: Record<string, string>;
}

/**
 * Reads the stack of a new process.
 * @param at its address: of argc, which the arguments' addresses follow, and after NULL those of the environment, and NULL
 * @see System V ABI, "Process Initialization"
 */
function readInitialStack(at: number): InitialStack {
  const argc = Number(wordsAt(at, 1)[0]);
  // argc, the arguments, NULL, the environment, NULL; of the auxiliary vector, which follows and is longer than that, some may be
  // read as well.
  const BATCH = 32;
  let words = wordsAt(at, argc + BATCH);
  let end = words.indexOf(0n, argc + 2);
  while (end < 0) {
    words = wordsAt(at, words.length + BATCH);
    end = words.indexOf(0n, argc + 2);
  }
  // The kernel puts the texts one after the other.
  const first = Number(words[1]);
  const last = Number(words[end - 1] || words[argc]);
  const bytes = bytesAt(first, last - first + Number(syscall("strlen", last)) + 1);
  const variables = end === argc + 2 ? bytes.length : Number(words[argc + 2]) - first;
  const args = decode(bytes.subarray(0, variables)).split("\0").slice(1, argc);
  const environment = environmentIn(bytes.slice(variables));
  bytes.fill(0);
  return { args, environment };
}

function wordsAt(address: number, count: number): BigUint64Array {
  return new BigUint64Array(bytesAt(address, WORD * count).buffer);
}

function bytesAt(address: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  if (length > 0) syscall("memcpy", bytes, address, length);
  return bytes;
}
