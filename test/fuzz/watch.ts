/**
 * Runs the fuzzer in a process of its own and watches it: what never ends, or takes the engine down, is not seen from inside. The fuzzer notes
 * each input before it tries it.
 */
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/** Nothing takes so long, milliseconds: a command of the executable is killed after a third of it. */
const PATIENCE = 60_000;

const place = "build/fuzz";
const note = join(place, "current.json");

mkdirSync(place, { recursive: true });
rmSync(note, { force: true });
const fuzzer = spawn(process.execPath, [join(import.meta.dirname, "fuzz.ts")], {
  stdio: "inherit",
  env: { ...process.env, FUZZ_NOTE: note },
});
let hung = false;
const watch = setInterval(() => {
  if (!existsSync(note) || Date.now() - statSync(note).mtimeMs < PATIENCE) return;
  hung = true;
  fuzzer.kill("SIGKILL");
}, 1000);
fuzzer.on("exit", (code, signal) => {
  clearInterval(watch);
  if (signal !== null) {
    copyFileSync(note, join(place, "last.json"));
    const why = hung ? `one input took longer than ${PATIENCE / 1000} seconds` : `the fuzzer was ended by ${signal}`;
    console.error(`fuzz: ${why}: see ${join(place, "last.json")}`);
  }
  rmSync(note, { force: true });
  process.exit(code ?? 1);
});
