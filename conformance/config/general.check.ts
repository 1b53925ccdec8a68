/** config.md: version, annotations, extensibility, valid values. */
import { expect } from "vitest";
import { check } from "../harness/check.ts";

for (const version of ["1.0.0", "1.0.2", "1.1.0"]) {
  check(
    "config/specification-version-ociversion-semver-v2-format",
    `ociVersion ${version} is accepted`,
    async (subject) => {
      await subject.runs((spec) => {
        spec.ociVersion = version;
      });
    },
  );
}

for (const version of ["", "one", "1", "1.0", "v1.0.0"]) {
  check(
    "config/specification-version-ociversion-semver-v2-format",
    `ociVersion ${JSON.stringify(version)} is refused`,
    async (subject) => {
      await subject.refusesConfig((spec) => {
        spec.ociVersion = version;
      });
    },
  );
}

check(
  "config/specification-version-ociversion-semver-v2-format",
  "a configuration without ociVersion is refused",
  async (subject) => {
    await subject.refusesConfig((spec) => {
      delete (spec as { ociVersion?: string }).ociVersion;
    });
  },
);

check("config/annotations-annotations-key-map", "a configuration without annotations is accepted", async (subject) => {
  const id = await subject.create("true", (spec) => {
    delete spec.annotations;
  });
  expect((await subject.state(id)).annotations ?? {}).toEqual({});
});

check("config/annotations-strings", "an annotation that is no string is refused", async (subject) => {
  await subject.refusesConfig((spec) => {
    spec.annotations = { "com.example.number": 1 as never };
  });
});

check("config/annotations-handle-unknown-annotation-keys", "an unknown annotation does no harm", async (subject) => {
  await subject.runs((spec) => {
    spec.annotations = { "com.example.unknown": "x", "org.opencontainers.image.os": "linux" };
  });
});

for (const where of ["the top", "process", "root", "linux", "a mount", "linux.resources"] as const) {
  check(
    "config/extensibility-log-unknown-properties-but",
    `an unknown property of ${where} is ignored`,
    async (subject) => {
      await subject.runs((spec) => {
        const place = {
          "the top": spec,
          process: spec.process,
          root: spec.root,
          linux: spec.linux,
          "a mount": spec.mounts[0],
          "linux.resources": spec.linux.resources,
        }[where] as Record<string, unknown>;
        place["unknownToAll"] = { any: ["thing"] };
      });
    },
  );
}

/** A value of the wrong kind, by the property that it replaces. */
const WRONG: Readonly<Record<string, (spec: Record<string, object>) => void>> = {
  "process.args a string": (spec) => Object.assign(spec["process"] ?? {}, { args: "true" }),
  "process.user.uid negative": (spec) => Object.assign(spec["process"] ?? {}, { user: { uid: -1, gid: 0 } }),
  "process.user.uid a string": (spec) => Object.assign(spec["process"] ?? {}, { user: { uid: "0", gid: 0 } }),
  "process.terminal a string": (spec) => Object.assign(spec["process"] ?? {}, { terminal: "yes" }),
  "mounts an object": (spec) => Object.assign(spec, { mounts: {} }),
  "root.readonly a number": (spec) => Object.assign(spec["root"] ?? {}, { readonly: 1 }),
  "linux.namespaces an object": (spec) => Object.assign(spec["linux"] ?? {}, { namespaces: {} }),
  "an unknown namespace type": (spec) => Object.assign(spec["linux"] ?? {}, { namespaces: [{ type: "no-such" }] }),
  "linux.sysctl a list": (spec) => Object.assign(spec["linux"] ?? {}, { sysctl: ["a"] }),
};

for (const [what, change] of Object.entries(WRONG)) {
  check("config/valid-values-generate-error-invalid-unsupported", `${what} is refused`, async (subject) => {
    await subject.refusesConfig((spec) => change(spec as unknown as Record<string, object>));
  });
}

check(
  ["config/annotations-keys-empty", "config/annotations-keys-strings"],
  "an annotation with an empty key is refused",
  async (subject) => {
    await subject.refusesConfig((spec) => {
      spec.annotations = { "": "value" };
    });
  },
);
