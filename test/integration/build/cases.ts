// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are a Dockerfile's substitutions, not JavaScript's
/** Dockerfiles that tsrunc and buildah build alike: what is in each, and where the two are known to differ. */
import type { Files } from "./support.ts";

export interface Case {
  name: string;
  /** `base:1` is the tests' own image. */
  dockerfile: string;
  files?: Files;
  args?: string[];
  /** Why something is not as buildah has it: members of the configuration, and paths. */
  differs?: { why: string; config?: string[]; paths?: string[] };
}

const TREE: Files = {
  "a.txt": "a\n",
  "b.txt": "b\n",
  "run.sh": { content: "#!/bin/sh\necho run\n", mode: 0o755 },
  "d/x.txt": "x\n",
  "d/y.md": "y\n",
  "d/e/z.txt": "z\n",
  "d/link": { link: "x.txt" },
  "d/dangling": { link: "/nowhere" },
  link: { link: "a.txt" },
  "dir-link": { link: "d" },
  "odd name.txt": "odd\n",
  "set\u00fc.txt": "utf8\n",
};

/** One instruction each, or the few that belong together. */
const SMALL: Case[] = [
  { name: "nothing but FROM", dockerfile: "FROM base:1\n" },
  {
    name: "from nothing",
    dockerfile: "FROM scratch\nCOPY a.txt /\n",
    files: TREE,
    differs: { why: "buildah leaves PATH out", config: ["Env"] },
  },
  {
    name: "ENV in both forms",
    dockerfile:
      "FROM base:1\nENV a=1 b=\"two words\" c=th\\ ree d='$a'\nENV old form with  blanks\nENV e=$a f=${a}x\nENV a=2 g=$a\nENV h=$a\n",
  },
  {
    name: "ENV with modifiers",
    dockerfile: "FROM base:1\nENV v=value\nENV a=${v:-d} b=${u:-d} c=${v:+d} d=${u:+d}\n",
    differs: { why: "buildah does not know ${v-d}", config: ["Env"] },
  },
  {
    name: "LABEL over several lines",
    dockerfile:
      'FROM base:1\nLABEL a=1 "b c"="d e" \\\n  # a comment\n  json="{\\"k\\": \\"v\\"}" \\\n  last=\'x y\'\nLABEL a=2\n',
  },
  { name: "CMD in the shell form", dockerfile: "FROM base:1\nCMD echo  a   b\n" },
  { name: "CMD in the exec form", dockerfile: 'FROM base:1\nCMD ["a", "b c", "\\"q\\""]\n' },
  { name: "ENTRYPOINT resets the base's CMD", dockerfile: 'FROM base:1\nENTRYPOINT ["/bin/echo"]\n' },
  { name: "ENTRYPOINT and its own CMD", dockerfile: 'FROM base:1\nCMD ["x"]\nENTRYPOINT ["/bin/echo"]\n' },
  { name: "the last CMD counts", dockerfile: 'FROM base:1\nCMD ["x"]\nCMD ["y"]\nENTRYPOINT a\nENTRYPOINT b\n' },
  {
    name: "USER by name and number",
    dockerfile: "FROM base:1\nUSER app\nRUN id -u > /tmp/id; touch /tmp/mine\nUSER 7:8\nRUN touch /tmp/other\n",
  },
  {
    name: "WORKDIR, absolute and relative",
    dockerfile: "FROM base:1\nWORKDIR /a/b\nWORKDIR c\nWORKDIR ../d/\nRUN pwd > where\n",
  },
  {
    name: "WORKDIR with a variable",
    dockerfile: "FROM base:1\nENV D=/opt\nWORKDIR $D/app\nCOPY a.txt .\n",
    files: TREE,
  },
  { name: "EXPOSE", dockerfile: "FROM base:1\nENV P=9000\nEXPOSE 80 443/tcp 443/udp 53/udp $P\n" },
  {
    name: "VOLUME in both forms",
    dockerfile: 'FROM base:1\nVOLUME /v /w\nVOLUME ["/x y"]\n',
    differs: { why: "buildah makes the directories", paths: ["v", "w", "x y"] },
  },
  { name: "STOPSIGNAL", dockerfile: "FROM base:1\nSTOPSIGNAL SIGQUIT\n" },
  {
    name: "HEALTHCHECK",
    dockerfile:
      "FROM base:1\nHEALTHCHECK --interval=1m30s --timeout=2s --start-period=5s --retries=2 CMD true || exit 1\n",
  },
  { name: "HEALTHCHECK NONE", dockerfile: "FROM base:1\nHEALTHCHECK CMD true\nHEALTHCHECK NONE\n" },
  {
    name: "SHELL",
    dockerfile: 'FROM base:1\nSHELL ["/bin/sh", "-ec"]\nRUN false || echo $0 $- > /out\nCMD x\nENTRYPOINT y\n',
    differs: { why: "buildah uses it for RUN alone", config: ["Cmd", "Entrypoint"] },
  },
  { name: "MAINTAINER", dockerfile: "FROM base:1\nMAINTAINER Some One <one@host.example>\n" },
  { name: "ONBUILD is kept", dockerfile: "FROM base:1\nONBUILD COPY . /app\nONBUILD RUN true\n" },
  {
    name: "ARG and its default",
    dockerfile: "ARG TAG=1\nFROM base:$TAG\nARG A=1\nARG B\nARG TAG\nRUN echo $A $B $TAG > /out\nENV C=$A\n",
    args: ["--build-arg", "A=2", "--build-arg", "B=3"],
  },
  {
    name: "ENV after ARG",
    dockerfile: "FROM base:1\nARG v\nENV v=hard\nRUN echo $v > /out\n",
    args: ["--build-arg", "v=cli"],
  },
  {
    name: "ARG of sibling stages",
    dockerfile:
      'FROM base:1 AS one\nARG v=1\nRUN echo $v > /one\nFROM base:1 AS two\nARG v=2\nRUN echo $v > /two\nFROM base:1\nCOPY --from=one /one /\nCOPY --from=two /two /\nRUN echo "x$v" > /three\n',
  },
];

const COPYING: Case[] = [
  { name: "COPY all", dockerfile: "FROM base:1\nCOPY . /app/\n", files: TREE },
  { name: "COPY a file to a name", dockerfile: "FROM base:1\nCOPY a.txt /app/renamed\n", files: TREE },
  { name: "COPY a file into a directory", dockerfile: "FROM base:1\nCOPY a.txt /app/\nCOPY b.txt /app\n", files: TREE },
  {
    name: "COPY a directory's contents",
    dockerfile: "FROM base:1\nCOPY d /app\nCOPY d/ /tmp/\nCOPY d/. /opt/\n",
    files: TREE,
  },
  { name: "COPY several", dockerfile: "FROM base:1\nCOPY a.txt b.txt d /app/\n", files: TREE },
  {
    name: "COPY by patterns",
    dockerfile: "FROM base:1\nCOPY *.txt /t/\nCOPY d/?.txt /u/\nCOPY [ab].txt /v/\nCOPY d*/*.md /w/\n",
    files: TREE,
  },
  { name: "COPY in the array form", dockerfile: 'FROM base:1\nCOPY ["odd name.txt", "/a b/"]\n', files: TREE },
  { name: "COPY a named link", dockerfile: "FROM base:1\nCOPY link /copied\nCOPY dir-link /dir/\n", files: TREE },
  {
    name: "COPY with --chown by number",
    dockerfile: "FROM base:1\nCOPY --chown=3:4 d /app/\nCOPY --chown=5 a.txt /five\n",
    files: TREE,
  },
  {
    name: "COPY with --chown by name",
    dockerfile:
      "FROM base:1\nCOPY --chown=app:staff d /app/\nCOPY --chown=app:app a.txt /tmp/\nCOPY --chown=:staff a.txt /group\nCOPY --chown=app a.txt /user\n",
    files: TREE,
  },
  {
    name: "COPY with --chmod",
    dockerfile: "FROM base:1\nCOPY --chmod=640 a.txt /m/a\nCOPY --chmod=0755 b.txt /m/b\n",
    files: TREE,
  },
  {
    name: "COPY over what is there",
    dockerfile:
      "FROM base:1\nRUN mkdir /app; echo old > /app/a.txt; ln -s /etc/passwd /app/b.txt; chmod 700 /app\nCOPY a.txt b.txt /app/\n",
    files: TREE,
  },
  {
    name: "COPY from a stage",
    dockerfile:
      "FROM base:1 AS build\nWORKDIR /w\nRUN echo x > f; ln f g; mkdir -m 1777 t; chmod 4755 f; chown 3:4 t\nFROM base:1\nCOPY --from=build /w /w\nCOPY --from=0 /w/f /f\n",
    files: TREE,
  },
  {
    name: "COPY of directories with their own permissions and owners to new ones",
    dockerfile:
      "FROM base:1 AS build\nRUN mkdir -m 1700 /w && touch /w/f && mkdir -m 711 /w/e && chown -R 3:4 /w\nFROM base:1\nCOPY --from=build /w /new\nCOPY --from=build --chown=5:6 /w /owned/new\n",
  },
  {
    name: "COPY of several files to a directory",
    dockerfile: "FROM base:1\nCOPY a.txt b.txt /opt\nCOPY *.txt /home\n",
    files: TREE,
  },
  {
    name: "COPY with an ignore file",
    dockerfile: "FROM base:1\nCOPY . /app\n",
    files: { ...TREE, ".dockerignore": "*.txt\n!b.txt\n/d/e/\nDockerfile\n.dockerignore\n**/*.md\n" },
  },
  {
    name: "COPY with an exception in a directory",
    dockerfile: "FROM base:1\nCOPY . /app\n",
    files: { ...TREE, ".dockerignore": "*\n!d/e\n" },
  },
  {
    name: "ADD of archives",
    dockerfile: "FROM base:1\nADD t.tar /x/\nADD t.tar.gz /y\nADD t.tar.bz2 /z/\nADD t.tar.xz /w/\n",
    files: {
      "t.tar": { archive: "" },
      "t.tar.gz": { archive: "z" },
      "t.tar.bz2": { archive: "j" },
      "t.tar.xz": { archive: "J" },
    },
  },
  { name: "ADD of files", dockerfile: "FROM base:1\nADD a.txt d /app/\n", files: TREE },
];

const RUNNING: Case[] = [
  {
    name: "RUN in both forms",
    dockerfile: 'FROM base:1\nRUN echo "a  b" > /x && \\\n  echo c >> /x\nRUN ["/bin/touch", "/y z"]\n',
  },
  {
    name: "RUN removes and replaces",
    dockerfile:
      "FROM base:1\nRUN mkdir -p /d/e && echo 1 > /d/e/f && echo 2 > /g\nRUN rm -r /d/e /g && mkdir /d/e && echo 3 > /d/e/h && ln -s h /d/e/i\nRUN mv /d /moved\n",
  },
  {
    name: "RUN with mounts",
    dockerfile:
      "FROM base:1 AS other\nRUN echo o > /o\nFROM base:1\nRUN --mount=type=bind,source=a.txt,target=/in/a --mount=type=bind,from=other,target=/other cat /in/a /other/o > /out\nRUN --mount=type=tmpfs,target=/scratch echo x > /scratch/x\nRUN --mount=type=cache,target=/cache echo x > /cache/x\n",
    files: TREE,
    differs: { why: "buildah leaves the mount points", paths: ["in", "in/a", "other", "scratch", "cache"] },
  },
  {
    name: "RUN with set-user-ID, links and a fifo",
    dockerfile:
      "FROM base:1\nRUN touch /s && chmod 6755 /s && ln /s /t && mkfifo /p && mkdir -m 3777 /q && ln -s nowhere /r\n",
  },
  {
    name: "stages that nothing needs",
    dockerfile: "FROM base:1 AS broken\nRUN false\nFROM base:1 AS good\nRUN touch /good\n",
  },
  {
    name: "a target",
    dockerfile: "FROM base:1 AS One\nRUN touch /one\nFROM One AS two\nRUN touch /two\nFROM two\nRUN touch /three\n",
    args: ["--target", "two"],
  },
  {
    name: "CRLF and a byte order mark",
    dockerfile: "\ufeffFROM base:1\r\nENV a=1 \\\r\n  b=2\r\nRUN echo $a$b > /out\r\n",
  },
  {
    name: "the escape directive",
    dockerfile: "# escape=`\nFROM base:1\nENV a=c `\n  b=2\nRUN echo `\n  $b > /out\n",
  },
  { name: "--label", dockerfile: "FROM base:1\nLABEL a=1\n", args: ["--label", "a=2", "--label", "b=x y"] },
];

/** Forms of what public projects have, rewritten: their commands are stand-ins. */
const FORMS: Case[] = [
  {
    name: "an interpreter's application",
    dockerfile:
      'ARG VERSION=1\nFROM base:${VERSION} AS deps\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN mkdir node_modules && cp package.json node_modules/\nFROM base:${VERSION}\nENV NODE_ENV=production\nWORKDIR /app\nCOPY --from=deps /app/node_modules ./node_modules\nCOPY . .\nUSER app\nEXPOSE 3000\nCMD ["node", "server.js"]\n',
    files: {
      "package.json": "{}",
      "package-lock.json": "{}",
      "server.js": "1",
      "lib/a.js": "2",
      ".dockerignore": "node_modules\nDockerfile\n.dockerignore\n",
    },
  },
  {
    name: "a compiled program in an empty image",
    dockerfile:
      'FROM base:1 AS build\nWORKDIR /src\nCOPY go.mod ./\nCOPY cmd ./cmd\nARG LDFLAGS=-s\nRUN mkdir -p /out && echo "binary $LDFLAGS" > /out/app && chmod 755 /out/app\nFROM scratch\nCOPY --from=build /etc/passwd /etc/passwd\nCOPY --from=build --chown=1000:1000 /out/app /app\nUSER 1000\nENTRYPOINT ["/app"]\n',
    files: { "go.mod": "m", "cmd/main.go": "x" },
    differs: { why: "buildah leaves PATH out", config: ["Env"] },
  },
  {
    name: "a database's server",
    dockerfile:
      'FROM base:1\nRUN set -eux; \\\n\tmkdir -p /var/lib/db /run/db; \\\n\tchown -R app:app /var/lib/db /run/db; \\\n# the data directory is for its owner\n\tchmod 1777 /var/lib/db\nENV DATA=/var/lib/db/data LANG=C.UTF-8\nCOPY docker-entrypoint.sh /usr/local/bin/\nRUN ln -s usr/local/bin/docker-entrypoint.sh /\nENTRYPOINT ["docker-entrypoint.sh"]\nSTOPSIGNAL SIGINT\nEXPOSE 5432\nCMD ["server"]\n',
    files: { "docker-entrypoint.sh": { content: '#!/bin/sh\nexec "$@"\n', mode: 0o755 } },
  },
  {
    name: "a web server",
    dockerfile:
      'FROM base:1\nLABEL maintainer="Web <web@host.example>"\nENV NGINX_VERSION 1.2.3\nENV PKG_RELEASE 1\nRUN mkdir -p /var/log/web && ln -sf /dev/stdout /var/log/web/access.log && ln -sf /dev/stderr /var/log/web/error.log\nCOPY conf/ /etc/web/\nCOPY html /usr/share/web/html\nEXPOSE 80 443\nSTOPSIGNAL SIGQUIT\nCMD ["web", "-g", "daemon off;"]\n',
    files: { "conf/web.conf": "c", "conf/conf.d/default.conf": "d", "html/index.html": "<p>" },
  },
  {
    name: "a cache server built from source",
    dockerfile:
      'FROM base:1\nRUN addgroup -g 999 cache 2>/dev/null || echo \'cache:x:999:\' >> /etc/group\nENV URL=http://x/y.tar.gz SHA=abc\nRUN set -eux; \\\n  savedList="$(ls /bin | head -1)"; \\\n  mkdir -p /usr/src/cache; \\\n  echo "$URL $SHA" > /usr/src/cache/src; \\\n  cp /usr/src/cache/src /usr/local.bin; \\\n  rm -r /usr/src/cache\nRUN mkdir /data && chown app:app /data\nWORKDIR /data\nCOPY entry.sh /usr/local/bin/\nENTRYPOINT ["entry.sh"]\nEXPOSE 6379\nCMD ["cache-server"]\n',
    files: { "entry.sh": { content: "#!/bin/sh\n", mode: 0o775 } },
  },
  {
    name: "a language's service with a virtual environment",
    dockerfile:
      'FROM base:1 AS builder\nENV PYTHONUNBUFFERED=1 \\\n    PIP_NO_CACHE_DIR=off\nWORKDIR /build\nCOPY requirements*.txt ./\nRUN mkdir -p /opt/venv/bin && cat requirements*.txt > /opt/venv/list && ln -s /bin/sh /opt/venv/bin/python\nFROM base:1 AS runtime\nCOPY --from=builder --chown=app:app /opt/venv /opt/venv\nENV PATH="/opt/venv/bin:$PATH"\nWORKDIR /srv\nCOPY --chown=app:app src/ ./\nUSER app:app\nHEALTHCHECK --interval=30s CMD python -c \'x\'\nCMD ["python", "-m", "service"]\n',
    files: {
      "requirements.txt": "a\n",
      "requirements-dev.txt": "b\n",
      "src/service/__init__.py": "",
      "src/service/__main__.py": "1",
    },
  },
  {
    name: "an application server's layers",
    dockerfile:
      'FROM base:1 AS extract\nWORKDIR /w\nCOPY app.jar .\nRUN mkdir -p dependencies/lib application/classes && cp app.jar dependencies/lib && touch application/classes/A\nFROM base:1\nWORKDIR /app\nCOPY --from=extract /w/dependencies/ ./\nCOPY --from=extract /w/application/ ./\nENV JAVA_OPTS=""\nENTRYPOINT ["sh", "-c", "java $JAVA_OPTS Main"]\n',
    files: { "app.jar": "jar" },
  },
  {
    name: "a static site",
    dockerfile:
      "FROM base:1 AS site\nCOPY content /site/content\nRUN cd /site && mkdir public && for f in content/*.md; do cp $f public/$(echo ${f#content/} | sed s/md/html/); done\nFROM base:1\nCOPY --from=site /site/public /var/www\nVOLUME /var/www\nEXPOSE 8080/tcp\n",
    files: { "content/one.md": "1", "content/two.md": "2" },
  },
  {
    name: "a tool that says its version",
    dockerfile:
      'FROM base:1\nARG VERSION=dev\nARG REVISION\nLABEL org.opencontainers.image.version=$VERSION \\\n      org.opencontainers.image.revision=$REVISION\nCOPY tool /usr/local/bin/tool\nENTRYPOINT ["/usr/local/bin/tool"]\nCMD ["--help"]\n',
    files: { tool: { content: "t", mode: 0o755 } },
    args: ["--build-arg", "VERSION=1.2", "--build-arg", "REVISION=abc"],
  },
  {
    name: "a builder image for others",
    dockerfile:
      'FROM base:1\nRUN mkdir -p /usr/src/app\nWORKDIR /usr/src/app\nONBUILD ARG NODE_ENV\nONBUILD ENV NODE_ENV $NODE_ENV\nONBUILD COPY package.json /usr/src/app/\nONBUILD RUN true\nONBUILD COPY . /usr/src/app\nCMD [ "npm", "start" ]\n',
  },
];

export const CASES: readonly Case[] = [...SMALL, ...COPYING, ...RUNNING, ...FORMS];
