/** The process that builds a filter for another, see `helper.ts`: in the plain engine, whose libc is the host's, and without the command line. */
import { refuseSetId } from "../sys/executable.ts";
import { Fd } from "../sys/fd.ts";
import { load } from "../sys/ffi.ts";
import { readTextOf } from "../sys/file.ts";
import { writeSome } from "../sys/io.ts";
import { exit } from "../sys/process.ts";
import { compileFilter } from "./compile.ts";
import type { Order } from "./helper.ts";

/** Reads the order, writes the filter, and on stderr the names that nobody knows, or what went wrong. Ends this process. */
export function serveFilter(): never {
  try {
    refuseSetId();
    load();
    using input = new Fd(0);
    const { plan, library } = JSON.parse(readTextOf(input, "standard input")) as Order;
    const { program, unknown } = compileFilter(plan, library);
    for (let at = 0; at < program.length; ) at += writeSome(1, program.subarray(at)) ?? 0;
    if (unknown.length > 0) writeSome(2, Buffer.from(unknown.join("\n")));
    return exit(0);
  } catch (error) {
    // Without koffi, which may be what is missing.
    process.stderr.write((error as Error).message);
    return process.exit(1);
  }
}
