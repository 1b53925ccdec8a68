import { containerState } from "../../runtime/state.ts";
import { defineCommand } from "../command.ts";
import { print } from "../output.ts";
import { stateDocument } from "../state-document.ts";

export const command = defineCommand({
  synopsis: "<container-id>",
  description: "Prints the state of a container as JSON: id, status, pid, bundle, rootfs, creation time, annotations.",
  examples: ["tsrunc state web"],
  options: {},
  async run({ context, args: [id = ""] }) {
    print(JSON.stringify(stateDocument(containerState(context, id)), null, 2));
    return 0;
  },
});
