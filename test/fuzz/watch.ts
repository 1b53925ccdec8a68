/**
 * Runs the fuzzer in a process of its own and watches it: what never ends, or takes the engine down, is not seen from inside. The fuzzer notes
 * each input before it tries it. When one has ended it so, another fuzzer goes on with the next.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Nothing takes so long, milliseconds: a command of the executable is killed after a third of it. */
const PATIENCE = Number(process.env.FUZZ_PATIENCE ?? 60_000);
/** After so many it is enough: a fuzzer that goes on makes all former inputs again, without trying them. */
const MOST = 5;

const place = "build/fuzz";
const note = join(place, "current.json");

mkdirSync(place, { recursive: true });
let failed = false;
let tried: number | null = 0;
for (let ends = 0; tried !== null && ends < MOST; ends++) {
  tried = await fuzz(tried);
  if (tried !== null) failed = true;
}
if (tried !== null) console.error(`fuzz: stopped: ${MOST} inputs ended the fuzzer`);
process.exit(failed ? 1 : 0);

/**
 * Fuzzes to the end, or to the input that ends it.
 * @param tried how many inputs were tried before
 * @returns how many are now, where another has to go on
 */
async function fuzz(tried: number): Promise<number | null> {
  rmSync(note, { force: true });
  const scratch = mkdtempSync(join(tmpdir(), "tsrunc-fuzz-"));
  const fuzzer = spawn(process.execPath, [join(import.meta.dirname, "fuzz.ts")], {
    stdio: "inherit",
    env: { ...process.env, FUZZ_NOTE: note, FUZZ_TRIED: String(tried), FUZZ_SCRATCH: scratch },
  });
  let hung = false;
  const watch = setInterval(() => {
    if (!existsSync(note) || Date.now() - statSync(note).mtimeMs < PATIENCE) return;
    hung = true;
    fuzzer.kill("SIGKILL");
  }, PATIENCE / 60);
  const [code, signal] = await new Promise<[number | null, string | null]>((done) =>
    fuzzer.on("exit", (...how) => done(how)),
  );
  clearInterval(watch);
  rmSync(scratch, { recursive: true, force: true });
  if (code === 1) failed = true;
  if (code === 0 || code === 1) return null;
  if (!existsSync(note)) throw new Error(`the fuzzer ended before its first input (${signal ?? code})`);
  const { number, input } = JSON.parse(readFileSync(note, "utf8")) as { number: number; input: { target: string } };
  rmSync(note);
  const file = join(place, `ended-${number}.json`);
  writeFileSync(file, `${JSON.stringify(input)}\n`);
  const why = hung
    ? `took longer than ${PATIENCE / 1000} seconds`
    : `ended the fuzzer (${signal ?? `exit code ${code}`})`;
  console.error(`fuzz: one input ${why}: see ${file}`);
  return number;
}
