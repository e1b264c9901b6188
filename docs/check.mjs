// npm run docs:check, after docs:build: opens the pages in a browser, in light and dark mode, at the width of a phone and
// of a desktop. Writes pictures to test-output/docs. Fails if axe finds something, a page scrolls sideways, something is
// requested from elsewhere, or search finds nothing.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import chromiumBinary from "@sparticuz/chromium";
import { chromium } from "playwright-core";
import { preview } from "vite";

const docs = fileURLToPath(new URL(".", import.meta.url));
const dist = join(docs, ".vitepress", "dist");
const pictures = fileURLToPath(new URL("../test-output/docs", import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const base = process.env.DOCS_BASE ?? "/";

/** All pages, but of the generated reference only one of each kind. */
const PAGES = [
  ...readdirSync(dist, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith(".html") && !/^(api|live)\/|^404/.test(path))
    .sort(),
  "api/index.html",
  "api/spectral-norm/functions/singularTriplet.html",
  "api/spectral-norm/interfaces/SolveOptions.html",
];
const WIDTHS = { phone: 390, desk: 1280 };

const folder = mkdtempSync(join(tmpdir(), "docs-check-"));
const temporary = process.env.TMPDIR;
process.env.TMPDIR = folder;
const problems = [];
mkdirSync(pictures, { recursive: true });
const server = await preview({
  configFile: false,
  appType: "mpa",
  root: docs,
  base,
  logLevel: "error",
  build: { outDir: dist },
  preview: { port: 0, host: "localhost" },
});
const url = server.resolvedUrls.local[0];
const browser = await chromium.launch({
  executablePath: await chromiumBinary.executablePath(),
  args: ["--headless", "--no-sandbox", "--no-first-run", "--disable-background-networking"],
});
try {
  for (const [device, width] of Object.entries(WIDTHS))
    for (const colorScheme of ["light", "dark"]) {
      const context = await browser.newContext({
        viewport: { width, height: 900 },
        colorScheme,
        reducedMotion: "reduce",
      });
      const page = await context.newPage();
      const where = () => `${page.url().slice(url.length)} (${device}, ${colorScheme})`;
      page.on("pageerror", ({ message }) => problems.push(`${where()}: ${message}`));
      context.on("request", (request) => {
        if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(url))
          problems.push(`${where()}: requests ${request.url()}`);
      });
      context.on("response", (response) => {
        if (response.status() >= 400) problems.push(`${where()}: ${response.status()} ${response.url()}`);
      });
      for (const path of PAGES.filter((path) => existsSync(join(dist, path)))) {
        await page.goto(`${url}${path}`, { waitUntil: "networkidle" });
        const name = path.replace(/\.html$/, "").replaceAll("/", "-");
        await page.screenshot({ path: join(pictures, `${name}-${device}-${colorScheme}.png`) });
        const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        if (wide > 0) problems.push(`${where()}: ${wide} pixels too wide`);
        await page.addScriptTag({ content: axe });
        const { violations } = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })");
        for (const { id, nodes } of violations)
          for (const { html, failureSummary } of nodes)
            problems.push(
              `${where()}: ${id}: ${html.slice(0, 200)}\n  ${failureSummary.replaceAll("\n", "\n  ")}`,
            );
      }
      await context.close();
    }
  await search();
  await live();
} finally {
  await browser.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
  if (temporary === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = temporary;
}
for (const problem of problems) console.error(`docs: ${problem}`);
console.log(problems.length === 0 ? `docs: no problems; pictures are in ${pictures}` : "");
process.exit(problems.length > 0 ? 1 : 0);

/** Search works without a network: what it looks in lies beside the pages. */
async function search() {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(`${url}index.html`, { waitUntil: "networkidle" });
  await page.keyboard.press("/");
  await page.locator(".VPLocalSearchBox input").fill("singularTriplet");
  await page.locator(".VPLocalSearchBox .result").first().waitFor();
  await page.screenshot({ path: join(pictures, "search-desk-light.png") });
  await page.close();
}

/** The link to the live page leads there, and it computes. */
async function live() {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(`${url}index.html`, { waitUntil: "networkidle" });
  await page.getByRole("link", { name: "Live page" }).first().click();
  await page.waitForURL(`${url}live/index.html`);
  await page.locator("#machine").getByText("starting").waitFor({ state: "detached" });
  await page.close();
}
