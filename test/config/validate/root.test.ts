/** `root`, and the names of a UTS namespace. */
import { describe, test } from "vitest";
import type { Spec } from "../../../src/config/types.ts";
import { accepted, also, type Edit, refused, withNamespace, without } from "../support/judge.ts";

test("the configuration that the cases start from is good", () => {
  accepted(() => {});
});

describe("root and names", () => {
  test("there must be a root", () =>
    refused((spec) => void delete (spec as Spec).root, "/root", /root must be specified/));
  test("its path must not be empty", () =>
    refused(
      (spec) => {
        spec.root.path = "";
      },
      "/root/path",
      /empty/,
    ));
  test("a path with a NUL is refused", () =>
    refused(
      (spec) => {
        spec.root.path = "a\0b";
      },
      "/root/path",
      /null byte/,
    ));
  test("a hostname needs a UTS namespace", () => {
    refused(
      also((spec) => {
        spec.hostname = "x";
      }, without("uts")),
      "/hostname",
      /set hostname without a private UTS/,
    );
  });
  test("a domainname needs a UTS namespace", () => {
    const edit: Edit = (spec) => void Object.assign(spec, { hostname: "", domainname: "x" });
    refused(also(edit, without("uts")), "/domainname", /set domainname without a private UTS/);
  });
  test("a UTS namespace that is joined will do", () =>
    accepted(withNamespace({ type: "uts", path: "/proc/1/ns/uts" })));
});
