import { serveFilter } from "../../seccomp/helper.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  synopsis: "",
  description:
    "Reads what a filter of system calls is made of, and writes the filter. For a snapshot of the engine, which cannot.",
  examples: [],
  options: {},
  async run() {
    serveFilter();
    return 0;
  },
});
