/**
 * The JSON documents of images, as types: what the validators of `schema/image.json` prove. Members that neither this program nor a
 * bundle needs are kept in the bytes and not listed. Go writes `null` for what is empty, hence the `null`s.
 *
 * @see image-spec 1.1: descriptor.md, manifest.md, image-index.md, config.md
 * @see the "Image Manifest Version 2, Schema 2" of the distribution project, whose members have the same names
 */
import type { Digest } from "./digest.ts";

/** Where an image runs. */
export interface Platform {
  architecture: string;
  os: string;
  variant?: string | null;
  "os.version"?: string | null;
  "os.features"?: string[] | null;
}

/** A reference to content. */
export interface Descriptor {
  mediaType: string;
  /** In an index, and of a subject, it may be of an algorithm that is not known here: see `isDigest`. */
  digest: Digest;
  /** Bytes. */
  size: number;
  /** Where else the content may be: for foreign layers only. */
  urls?: string[] | null;
  annotations?: Record<string, string> | null;
  artifactType?: string | null;
  platform?: Platform | null;
  /** The content itself in base64; not used, since the digest has to be right either way. */
  data?: string | null;
}

/** The manifest of one image for one platform. */
export interface Manifest {
  schemaVersion: 2;
  mediaType?: string | null;
  artifactType?: string | null;
  config: Descriptor;
  layers: Descriptor[];
  subject?: Descriptor | null;
  annotations?: Record<string, string> | null;
}

/** A list of manifests, or of further indexes. */
export interface Index {
  schemaVersion: 2;
  mediaType?: string | null;
  artifactType?: string | null;
  manifests: Descriptor[];
  subject?: Descriptor | null;
  annotations?: Record<string, string> | null;
}

/** How the image wants to be run. */
export interface ExecutionConfig {
  User?: string | null;
  ExposedPorts?: Record<string, unknown> | null;
  Env?: string[] | null;
  Entrypoint?: string[] | null;
  Cmd?: string[] | null;
  Volumes?: Record<string, unknown> | null;
  WorkingDir?: string | null;
  Labels?: Record<string, string> | null;
  StopSignal?: string | null;
  /** Docker's: `Cmd` is one string, already escaped, on Windows. */
  ArgsEscaped?: boolean | null;
  /** Docker's: instructions for a build on top of this image. */
  OnBuild?: string[] | null;
  /** Docker's: what RUN and the shell forms of a build use. */
  Shell?: string[] | null;
  /** Docker's: seconds. */
  StopTimeout?: number | null;
  /** Docker's; durations in nanoseconds. */
  Healthcheck?: {
    Test?: string[] | null;
    Interval?: number | null;
    Timeout?: number | null;
    StartPeriod?: number | null;
    StartInterval?: number | null;
    Retries?: number | null;
  } | null;
}

/** One step in the making of an image. */
export interface HistoryEntry {
  /** RFC 3339. */
  created?: string | null;
  created_by?: string | null;
  author?: string | null;
  comment?: string | null;
  /** Whether the step made no layer. */
  empty_layer?: boolean | null;
}

/** The configuration of an image. */
export interface ImageConfig {
  /** RFC 3339. */
  created?: string | null;
  author?: string | null;
  architecture: string;
  os: string;
  variant?: string | null;
  "os.version"?: string | null;
  "os.features"?: string[] | null;
  config?: ExecutionConfig | null;
  rootfs: {
    type: "layers";
    /** The digests of the layers' plain tar archives, the lowest first. */
    diff_ids: Digest[] | null;
  };
  history?: HistoryEntry[] | null;
}

/** The file `oci-layout` of an OCI layout. @see image-spec, image-layout.md */
export interface LayoutFile {
  imageLayoutVersion: "1.0.0";
}

/** The file `manifest.json` of an archive as `docker save` writes it: an item an image. Paths are members of the archive. */
export type ArchiveManifest = {
  Config: string;
  RepoTags?: string[] | null;
  /** The lowest first. */
  Layers: string[] | null;
}[];
