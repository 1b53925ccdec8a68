import { DEFAULT_CAPABILITIES } from "../../src/image/bundle/capabilities.ts";
import type { BundleOptions } from "../../src/image/bundle/options.ts";
import { DEFAULT_LIMITS } from "../../src/image/layer/limits.ts";

/** A bundle as the image says, by overlay. */
export const BUNDLE_OPTIONS: BundleOptions = {
  form: "overlay",
  rootless: false,
  args: null,
  entrypoint: null,
  env: [],
  user: null,
  cwd: null,
  hostname: null,
  tty: false,
  mounts: [],
  tmpfs: [],
  readOnly: false,
  capabilities: DEFAULT_CAPABILITIES,
  shmSize: null,
  memory: null,
  cpus: null,
  pids: null,
  network: "none",
  annotations: {},
  limits: DEFAULT_LIMITS,
};
