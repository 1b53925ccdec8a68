import { containerProcesses } from "../../runtime/ps.ts";
import { defineCommand } from "../command.ts";
import { choice } from "../option.ts";
import { print } from "../output.ts";

export const command = defineCommand({
  synopsis: "<container-id> [ps-option...]",
  description:
    "Lists the processes in a container, as the host sees them. What follows the id goes to ps(1), -ef when there is\n" +
    "nothing; ps must print a column PID.",
  examples: ["tsrunc ps web", "tsrunc ps web -o pid,rss,args -e", "tsrunc ps --format json web"],
  options: { format: choice(["table", "json"], "table, or a JSON array of pids (default: table)", { short: "f" }) },
  stopAtFirst: true,
  async run({ context, options, args: [id = "", ...psArgs] }) {
    const pids = containerProcesses(context, id);
    if (options.format === "json") {
      print(JSON.stringify(pids));
      return 0;
    }
    print(rowsOf(await tableOf(psArgs.length > 0 ? psArgs : ["-ef"]), pids));
    return 0;
  },
});

/** @throws {Error} with the first line that ps says of its arguments: its usage follows */
async function tableOf(args: readonly string[]): Promise<string> {
  const { spawnSync } = await import("node:child_process");
  const { error, status, stdout, stderr } = spawnSync("ps", args, { encoding: "utf8", maxBuffer: 2 ** 28 });
  if (error !== undefined) throw new Error(`cannot run ps: ${error.message}`, { cause: error });
  if (status !== 0) throw new Error(`ps ${args.join(" ")}: ${stderr.trim().split("\n")[0] || `exit status ${status}`}`);
  return stdout;
}

/**
 * The heading and the rows of a `ps` table that are about given processes.
 * @throws {Error} when the table has no column PID
 */
export function rowsOf(table: string, pids: readonly number[]): string {
  const [heading = "", ...rows] = table.split("\n");
  const column = heading.trim().split(/\s+/).indexOf("PID");
  if (column === -1) throw new Error("couldn't find PID field in ps output");
  const wanted = new Set(pids.map(String));
  return [heading, ...rows.filter((row) => wanted.has(row.trim().split(/\s+/)[column] ?? ""))].join("\n");
}
