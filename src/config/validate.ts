/**
 * What a configuration means: the rules that no schema can state. Each topic has its file in `validate/`.
 *
 * These rules need nothing but the configuration and who asks; those that look at the machine are in `validate/host.ts`.
 */
import type { Spec } from "./types.ts";
import { validateAnnotations } from "./validate/annotations.ts";
import { validateHooks } from "./validate/hooks.ts";
import { validateIdMappings } from "./validate/id-mappings.ts";
import { validateIntelRdt } from "./validate/intel-rdt.ts";
import { validateLinux } from "./validate/linux.ts";
import { validateMemoryPolicy } from "./validate/memory-policy.ts";
import { validateMounts } from "./validate/mounts.ts";
import { validateNamespaces } from "./validate/namespaces.ts";
import { validateNetDevices } from "./validate/net-devices.ts";
import { validateProcess } from "./validate/process.ts";
import { validateResources } from "./validate/resources.ts";
import { validateRoot } from "./validate/root.ts";
import { validateRootless } from "./validate/rootless.ts";
import { validateSeccomp } from "./validate/seccomp.ts";
import { type Asker, Subject } from "./validate/subject.ts";
import { validateSysctl } from "./validate/sysctl.ts";
import { validateVersion } from "./validate/version.ts";

/**
 * Applies every rule to a configuration that has passed the schema.
 * @returns what is odd but no reason to stop, each as `/pointer: value: words`
 * @throws {ConfigError} for the first rule that is broken
 */
export function validateMeaning(spec: Spec, host: Asker): { warnings: string[] } {
  const subject = new Subject(spec, host);
  const { linux } = subject;
  validateVersion(subject);
  validateRoot(subject);
  validateProcess(subject, "/process", spec.process);
  validateNamespaces(subject);
  validateIdMappings(subject);
  // The first call of a function costs more than the rest of it: what has nothing to look at is not called.
  if (host.euid !== 0) validateRootless(subject);
  if (spec.mounts) validateMounts(subject);
  if (spec.hooks) validateHooks(subject);
  if (spec.annotations) validateAnnotations(subject, spec.annotations);
  validateLinux(subject);
  if (linux.sysctl) validateSysctl(subject);
  if (linux.resources) validateResources(subject, linux.resources);
  if (linux.seccomp) validateSeccomp(subject, linux.seccomp);
  if (linux.intelRdt) validateIntelRdt(subject, linux.intelRdt);
  if (linux.memoryPolicy) validateMemoryPolicy(subject, linux.memoryPolicy);
  if (linux.netDevices) validateNetDevices(subject, linux.netDevices);
  return { warnings: subject.warnings };
}
