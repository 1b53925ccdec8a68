/** How registries are spoken to. */

export interface RegistryOptions {
  /** `USER:PASSWORD`; default: what `tsrunc image login`, Docker and Podman keep. */
  credentials?: string;
  /** Where credentials are kept. */
  authFile?: string;
  /** Speak HTTP without TLS. */
  plainHttp?: boolean;
  /** Check certificates; default true. */
  tlsVerify?: boolean;
  /** A directory of certificates for the registry, in the place of `certs.d`. */
  certDir?: string;
  /** How often to try again what may pass; default 5. */
  retries?: number;
  /** Seconds for which nothing may come before a connection counts as lost; default 60. */
  timeout?: number;
}

export function registryArguments(options: RegistryOptions): string[] {
  const { credentials, authFile, plainHttp, tlsVerify, certDir, retries, timeout } = options;
  return [
    ...value("--creds", credentials),
    ...value("--authfile", authFile),
    ...(plainHttp ? ["--plain-http"] : []),
    ...(tlsVerify === false ? ["--tls-verify=false"] : []),
    ...value("--cert-dir", certDir),
    ...value("--retries", retries),
    ...value("--timeout", timeout),
  ];
}

/** An option in one word, so that no value is taken for another option. */
export function value(option: `--${string}`, given: string | number | undefined): string[] {
  return given === undefined ? [] : [`${option}=${given}`];
}

export function values(option: `--${string}`, given: readonly (string | number)[] = []): string[] {
  return given.flatMap((one) => value(option, one));
}

/** `NAME=VALUE` of a record. */
export function pairs(option: `--${string}`, given: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(given).flatMap(([name, one]) => value(option, `${name}=${one}`));
}
