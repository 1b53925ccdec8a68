/** `image login` and `logout`. */
import { HUB, whyNoRegistry } from "../reference/reference.ts";
import { RepositoryClient } from "../registry/client.ts";
import { eraseCredentials, loginFile, storeCredentials } from "../registry/credentials.ts";
import { endpointsOf } from "../registry/endpoints.ts";
import { DEFAULT_PATIENCE } from "../registry/retry.ts";
import type { RegistryOptions } from "./pull.ts";

/** A registry as people name it. @throws {Error} */
function registryOf(text: string): string {
  const host = text.replace(/^https?:\/\//, "").replace(/\/(v[12]\/?)?$/, "");
  const wrong = whyNoRegistry(host);
  if (wrong !== null) throw new Error(`${JSON.stringify(text)} is no registry: ${wrong}: host[:port] is expected`);
  return ["index.docker.io", "registry-1.docker.io"].includes(host) ? HUB : host;
}

/**
 * Checks credentials with a registry, and keeps them.
 * @param warns is told of what the registry warns of
 * @returns where they are kept
 * @throws {AccessError} when the registry does not take them: then nothing is kept
 */
export async function login(
  text: string,
  user: string,
  password: string,
  options: RegistryOptions,
  warns: (line: string) => void,
): Promise<string> {
  const registry = registryOf(text);
  const endpoint = endpointsOf(registry, options).find(({ mirror }) => !mirror);
  if (endpoint === undefined) throw new Error(`${registry}: no place to log in to`);
  const patience = { warns, ...(options.patience ?? DEFAULT_PATIENCE) };
  const client = new RepositoryClient(
    endpoint,
    { registry, repository: "" },
    { kind: "password", user, password },
    patience,
    null,
  );
  await client.checkAccess();
  const path = loginFile(options.authFile);
  await storeCredentials(path, registry, user, password);
  return path;
}

/** @returns whether there were credentials */
export async function logout(text: string, authFile: string | undefined): Promise<boolean> {
  return await eraseCredentials(loginFile(authFile), registryOf(text));
}
