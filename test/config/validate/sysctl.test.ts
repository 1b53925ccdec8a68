/** `linux.sysctl`. */
import { describe, test } from "vitest";
import type { NamespaceType } from "../../../src/config/types.ts";
import { accepted, also, type Edit, onLinux, refused, userNamespace, without } from "../support/judge.ts";

describe("sysctl", () => {
  const sysctl = (name: string): Edit => onLinux({ sysctl: { [name]: "1" } });
  test.each<[string, NamespaceType, RegExp]>([
    ["kernel.msgmax", "ipc", /not allowed in the hosts ipc namespace/],
    ["kernel.shm_rmid_forced", "ipc", /not allowed in the hosts ipc namespace/],
    ["fs.mqueue.msg_max", "ipc", /not allowed in the hosts ipc namespace/],
    ["net.ipv4.ip_forward", "network", /not allowed in host network namespace/],
    ["net/ipv4/ip_forward", "network", /not allowed in host network namespace/],
    ["kernel.domainname", "uts", /not in a separate kernel namespace/],
  ])("%s needs a %s namespace", (name, type, rule) => {
    const named: Edit = (spec) => {
      spec.hostname = "";
    };
    refused(also(named, sysctl(name), without(type)), `/linux/sysctl/${name.replaceAll("/", "~1")}`, rule);
    accepted(sysctl(name));
  });
  test("user.* needs a user namespace", () => {
    refused(
      sysctl("user.max_user_namespaces"),
      "/linux/sysctl/user.max_user_namespaces",
      /ucounts without a user namespace/,
    );
    accepted(also(userNamespace, sysctl("user.max_user_namespaces")));
  });
  test("kernel.hostname is what hostname is for", () => {
    refused(sysctl("kernel.hostname"), "/linux/sysctl/kernel.hostname", /conflicts with the OCI "hostname" field/);
  });
  test("kernel.domainname and domainname must agree", () => {
    const domain = (domainname: string): Edit =>
      also((spec) => void Object.assign(spec, { domainname }), onLinux({ sysctl: { "kernel.domainname": "one" } }));
    refused(domain("two"), "/linux/sysctl/kernel.domainname", /conflicts with the OCI "domainname" field/);
    accepted(domain("one"));
  });
  test.each(["vm.swappiness", "kernel.msgmaxx", "kernel.core_pattern", "fs.file-max", "netx.y", "", "x"])(
    "%j belongs to the whole machine",
    (name) => refused(sysctl(name), `/linux/sysctl/${name}`, /not in a separate kernel namespace|not the name/),
  );
  test.each(["net.//.kernel.core_pattern", "net/../kernel/core_pattern", "net..x", "net.", "net./.x"])(
    "%j leads out of its prefix",
    (name) =>
      refused(sysctl(name), `/linux/sysctl/${name.replaceAll("/", "~1")}`, /not the name of a kernel parameter/),
  );
  test("a name with a dot in a part is written with slashes", () =>
    accepted(sysctl("net/ipv4/conf/eth0.1/forwarding")));
});
