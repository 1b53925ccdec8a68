import { defineCommand } from "../../command.ts";
import { registryOptions } from "../../image-options.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "[registry]",
  description: "Forgets the credentials for a registry (default: docker.io).",
  examples: ["tsrunc image logout registry.example"],
  options: { authfile: registryOptions.authfile },
  async run({ options, args: [registry = "docker.io"] }) {
    const { logout } = await import("../../../image/operations/login.ts");
    const had = await logout(registry, options.authfile);
    print(had ? `Logged out of ${registry}` : `Not logged in to ${registry}`);
    return 0;
  },
});
