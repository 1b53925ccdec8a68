/**
 * The addon: the engine's way to the kernel and to libc, `syscall.node`. The launcher brings it along.
 *
 * It has these functions for TypeScript, which `sys/ffi.ts` makes comfortable:
 *
 * - `syscall`: makes the system call whose number is the first parameter, with up to six arguments; returns its result;
 * - `call`: the same for a function of libc, by its address;
 * - `series`: makes the system calls that are written to `words`, memory that it shares with TypeScript: from word 7 on, seven for
 *   each call, its number and its arguments, until a number is negative. There is nothing of the engine between them. The results
 *   take the places of the numbers;
 * - `address`: puts the address of a typed array's memory into word 0.
 *
 * An argument is a number, a bigint, a typed array, whose address is passed, a string, which is copied, or nothing, for 0. For a
 * string that does not fit or has a NUL in it, `syscall` and `call` do nothing, and return undefined. What they return is in word 0,
 * too, with all of its 64 bits. At first that is the address of dlsym(3), by which all other functions are found, and word 1 is
 * that of `end`, a handler of signals that ends the process.
 *
 * An FFI library does the same for functions of any type, but takes 1.6 ms to load: a tenth of a container's start.
 *
 * @see Node-API, https://nodejs.org/api/n-api.html
 */
import type { Assembler, Register } from "./assembler.ts";
import type { Data, Symbols } from "./elf.ts";

/** Bytes of a word, a pointer, a napi_value. */
const WORD = 8;
/**
 * How many words a call takes, for what is called and six arguments; and for how many calls there is room, the first and the end of a
 * series among them.
 */
const CALL_WORDS = 7;
const CALLS = 24;
/** Bytes of the words of one call, and of all. */
const CALL_BYTES = WORD * CALL_WORDS;
const WORDS_BYTES = CALLS * CALL_BYTES;

/** Bytes that a string among the arguments may take. */
const TEXT_BYTES = 1024;

/** The functions of the addon that TypeScript may call. */
const FUNCTIONS = ["syscall", "series", "call", "address"] as const;

const IMPORTS = [
  "napi_create_external_arraybuffer",
  "napi_create_function",
  "napi_create_int64",
  "napi_get_buffer_info",
  "napi_get_cb_info",
  "napi_get_value_bigint_int64",
  "napi_get_value_int64",
  "napi_get_value_string_utf8",
  "napi_set_named_property",
  "napi_typeof",
  "dlsym",
  "strlen",
];

/** What napi_typeof says. */
const TYPES = { number: 3, string: 4, object: 6, bigint: 9 } as const;

const at = (address: string) => ({ address });
const nameOf = (property: string) => `name of ${property}`;

/** What the code reads and writes. */
export const data: Data = {
  words: WORDS_BYTES,
  parameters: CALL_BYTES,
  value: WORD,
  count: WORD,
  type: WORD,
  isFunction: WORD,
  texts: TEXT_BYTES * CALL_WORDS,
  ...Object.fromEntries([...FUNCTIONS, "words"].map((name) => [nameOf(name), name])),
  ...Object.fromEntries(IMPORTS.map((name) => [name, WORD])),
};

/** Writes the code. */
export function program(machine: Assembler): void {
  register(machine);
  call(machine);
  series(machine);
  address(machine);
  end(machine);
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
    loadFrom(machine, "c", "value");
    machine.call("napi_set_named_property", "a", "b", at(nameOf(name)), "c");
  };
  for (const name of FUNCTIONS) {
    machine.call("napi_create_function", "a", at(nameOf(name)), name.length, at(name), 0, at("value"));
    setProperty(name);
  }
  machine.call("napi_create_external_arraybuffer", "a", at("words"), WORDS_BYTES, 0, 0, at("value"));
  setProperty("words");
  loadFrom(machine, "c", "dlsym");
  machine.set("a", at("words"));
  machine.store("c", "a", 0, 8);
  machine.set("c", at("end"));
  machine.store("c", "a", 8, 8);
  machine.copy("result", "b");
  machine.leave();
}

/** `napi_value syscall(napi_env env, napi_callback_info info)`, and `call` in the same way */
function call(machine: Assembler): void {
  ["syscall", "call"].forEach((name, isFunction) => {
    machine.label(name);
    machine.enter("a", "b");
    machine.set("c", at("isFunction"));
    machine.set("result", isFunction);
    machine.store("result", "c", 0, 8);
    if (name === "syscall") machine.jump("get parameters");
  });
  machine.label("get parameters");
  getParameters(machine, CALL_WORDS, at("parameters"));
  toWords(machine);
  machine.set("c", at("words"));
  loadFrom(machine, "result", "isFunction");
  machine.jumpIf("zero", "result", "kernel");
  machine.callWith("c");
  machine.jump("called");
  machine.label("kernel");
  machine.syscallWith("c");
  machine.label("called");
  machine.store("result", "c", 0, 8);
  machine.copy("b", "result");
  machine.call("napi_create_int64", "a", "b", at("value"));
  loadFrom(machine, "result", "value");
  machine.leave();
  machine.label("refused");
  returnUndefined(machine);
}

/** Puts the parameters into words, each by its type. `a` is env. Goes on at `refused` for a string that cannot be passed. */
function toWords(machine: Assembler): void {
  machine.set("b", at("parameters"));
  machine.set("c", at("words"));
  machine.set("d", at("texts"));
  machine.label("next parameter");
  machine.load("e", "b", 0, 8);
  machine.call("napi_typeof", "a", "e", at("type"));
  machine.set("result", at("type"));
  machine.load("result", "result", 0, 4);
  let subtracted = 0;
  for (const [name, type] of Object.entries(TYPES)) {
    machine.add("result", subtracted - type);
    machine.jumpIf("zero", "result", `it is a ${name}`);
    subtracted = type;
  }
  machine.set("result", 0);
  machine.store("result", "c", 0, 8);
  machine.jump("passed");

  machine.label("it is a number");
  machine.call("napi_get_value_int64", "a", "e", "c");
  machine.jump("passed");

  machine.label("it is a bigint");
  machine.call("napi_get_value_bigint_int64", "a", "e", "c", at("type"));
  machine.jump("passed");

  machine.label("it is a object");
  machine.call("napi_get_buffer_info", "a", "e", "c", at("count"));
  loadFrom(machine, "result", "count");
  machine.jumpIf("not zero", "result", "passed");
  // NULL for an empty one.
  machine.store("result", "c", 0, 8);
  machine.jump("passed");

  machine.label("it is a string");
  machine.store("d", "c", 0, 8);
  machine.call("napi_get_value_string_utf8", "a", "e", "d", TEXT_BYTES, at("count"));
  machine.call("strlen", "d");
  loadFrom(machine, "e", "count");
  machine.jumpIfEqual("result", "e", "no NUL");
  machine.jump("refused");
  machine.label("no NUL");
  // One that does not fit is cut, between two characters, which have up to four bytes.
  machine.add("e", 4 - TEXT_BYTES);
  machine.jumpIf("negative", "e", "it fits");
  machine.jump("refused");
  machine.label("it fits");
  machine.add("d", TEXT_BYTES);

  machine.label("passed");
  machine.add("c", WORD);
  machine.add("b", WORD);
  machine.set("e", at("parameters"));
  machine.add("e", CALL_BYTES);
  machine.jumpIfEqual("b", "e", "all passed");
  machine.jump("next parameter");
  machine.label("all passed");
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
  getParameters(machine, 1, at("value"));
  loadFrom(machine, "c", "value");
  machine.call("napi_get_buffer_info", "a", "c", at("words"), 0);
  returnUndefined(machine);
}

/** Gets the parameters of the function; those that are not given are undefined. `a` is env, `b` info; uses `c`. */
function getParameters(machine: Assembler, most: number, to: { address: string }): void {
  machine.set("c", at("count"));
  machine.set("result", most);
  machine.store("result", "c", 0, 8);
  machine.call("napi_get_cb_info", "a", "b", at("count"), to, 0, 0);
}

/** Loads the word at a place. */
function loadFrom(machine: Assembler, to: Register, place: string): void {
  machine.set(to, at(place));
  machine.load(to, to, 0, 8);
}

/** `void end(int signal)`: what a shell says of a process that a signal has ended. */
function end(machine: Assembler): void {
  machine.label("end");
  machine.enter("a");
  machine.add("a", 128);
  machine.syscall("exit_group", "a");
}

/** NULL is taken for it. */
function returnUndefined(machine: Assembler): void {
  machine.set("result", 0);
  machine.leave();
}
