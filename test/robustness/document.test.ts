import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { adversaries } from "../../robustness/cases.js";
import { casesIn } from "../../robustness/document.js";
import { repository } from "../package/install.js";

describe("docs/robustness.md", () => {
  it("has every case of the suite, in order; if not: npm run robustness", () => {
    const page = readFileSync(join(repository, "docs", "robustness.md"), "utf8");
    expect(casesIn(page)).toEqual(adversaries.map(({ name }) => name));
  });

  it("has names that are unique", () => {
    expect(new Set(adversaries.map(({ name }) => name)).size).toBe(adversaries.length);
  });
});
