import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { examples, PAGES } from "../support/examples.ts";

const all = examples();

test("each example of the documents says whether it is run, and if not, why", () => {
  const form = /^(run|terminal|run="test\/[^"]+"|skip="[^"]{8,}")$/;
  expect(all.filter(({ mark }) => !form.test(mark))).toEqual([]);
  expect(all.filter(({ mark }) => mark === "run").length).toBeGreaterThanOrEqual(15);
});

test("an example that another test runs is read there", () => {
  for (const { page, mark } of all) {
    const file = /^run="(.*)"$/.exec(mark)?.[1];
    if (file === undefined) continue;
    expect(existsSync(file), `${page}: ${file}`).toBe(true);
    expect(readFileSync(file, "utf8"), file).toContain(page);
  }
});

test("what is typed stands in an example, not in another fence", () => {
  const fences = PAGES.flatMap((page) =>
    [...readFileSync(page, "utf8").matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, language = "", text = ""]) => ({
      ...{ page, language, text },
    })),
  );
  const typed = /^(\$ |(sudo )?(tsrunc|podman|docker|buildah|ctr|make) [\w-])/m;
  expect(fences.filter(({ language, text }) => !/^sh\b/.test(language) && typed.test(text))).toEqual([]);
});

test("the README has the engines' configuration that docs/engines.md has", () => {
  const blocks = (page: string, language: string) =>
    [...readFileSync(page, "utf8").matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
      ([, text = ""]) => text,
    );
  const lines = (text: string) => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const [podman = "", containerd = ""] = blocks("README.md", "toml");
  const [pagePodman = "", , pageContainerd = ""] = blocks("docs/engines.md", "toml");
  expect(lines(podman).sort()).toEqual(lines(pagePodman).sort());
  expect(lines(containerd)).toEqual(lines(pageContainerd));
  const json = (page: string) => JSON.parse(blocks(page, "json")[0] ?? "");
  expect(json("README.md")).toEqual(json("docs/engines.md"));
});
