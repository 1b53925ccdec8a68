/** The images that a build begins with, each found once. */
import type { Platform } from "../store/documents.ts";
import type { Lease } from "../store/lease.ts";
import { foreignWarning } from "../store/platform.ts";
import { ForeignImageError, type Image, NoSuchImageError, readImage, resolveImage } from "../store/resolve.ts";
import { memoized } from "./memoized.ts";
import type { BuildOptions } from "./options.ts";

export class BaseImages {
  readonly #found = new Map<string, Promise<Image>>();

  /** @param platform of the build, for what is fetched and says nothing else */
  constructor(
    private readonly options: Pick<BuildOptions, "store" | "registry" | "reporter" | "pull" | "progress">,
    private readonly lease: Lease,
    private readonly platform: Platform,
  ) {}

  /**
   * An image of the store; one that is not there, or is to be fresh, is pulled. Where no platform is asked for, what the store has will do;
   * where another is, the image for that is fetched for the build alone: its name goes on meaning what it means.
   * @throws {Error}
   */
  get(name: string, wanted: Platform | null): Promise<Image> {
    return memoized(this.#found, JSON.stringify([name, wanted]), () => this.#find(name, wanted));
  }

  async #find(name: string, wanted: Platform | null): Promise<Image> {
    const { lease } = this;
    const { store, registry, reporter, pull, progress } = this.options;
    const platform = wanted ?? this.platform;
    if (!pull) {
      try {
        if (wanted !== null) return await resolveImage(store, name, { lease, platform });
        const image = await resolveImage(store, name, { lease });
        const foreign = foreignWarning(name, image.config);
        if (foreign !== null) progress.warn(foreign);
        return image;
      } catch (error) {
        if (error instanceof ForeignImageError) return this.#fetch(name, platform, error);
        if (!(error instanceof NoSuchImageError)) throw error;
      }
    }
    const { pullImage } = await import("../operations/pull.ts");
    const pulled = await pullImage(store, name, { ...registry, platform }, reporter);
    return resolveImage(store, pulled.name, { lease, platform });
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
