/** The places that an image is pulled from: its registry's mirrors, then the registry itself. What one does not give, the next is asked for. */
import type { Reporter } from "../progress/reporter.ts";
import type { Reference } from "../reference/reference.ts";
import { RepositoryClient } from "../registry/client.ts";
import { findCredentials } from "../registry/credentials.ts";
import { endpointsOf } from "../registry/endpoints.ts";
import { type FetchedRoot, fetchRoot } from "../registry/read.ts";
import { DEFAULT_PATIENCE } from "../registry/retry.ts";
import type { Digest } from "../store/digest.ts";
import type { Descriptor } from "../store/documents.ts";
import type { RegistryOptions } from "./pull.ts";

export class PullPlaces {
  private constructor(
    /** The registry's own last. */
    readonly clients: readonly RepositoryClient[],
    readonly reporter: Reporter,
  ) {}

  /** @throws {Error} for a bad hosts.toml or PEM file, or credentials that cannot be read */
  static async find(reference: Reference, options: RegistryOptions, reporter: Reporter): Promise<PullPlaces> {
    const { registry, repository } = reference;
    const clients: RepositoryClient[] = [];
    for (const endpoint of endpointsOf(registry, options)) {
      // Those that the user gives are for the registry, and no mirror sees them.
      const credentials = endpoint.mirror
        ? await findCredentials(endpoint.base.host, repository, options.authFile)
        : (options.credentials ?? (await findCredentials(registry, repository, options.authFile)));
      const patience = {
        waits: (line: string) => reporter.wait(line),
        warns: (line: string) => reporter.note(line),
        ...(options.patience ?? DEFAULT_PATIENCE),
      };
      // A mirror that does not answer is not waited for.
      const own = endpoint.mirror ? { ...patience, retries: 0 } : patience;
      clients.push(new RepositoryClient(endpoint, reference, credentials, own, "pull"));
    }
    return new PullPlaces(clients, reporter);
  }

  /** A manifest or an index. @throws as `fetchRoot` */
  root(at: string | Digest, promised?: Descriptor): Promise<FetchedRoot> {
    return this.fromAny((client) => fetchRoot(client, at, promised));
  }

  /**
   * Does something with one place after the other, until one succeeds. One that has failed is asked again for the next content: it may lack
   * one layer alone.
   * @throws what the registry itself comes to
   */
  async fromAny<T>(act: (client: RepositoryClient) => Promise<T>): Promise<T> {
    for (const client of this.clients) {
      const { base, mirror } = client.endpoint;
      try {
        return await act(client);
      } catch (error) {
        if (!mirror || isOwn(error)) throw error;
        this.reporter.note(`mirror ${base.host} is passed over: ${(error as Error).message}`);
      }
    }
    throw new Error("there is no place to pull from");
  }
}

/** Whether it is the store that has failed: no other place helps. */
function isOwn(error: unknown): boolean {
  return error instanceof Error && (error.name === "SyscallError" || "syscall" in error);
}
