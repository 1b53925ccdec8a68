/** `mounts`. */
import { parseMountOptions } from "../mount-options.ts";
import type { Mount } from "../types.ts";
import { validateRanges } from "./id-mappings.ts";
import { refuseNul } from "./root.ts";
import type { Subject } from "./subject.ts";

export function validateMounts(subject: Subject): void {
  subject.spec.mounts?.forEach((mount, index) => {
    const at = `/mounts/${index}`;
    const { destination, source, type } = mount;
    if (destination === "") subject.refuse(`${at}/destination`, "", "must not be empty");
    if (!destination.startsWith("/")) {
      subject.warn(
        `${at}/destination`,
        destination,
        "is not absolute: relative destinations are deprecated, and taken from /",
      );
    }
    refuseNul(subject, `${at}/destination`, destination);
    refuseNul(subject, `${at}/source`, source);
    refuseNul(subject, `${at}/type`, type);
    mount.options?.forEach((option, position) => void refuseNul(subject, `${at}/options/${position}`, option));
    const bind = isBind(mount);
    if (bind) warnOfData(subject, at, mount);
    if (isIdMapped(mount)) validateIdMap(subject, at, mount, bind);
  });
}

function isBind({ options = [] }: Mount): boolean {
  return options.includes("bind") || options.includes("rbind");
}

/** The kernel ignores the options of the filesystem when it binds: whoever writes them might believe that they hold. */
function warnOfData(subject: Subject, at: string, { options }: Mount): void {
  const { data } = parseMountOptions(options);
  if (data === "") return;
  const rule = "is ignored: bind mounts cannot have any filesystem-specific options applied";
  subject.warn(`${at}/options`, data, rule);
}

function isIdMapped({ options = [], uidMappings, gidMappings }: Mount): boolean {
  const mapped = uidMappings !== undefined || gidMappings !== undefined;
  return mapped || options.includes("idmap") || options.includes("ridmap");
}

/** @see mount_setattr(2), "ID-mapped mounts" */
function validateIdMap(subject: Subject, at: string, mount: Mount, bind: boolean): void {
  const { uidMappings, gidMappings } = mount;
  const mapped = uidMappings !== undefined || gidMappings !== undefined;
  if (!bind) subject.refuse(at, undefined, "id-mapped mounts are only supported for bind-mounts");
  if (subject.asker.euid !== 0) {
    subject.refuseToCreate(at, undefined, "id-mapped mounts are not supported for rootless containers");
  }
  if (mapped && !(uidMappings?.length && gidMappings?.length)) {
    subject.refuse(at, undefined, "id-mapped mounts must have both uid and gid mappings specified");
  }
  if (!mapped && subject.namespace("user") === undefined) {
    const rule =
      "id-mapped mounts must have both uid and gid mappings specified: there is no user namespace to take them from";
    subject.refuse(at, undefined, rule);
  }
  validateRanges(subject, `${at}/uidMappings`, uidMappings ?? []);
  validateRanges(subject, `${at}/gidMappings`, gidMappings ?? []);
}
