import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";

/** How long a test waits for a page: Playwright's own 30 s are not enough on a busy machine. */
export const PATIENCE_MS = 240_000;

/**
 * A Chromium that npm has brought, unpacked into a folder of its own; it is removed when the browser is closed.
 *
 * @param more  arguments beside those that it needs to run anywhere
 */
export async function startChromium(
  ...more: readonly string[]
): Promise<{ browser: Browser; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "chromium-"));
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = folder;
  try {
    const { default: packed } = await import("@sparticuz/chromium");
    const browser = await chromium.launch({
      executablePath: await packed.executablePath(),
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        ...more,
      ],
    });
    return {
      browser,
      async close() {
        await browser.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
}
