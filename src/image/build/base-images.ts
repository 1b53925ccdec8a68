/** The images that a build begins with, each found once. */
import type { Platform } from "../store/documents.ts";
import type { Lease } from "../store/lease.ts";
import { foreignWarning } from "../store/platform.ts";
import { ForeignImageError, type Image, NoSuchImageError, readImage, resolveImage } from "../store/resolve.ts";
import { memoized } from "./memoized.ts";
import type { BuildOptions } from "./options.ts";

export class BaseImages {
  readonly #found = new Map<string, Promise<Image>>();

  constructor(
    private readonly options: Pick<BuildOptions, "store" | "registry" | "reporter" | "pull" | "progress">,
    private readonly lease: Lease,
  ) {}

  /**
   * An image of the store; one that is not there, or is to be fresh, is pulled. Where no platform is asked for, it is the image that
   * `image pull` takes, of several the best for this machine, and any that the store has will do; where one is, and the store has another's,
   * the image for that is fetched for the build alone: its name goes on meaning what it means.
   * @throws {Error}
   */
  get(name: string, wanted: Platform | null): Promise<Image> {
    return memoized(this.#found, JSON.stringify([name, wanted]), () => this.#find(name, wanted));
  }

  async #find(name: string, wanted: Platform | null): Promise<Image> {
    const { store, registry, reporter, pull } = this.options;
    if (!pull) {
      try {
        return await this.#resolve(name, wanted);
      } catch (error) {
        if (error instanceof ForeignImageError && wanted !== null) return this.#fetch(name, wanted, error);
        if (!(error instanceof NoSuchImageError)) throw error;
      }
    }
    const { pullImage } = await import("../operations/pull.ts");
    const pulled = await pullImage(store, name, { ...registry, ...asked(wanted) }, reporter);
    return this.#resolve(pulled.name, wanted);
  }

  async #resolve(name: string, wanted: Platform | null): Promise<Image> {
    const image = await resolveImage(this.options.store, name, { lease: this.lease, ...asked(wanted) });
    const foreign = wanted === null ? foreignWarning(name, image.config) : null;
    if (foreign !== null) this.options.progress.warn(foreign);
    return image;
  }

  /** @param foreign why what the store has will not do */
  async #fetch(text: string, platform: Platform, foreign: ForeignImageError): Promise<Image> {
    const { lease } = this;
    const { store, registry, reporter } = this.options;
    const { fetchImage } = await import("../operations/pull.ts");
    try {
      const fetched = await fetchImage(store, text, { ...registry, platform }, reporter, lease);
      return await readImage(store, fetched, { lease, platform });
    } catch (error) {
      throw new Error(`${foreign.message}, and such an image cannot be fetched: ${(error as Error).message}`);
    }
  }
}

function asked(wanted: Platform | null): { platform?: Platform } {
  return wanted === null ? {} : { platform: wanted };
}
