import { defaultSpec, rootlessSpec } from "../../config/default.ts";
import { hasErrno } from "../../sys/error.ts";
import { writeFile } from "../../sys/file.ts";
import { resolve } from "../../sys/path-names.ts";
import { defineCommand } from "../command.ts";
import { text, toggle } from "../option.ts";

export const command = defineCommand({
  synopsis: "",
  description:
    "Writes a config.json to start from: `sh` in a terminal, in namespaces of its own, with few capabilities.\n" +
    "Edit it, and put a root filesystem beside it, in `rootfs`. A config.json that is there stays as it is.",
  examples: ["tsrunc spec --bundle DIR", "tsrunc spec --rootless"],
  options: {
    bundle: text("DIR", "where to write it (default: the current directory)", { short: "b" }),
    file: text("FILE", "write to FILE instead, over what is there", { short: "f" }),
    rootless: toggle("for an ordinary user: in a user namespace that maps root to the caller"),
  },
  async run({ options: { bundle, file, rootless } }) {
    const json = `${JSON.stringify(rootless ? rootlessSpec() : defaultSpec(), null, "\t")}\n`;
    const path = resolve(bundle || ".", file || "config.json");
    try {
      writeFile(path, json, { exclusive: !file });
    } catch (error) {
      if (hasErrno(error, "EEXIST")) throw new Error(`File ${path} exists. Remove it first`);
      throw error;
    }
    return 0;
  },
});
