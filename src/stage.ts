/**
 * The two stages of the commands that start container processes.
 *
 * Fork is sound in a process of one thread only, and the engine starts several unless its environment says otherwise
 * before it begins. So stage one seals the executable and executes it again with that environment; stage two does the
 * work. Stage one pays a whole engine start and must stay tiny.
 */
import { readdirSync, readlinkSync } from "node:fs";
import { SyscallError } from "./sys/error.ts";
import { EXECUTABLE_VARIABLE, executablePath, isCompiled } from "./sys/executable.ts";
import { closeOnExecFrom, type Fd, FIRST_FD, O, open, setCloseOnExec } from "./sys/fd.ts";
import { execveFd } from "./sys/process.ts";
import { sealExecutable, sealInUserNamespace } from "./sys/seal.ts";

/** What keeps the engine at one thread. They are read when it starts, and leave its environment in stage two. */
const SINGLE_THREAD = {
  BUN_JSC_useJIT: "0",
  BUN_JSC_useWarmUpMarkedBlocks: "0",
  BUN_JSC_numberOfGCMarkers: "1",
  BUN_JSC_useConcurrentGC: "0",
} as const;

/** Set between the stages: `unsealed` asks the next one to seal, having the one thread that it takes. */
const STAGE_VARIABLE = "_TSRUNC_STAGE";

/** The commands that fork. */
const FORKING_COMMANDS = new Set(["create", "run", "exec", "mounts"]);

/** Global options that take a value in the next argument: what follows is not the command. */
const VALUE_OPTIONS = new Set(["root", "log", "log-format", "log-level", "criu", "rootless", "cgroup-manager"]);

/** The command in an argument list, global options skipped; `undefined` when there is none. */
export function commandOf(args: readonly string[]): string | undefined {
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string;
    if (!arg.startsWith("-") || arg === "-") return arg;
    if (VALUE_OPTIONS.has(arg.replace(/^--?/, ""))) index++;
  }
  return undefined;
}

/**
 * Executes this program again in the next stage where the command needs it; returns in the last one, with the
 * environment as the caller gave it.
 * @throws {SyscallError} when the executable cannot be sealed or executed
 */
export function enterStage(args: readonly string[]): void {
  const stage = process.env[STAGE_VARIABLE];
  if (stage === undefined) {
    if (!isCompiled || !FORKING_COMMANDS.has(commandOf(args) ?? "")) return;
    keepDescriptors();
    const sealed = sealExecutable();
    if (sealed.kind === "sealed") executeAgain(sealed.fd, args, "sealed");
    executeAgain(open("/proc/self/exe", O.RDONLY), args, "unsealed");
  }
  if (stage === "unsealed") {
    keepDescriptors();
    executeAgain(sealInUserNamespace(), args, "sealed");
  }
  // The one before has let them through; which of them the container gets is decided later.
  closeOnExecFrom(FIRST_FD);
  for (const name of [STAGE_VARIABLE, ...Object.keys(SINGLE_THREAD)]) delete process.env[name];
}

/**
 * Keeps the caller's descriptors open over the next exec: those that the container is to inherit, and those that an option
 * names as `/dev/fd/N`. The engine sets close-on-exec on all that it finds from 4 on when it starts; its own, which are
 * events, stay so.
 */
function keepDescriptors(): void {
  for (const name of readdirSync("/proc/self/fd")) {
    const fd = Number(name);
    if (fd >= FIRST_FD && !isEvent(fd)) setCloseOnExec(fd, false);
  }
}

function isEvent(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith("anon_inode:");
  } catch {
    return true; // the descriptor of the listing itself
  }
}

function executeAgain(file: Fd, args: readonly string[], stage: "sealed" | "unsealed"): never {
  const path = executablePath();
  const environment = { ...process.env, ...SINGLE_THREAD, [EXECUTABLE_VARIABLE]: path, [STAGE_VARIABLE]: stage };
  const strings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  throw new SyscallError(`execute ${path}`, execveFd(file.number, [path, ...args], strings));
}
