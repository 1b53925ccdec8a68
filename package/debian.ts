/**
 * The Debian package, by dpkg-deb alone: there is nothing to compile, so debhelper would have nothing to do.
 *
 * By xz, which Debian asks for (lintian, malformed-deb-archive), at its lowest level: the third takes minutes.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, lstatSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Release } from "./release.ts";
import { filesOf, put, sizeOf, whole } from "./tree.ts";

const ARCHITECTURES = { x64: "amd64", arm64: "arm64" } as const;

/**
 * What it needs. libgcc and libstdc++ are koffi's, which the engine loads that is no snapshot. Without libseccomp nothing runs that has a
 * seccomp profile, as all containers of engines have. More than one id is mapped by newuidmap.
 */
const RELATIONS = {
  Depends: "libc6 (>= 2.34), libgcc-s1, libseccomp2 (>= 2.4.0), libstdc++6 (>= 5)",
  Recommends: "uidmap",
  Suggests: "containerd, criu, docker.io, passt, podman",
} as const;

/** Whoever hands the package on puts a name and an address there; `.invalid` is nobody's (RFC 2606). */
const MAINTAINER = process.env["MAINTAINER"] || "The tsrunc authors <authors@tsrunc.invalid>";

/** What lintian finds, and is meant so. */
const OVERRIDES = `# It is machine code of its own that only executes the engine, before any library is loaded.
tsrunc: statically-linked-binary [usr/lib/tsrunc/tsrunc]
tsrunc: statically-linked-binary [usr/lib/tsrunc/tsrunc-plain]
# The memory of a started engine, with the C library in it. What is bundled is listed in sbom.cdx.json.
tsrunc: statically-linked-binary [usr/lib/tsrunc/tsrunc-engine]
tsrunc: embedded-library libjpeg *
tsrunc: embedded-library libm *
# The texts of the licences are those of what is bundled, word by word.
tsrunc: old-fsf-address-in-copyright-file
`;

/** What dpkg unpacks is written in parts, and cached in small pages: written at once, it starts 1 to 2 ms faster. */
const POSTINST = `#!/bin/sh
set -e
if [ "$1" = configure ]; then
  engine=/usr/lib/tsrunc/tsrunc-engine
  # For want of memory or space the engine stays as it is.
  if dd if="$engine" of="$engine.new" bs=256M iflag=fullblock status=none && chmod 0755 "$engine.new"; then
    mv -f "$engine.new" "$engine"
  else
    rm -f "$engine.new"
  fi
fi
`;

/** @returns the package's file name */
export function debianPackage(release: Release): string {
  const { version, cpu, time, work, output, stage, project, licenses, bom } = release;
  const root = join(work, "debian");
  rmSync(root, { recursive: true, force: true });
  cpSync(stage, join(root, "usr"), { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  const manual = join(root, "usr/share/man/man1");
  for (const page of filesOf(manual)) {
    put(join(manual, `${page}.gz`), gzipSync(readFileSync(join(manual, page)), { level: 9 }));
    rmSync(join(manual, page));
  }
  const documents = join(root, "usr/share/doc/tsrunc");
  put(join(documents, "copyright"), copyright(licenses));
  put(join(documents, "changelog.gz"), gzipSync(changelog(version, time), { level: 9 }));
  put(join(documents, "sbom.cdx.json"), `${JSON.stringify(bom, null, 2)}\n`);
  put(join(root, "usr/share/lintian/overrides/tsrunc"), OVERRIDES);
  for (const name of filesOf(join(project, "package/examples"))) {
    put(join(documents, "examples", name), readFileSync(join(project, "package/examples", name)));
  }
  const size = Math.ceil(sizeOf(root) / 1024);
  const sums = filesOf(root).filter((file) => lstatSync(join(root, file)).isFile());
  put(join(root, "DEBIAN/md5sums"), sums.map((file) => `${md5(join(root, file))}  ${file}\n`).join(""));
  put(join(root, "DEBIAN/control"), control(version, ARCHITECTURES[cpu], size));
  put(join(root, "DEBIAN/postinst"), POSTINST, 0o755);
  const file = `tsrunc_${version}_${ARCHITECTURES[cpu]}.deb`;
  whole(join(output, file), (path) =>
    execFileSync("dpkg-deb", ["--root-owner-group", "-Zxz", "-z1", "--build", root, path], {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(time) },
      stdio: ["ignore", "ignore", "inherit"],
    }),
  );
  rmSync(root, { recursive: true });
  return file;
}

function control(version: string, architecture: string, kilobytes: number): string {
  const fields = {
    Package: "tsrunc",
    Version: version,
    Architecture: architecture,
    Maintainer: MAINTAINER,
    "Installed-Size": kilobytes,
    ...RELATIONS,
    Section: "admin",
    Priority: "optional",
    Description:
      "Open Container Initiative runtime, written in TypeScript\n" +
      " tsrunc runs containers from OCI bundles, where Podman, Docker and containerd\n" +
      " would call runc, and takes its command line. It fetches and unpacks images,\n" +
      " shows what it is going to do, and says which step failed.",
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join("");
}

/** The whole text, which Debian has once for all packages. */
const APACHE = /^[ \t]*Apache License\n[ \t]*Version 2\.0, January 2004\n[\s\S]*?END OF TERMS AND CONDITIONS/gm;

function copyright(licenses: string): string {
  return (
    "tsrunc is licensed under the Apache License 2.0: /usr/share/common-licenses/Apache-2.0 on a Debian machine.\n\n" +
    licenses.replaceAll(APACHE, "/usr/share/common-licenses/Apache-2.0")
  );
}

function changelog(version: string, time: number): string {
  const date = new Date(time * 1000).toUTCString().replace("GMT", "+0000");
  return `tsrunc (${version}) unstable; urgency=medium\n\n  * See the history of the sources.\n\n -- ${MAINTAINER}  ${date}\n`;
}

/** dpkg's own check sums, against accidents only. */
function md5(path: string): string {
  return createHash("md5").update(readFileSync(path)).digest("hex");
}
