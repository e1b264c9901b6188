import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { BrowserContextOptions, Locator, Page } from "playwright-core";
import { build, preview } from "vite";
import { PATIENCE_MS, startChromium } from "../browser/chromium.js";

const root = fileURLToPath(new URL("../../page", import.meta.url));
const configFile = join(root, "vite.config.ts");

/** The page as it is built, served, and open in a browser. */
export interface Site {
  /** Opens it; what should not happen is noted from then on. */
  open(options?: Visit): Promise<Opened>;
  close(): Promise<void>;
}

export interface Visit extends BrowserContextOptions {
  /** without the headers that make a page cross-origin isolated, and in a folder of its own */
  readonly plain?: boolean;
}

export interface Opened {
  readonly page: Page;
  /** errors and warnings on the console, exceptions, requests that failed or went elsewhere */
  readonly amiss: string[];
  /** names of the files that the page has asked for, and their size with gzip, in bytes */
  loaded(): Map<string, number>;
  close(): Promise<void>;
}

/**
 * Builds the page into a folder of its own and serves it twice: as `npm run page` does, and without its headers.
 *
 * @param flags  for the browser
 */
export async function startSite(...flags: readonly string[]): Promise<Site> {
  const outDir = mkdtempSync(join(tmpdir(), "page-"));
  await build({ configFile, logLevel: "error", build: { outDir, emptyOutDir: true } });
  const shared = { logLevel: "error", build: { outDir }, preview: { port: 0, host: "localhost" } } as const;
  const isolated = await preview({ configFile, ...shared });
  const plain = await preview({ configFile: false, root, base: "/some/folder/", ...shared });
  const urlOf = ({ resolvedUrls }: typeof plain) => resolvedUrls?.local[0] ?? "";
  const chromium = await startChromium(...flags);
  return {
    async open({ plain: withoutHeaders, ...options } = {}) {
      const url = urlOf(withoutHeaders ? plain : isolated);
      const context = await chromium.browser.newContext(options);
      context.setDefaultTimeout(PATIENCE_MS);
      const page = await context.newPage();
      const amiss: string[] = [];
      const sizes = new Map<string, number>();
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) amiss.push(`${message.type()}: ${message.text()}`);
      });
      page.on("pageerror", ({ message }) => amiss.push(`exception: ${message}`));
      page.on("requestfailed", (request) => amiss.push(`failed: ${request.url()}`));
      context.on("request", (request) => {
        const asked = request.url();
        if (asked.startsWith("data:") || asked.startsWith("blob:")) return;
        if (!asked.startsWith(url)) amiss.push(`elsewhere: ${asked}`);
        else {
          const name = asked.slice(url.length).replace(/[?#].*/, "") || "index.html";
          sizes.set(name, gzipSync(readFileSync(join(outDir, name))).length);
        }
      });
      page.on("response", (response) => {
        if (response.status() >= 400) amiss.push(`${response.status()}: ${response.url()}`);
      });
      await page.goto(url);
      return { page, amiss, loaded: () => new Map(sizes), close: () => context.close() };
    },
    async close() {
      await chromium.close();
      await Promise.all([isolated, plain].map((server) => server.close()));
      rmSync(outDir, { recursive: true, force: true });
    },
  };
}

/** Scrolls through the whole page, so that everything that runs when it is seen does, and waits until it is done. */
export async function readThrough(page: Page): Promise<void> {
  for (const section of await page.locator("main section").all()) {
    for (const live of await section.locator(".actions").all()) {
      await live.scrollIntoViewIfNeeded();
      if ((await live.getByRole("button", { name: "Run" }).count()) > 0) await settled(live.page(), live);
    }
  }
}

/**
 * Presses a button by the keyboard. A click can miss a button on a page that has just been opened: the cells above it run
 * when they come into view, and their results move it.
 */
export async function press(button: Locator): Promise<void> {
  await button.press("Enter");
}

/** Waits for a computation to end, and gives what is said of it. */
export async function settled(page: Page, actions: ReturnType<Page["locator"]>): Promise<string> {
  const handle = await actions.elementHandle();
  await page.waitForFunction(
    (node) => ["done", "failed", "stopped"].includes((node as HTMLElement).dataset["state"] ?? ""),
    handle,
    // By default the state is read at every frame, and a hidden page may draw none.
    { polling: 100 },
  );
  return (await actions.getByRole("status").textContent()) ?? "";
}
