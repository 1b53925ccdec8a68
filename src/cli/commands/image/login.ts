import { defineCommand } from "../../command.ts";
import { readStdin, registryOptions, toRegistryOptions } from "../../image-options.ts";
import { text, toggle } from "../../option.ts";
import { print } from "../../output.ts";
import { UsageError } from "../../usage-error.ts";

const { creds: _, ...others } = registryOptions;

export const command = defineCommand({
  synopsis: "[registry]",
  description:
    "Checks a user and a password with a registry (default: docker.io), and keeps them where Docker and Podman look, too: in $REGISTRY_AUTH_FILE, or in " +
    "Docker's config.json; or with the credential helper that is named there.",
  examples: ["echo $PASSWORD | tsrunc image login --username me --password-stdin registry.example"],
  options: {
    username: text("USER", "the user", { short: "u" }),
    password: text(
      "PASSWORD",
      "the password; others can see it in the list of processes: better use --password-stdin",
      { short: "p" },
    ),
    "password-stdin": toggle("read the password from stdin"),
    ...others,
  },
  async run({ options, args: [registry = "docker.io"] }) {
    const { username, password } = options;
    if (username === undefined) throw new UsageError("--username is missing");
    if ((password === undefined) !== options["password-stdin"])
      throw new UsageError("one of --password and --password-stdin is needed");
    const { login } = await import("../../../image/operations/login.ts");
    const secret = password ?? (await readStdin()).replace(/\r?\n$/, "");
    const { stderr } = await import("../../../image/progress/stderr.ts");
    const warns = (line: string) => stderr.write(`${line}\n`);
    const path = await login(registry, username, secret, toRegistryOptions({ ...options, creds: undefined }), warns);
    print(`Logged in to ${registry}; the credentials are in ${path}`);
    return 0;
  },
});
