/** For a runtime that is not root: the container needs a user namespace of its own. */
import { hostId } from "./id-mappings.ts";
import type { Subject } from "./subject.ts";

export function validateRootless(subject: Subject): void {
  const user = subject.namespace("user");
  if (user === undefined) {
    return subject.refuseToCreate(
      "/linux/namespaces",
      undefined,
      'rootless container requires user namespaces ("tsrunc spec --rootless" writes one)',
    );
  }
  // The mappings of a namespace to join are not known here.
  if (user.path) return;
  validateMountOwners(subject);
}

/** Owners named in mount options are looked up in the user namespace: the kernel refuses those that it does not have. */
function validateMountOwners(subject: Subject): void {
  const { uidMappings = [], gidMappings = [] } = subject.linux;
  const mappings = { uid: uidMappings, gid: gidMappings };
  subject.spec.mounts?.forEach(({ options = [] }, index) => {
    options.forEach((option, position) => {
      const [, name, id] = /^([ug]id)=(\d+)$/.exec(option) ?? [];
      if (name === undefined || hostId(Number(id), mappings[name as "uid" | "gid"]) !== null) return;
      const pointer = `/mounts/${index}/options/${position}`;
      subject.refuse(
        pointer,
        option,
        `cannot specify ${option} mount option for rootless container: ${name} ${id} is not mapped`,
      );
    });
  });
}
