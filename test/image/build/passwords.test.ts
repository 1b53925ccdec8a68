import { expect, test } from "vitest";
import { DockerfileError } from "../../../src/image/build/language/position.ts";
import { withoutPasswords } from "../../../src/image/build/passwords.ts";

test.each([
  ["ADD https://me:secret@h.example/x /", "ADD https://me:xxxxx@h.example/x /"],
  ["https://:token@h.example", "https://:xxxxx@h.example"],
  ["git+ssh://me:p%40ss@h.example/r.git", "git+ssh://me:xxxxx@h.example/r.git"],
  ["http://me:a@b:c@h.example/", "http://me:xxxxx@h.example/"],
  ["https://a:1@h.example https://b:2@h.example", "https://a:xxxxx@h.example https://b:xxxxx@h.example"],
])("%s is shown as %s", (text, shown) => {
  expect(withoutPasswords(text)).toBe(shown);
});

test.each(["https://h.example:8443/x@y", "https://me@h.example/", "http://[::1]:80/a@b", "COPY a:b@c /"])(
  "%s has none",
  (text) => expect(withoutPasswords(text)).toBe(text),
);

test("no error about a Dockerfile shows one, whoever throws it", () => {
  const at = { file: "Dockerfile", line: 2, column: 5 };
  const { message } = new DockerfileError(at, "COPY takes no URL: ADD https://me:secret@h.example/x is right");
  expect(message).toBe("Dockerfile:2:5: COPY takes no URL: ADD https://me:xxxxx@h.example/x is right");
});
