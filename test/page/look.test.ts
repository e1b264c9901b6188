import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readThrough, type Site, settled, startSite } from "./site.js";

/** Kept by whoever runs the tests, to be looked at. */
const pictures = fileURLToPath(new URL("../../test-output/page", import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let site: Site;
beforeAll(async () => {
  mkdirSync(pictures, { recursive: true });
  site = await startSite();
});
afterAll(async () => {
  await site?.close();
});

interface Found {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
  }[];
}

it.each([375, 768, 1280])(
  "fits %i pixels and is accessible, by day and by night",
  async (width) => {
    const { page, amiss, close } = await site.open({
      viewport: { width, height: 900 },
      colorScheme: "light",
      reducedMotion: "reduce",
    });
    await readThrough(page);
    await page.getByRole("button", { name: "try a magic square" }).click();
    await page.getByText("One matrix; nothing was uploaded").waitFor();
    if (width === 1280) {
      const times = page.locator("#speed .actions");
      await times.getByRole("button", { name: "Time it" }).click();
      await settled(page, times);
      expect(await page.locator("#speed .remarks").innerText()).toContain("WebGPU: not available");
    }
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);

    // As high as the page, so that the editors draw all their lines.
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    await page.setViewportSize({ width, height });
    await page.evaluate(() => scrollTo(0, 0));
    await page.addScriptTag({ content: axe });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${pictures}/${width}-${colorScheme}.png` });
      const { violations } = await page.evaluate<Found>("axe.run(document, { resultTypes: ['violations'] })");
      const shown = violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)}\n${failureSummary}`),
      );
      expect(shown).toEqual([]);
    }
    expect(amiss).toEqual([]);
    await close();
  },
  120_000,
);
