/**
 * The addon: the engine's way to the kernel and to libc, `syscall.node`. The launcher brings it along.
 *
 * It shares words of 64 bits with TypeScript, `words`, and has functions without parameters and results:
 *
 * - `syscall`: makes the system call whose number is word 0 and whose arguments are words 1 to 6; the result goes to word 0;
 * - `series`: the same with the words from 7 on, seven for each call, until a number is negative: calls with nothing of
 *   the engine between them;
 * - `call`: the same for a function of libc, whose address is word 0;
 * - `address`, which has a parameter after all: puts the address of a typed array's memory into word 0.
 *
 * At first word 0 is the address of dlsym(3), by which all others are found. `sys/ffi.ts` makes it comfortable.
 *
 * An FFI library does the same for functions of any type, but takes 1.6 ms to load: a tenth of a container's start.
 *
 * @see Node-API, https://nodejs.org/api/n-api.html
 */
import type { Assembler } from "./assembler.ts";
import type { Data, Symbols } from "./elf.ts";

/** How many words a call takes, and for how many calls there is room, the first and the end of a series among them. */
const CALL_WORDS = 7;
const CALLS = 24;
/** Bytes of the words of one call, and of all. */
const CALL_BYTES = 8 * CALL_WORDS;
const WORDS_BYTES = CALLS * CALL_BYTES;

/** The functions of the addon that TypeScript may call. */
const FUNCTIONS = ["syscall", "series", "call", "address"] as const;

const IMPORTS = [
  "napi_create_external_arraybuffer",
  "napi_create_function",
  "napi_get_buffer_info",
  "napi_get_cb_info",
  "napi_set_named_property",
  "dlsym",
];

const at = (address: string) => ({ address });
const nameOf = (property: string) => `name of ${property}`;

/** What the code reads and writes. */
export const data: Data = {
  words: WORDS_BYTES,
  value: 8,
  count: 8,
  ...Object.fromEntries([...FUNCTIONS, "words"].map((name) => [nameOf(name), name])),
  ...Object.fromEntries(IMPORTS.map((name) => [name, 8])),
};

/** Writes the code. */
export function program(machine: Assembler): void {
  register(machine);
  for (const name of ["syscall", "call"] as const) {
    machine.label(name);
    machine.enter();
    machine.set("a", at("words"));
    if (name === "syscall") machine.syscallWith("a");
    else machine.callWith("a");
    machine.store("result", "a", 0, 8);
    returnUndefined(machine);
  }
  series(machine);
  address(machine);
}

/** What the dynamic linker has to know. */
export function symbols({ labels }: Assembler): Symbols {
  const name = "napi_register_module_v1";
  return { imports: IMPORTS, exports: { [name]: labels.get(name) ?? 0 } };
}

/** `napi_value napi_register_module_v1(napi_env env, napi_value exports)`: the engine calls it when the addon is loaded. */
function register(machine: Assembler): void {
  machine.label("napi_register_module_v1");
  machine.enter("a", "b");
  const setProperty = (name: string) => {
    machine.set("c", at("value"));
    machine.load("c", "c", 0, 8);
    machine.call("napi_set_named_property", "a", "b", at(nameOf(name)), "c");
  };
  for (const name of FUNCTIONS) {
    machine.call("napi_create_function", "a", at(nameOf(name)), name.length, at(name), 0, at("value"));
    setProperty(name);
  }
  machine.call("napi_create_external_arraybuffer", "a", at("words"), WORDS_BYTES, 0, 0, at("value"));
  setProperty("words");
  machine.set("c", at("dlsym"));
  machine.load("c", "c", 0, 8);
  machine.set("a", at("words"));
  machine.store("c", "a", 0, 8);
  machine.copy("result", "b");
  machine.leave();
}

/** `napi_value series(napi_env env, napi_callback_info info)` */
function series(machine: Assembler): void {
  machine.label("series");
  machine.enter();
  machine.set("a", at("words"));
  machine.label("next call");
  machine.add("a", CALL_BYTES);
  machine.load("b", "a", 0, 8);
  machine.jumpIf("negative", "b", "end of series");
  machine.syscallWith("a");
  machine.store("result", "a", 0, 8);
  machine.jump("next call");
  machine.label("end of series");
  returnUndefined(machine);
}

/** `napi_value address(napi_env env, napi_callback_info info)` */
function address(machine: Assembler): void {
  machine.label("address");
  machine.enter("a", "b");
  machine.set("c", at("count"));
  machine.set("result", 1);
  machine.store("result", "c", 0, 8);
  machine.call("napi_get_cb_info", "a", "b", at("count"), at("value"), 0, 0);
  machine.set("c", at("value"));
  machine.load("c", "c", 0, 8);
  machine.call("napi_get_buffer_info", "a", "c", at("words"), 0);
  returnUndefined(machine);
}

/** NULL is taken for it. */
function returnUndefined(machine: Assembler): void {
  machine.set("result", 0);
  machine.leave();
}
