import { features } from "../../config/features.ts";
import { seccompFeatures } from "../../seccomp/features.ts";
import { defineCommand } from "../command.ts";
import { print } from "../output.ts";
import { version } from "../version.ts";

export const command = defineCommand({
  synopsis: "",
  description: "Prints what this runtime supports, as the features document of runtime-spec.",
  examples: ["tsrunc features"],
  options: {},
  async run() {
    print(JSON.stringify(features(version, seccompFeatures()), null, 4));
    return 0;
  },
});
