/** The environment that the launcher (`launcher.ts`) gives the engine. */
import type { Assembler, Register } from "./assembler.ts";

/** How names begin that are not the caller's to give: the engine would obey some, and `stage.ts` believe the others. */
const RESERVED = ["BUN_", "_TSR"];
/** Bytes of a pointer. */
const POINTER = 8;

const at = (name: string) => ({ address: name });

/**
 * Afterwards: `a` are the arguments, `f` is the environment: the caller's, and what is for the engine.
 * @param added names of data: variables, besides the one that `e` points to
 */
export function buildEnvironment(machine: Assembler, added: readonly string[]): void {
  // At the entry the stack is argc, the arguments, NULL, the environment, NULL. The new one grows downwards from there.
  machine.getStack("a");
  machine.copy("f", "a");
  const push = (value: Register) => {
    machine.add("f", -POINTER);
    machine.store(value, "f", 0, 8);
  };
  machine.set("result", 0);
  push("result");
  push("e");
  for (const name of added) {
    machine.set("result", at(name));
    push("result");
  }
  machine.load("b", "a", 0, 8);
  for (let times = 1; times < POINTER; times *= 2) machine.add("b", "b");
  machine.add("a", POINTER);
  machine.add("b", "a");
  machine.add("b", POINTER);
  // From the last to the first, which keeps their order.
  machine.copy("d", "b");
  machine.label("count");
  machine.load("result", "d", 0, 8);
  machine.add("d", POINTER);
  machine.jumpIf("not zero", "result", "count");
  machine.add("d", -POINTER);
  machine.label("next");
  machine.jumpIfEqual("d", "b", "complete");
  machine.add("d", -POINTER);
  machine.load("e", "d", 0, 8);
  machine.load("result", "e", 0, 4);
  let subtracted = 0;
  for (const beginning of RESERVED) {
    const word = Buffer.from(beginning).readInt32LE();
    machine.add("result", subtracted - word);
    machine.jumpIf("zero", "result", "next");
    subtracted = word;
  }
  push("e");
  machine.jump("next");
  machine.label("complete");
}
