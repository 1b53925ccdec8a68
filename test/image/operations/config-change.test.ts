/** What `image import --change` makes of instructions. */
import { describe, expect, test } from "vitest";
import { configOf } from "../../../src/image/operations/config-change.ts";

describe("instructions that change an image's configuration", () => {
  test("are read as a Dockerfile's", () => {
    expect(
      configOf([
        'CMD ["a", "b c"]',
        "env A=1 B='x y'\nENV C=$A",
        "ENV D e f",
        "EXPOSE 80 53/UDP 8000-8001",
        'LABEL a="b c" d=e',
        "HEALTHCHECK --interval=5s CMD x",
        "ONBUILD RUN y",
        "STOPSIGNAL SIGINT",
        "USER app:app",
        "VOLUME /v",
        'VOLUME ["/w x"]',
        "WORKDIR /a",
        "WORKDIR b",
      ]),
    ).toEqual({
      Cmd: ["a", "b c"],
      Env: ["A=1", "B=x y", "C=1", "D=e f"],
      ExposedPorts: { "80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {} },
      Labels: { a: "b c", d: "e" },
      Healthcheck: { Test: ["CMD-SHELL", "x"], Interval: 5e9 },
      OnBuild: ["RUN y"],
      StopSignal: "SIGINT",
      User: "app:app",
      Volumes: { "/v": {}, "/w x": {} },
      WorkingDir: "/a/b",
    });
  });

  test("see each other, and have no PATH but their own", () => {
    expect(configOf(["CMD x", 'ENTRYPOINT ["y"]'])).toEqual({ Cmd: ["/bin/sh", "-c", "x"], Entrypoint: ["y"] });
    expect(configOf(['SHELL ["/bin/ash", "-c"]', "CMD x"])).toMatchObject({ Cmd: ["/bin/ash", "-c", "x"] });
    expect(configOf(["ENV PATH=/bin"])).toEqual({ Env: ["PATH=/bin"] });
    expect(configOf([])).toEqual({});
  });

  test.each([
    ["RUN x", /^"RUN x": RUN changes more than the configuration/],
    ["COPY a b", /^"COPY a b": COPY changes more/],
    ["MAINTAINER a", /^"MAINTAINER a": MAINTAINER changes more/],
    ["foo bar", /^"foo bar": unknown instruction "FOO"/],
    ["", /^"": CMD, .* and a value are expected/],
    ["FROM x", /^"FROM x": CMD, .* and a value are expected/],
    ["ENV a=b\nFROM x", /^"ENV a=b\\nFROM x": CMD, .* and a value are expected/],
    ["ENV a", /^"ENV a": ENV a: a value is missing/],
    ["EXPOSE x", /^"EXPOSE x": invalid port "x"/],
    ["STOPSIGNAL NO", /^"STOPSIGNAL NO": invalid signal/],
    ['ENV a="b', /^"ENV a=\\"b": a double quote is not closed/],
  ])("%j is refused by its name", (change, words) => {
    expect(() => configOf(["USER app", change])).toThrow(words);
  });
});
