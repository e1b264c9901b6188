import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";

/**
 * Gives the processes of a test run a Vulkan driver that computes on the processor: the SwiftShader that comes with the
 * Chromium of @sparticuz/chromium. The system's loader looks for it when a process starts, so it is here that the
 * environment is set, from which those of the tests are made. Elsewhere than on Linux the system has its own; one that
 * is named already stays.
 */
export default function setup(): (() => void) | undefined {
  if (process.platform !== "linux" || process.env["VK_ICD_FILENAMES"]) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "vulkan-"));
  const main = createRequire(import.meta.url).resolve("@sparticuz/chromium");
  const packed = join(main.slice(0, main.lastIndexOf(join("chromium", "build"))), "chromium", "bin");
  unpack(brotliDecompressSync(readFileSync(join(packed, "swiftshader.tar.br"))), folder);
  const { LD_LIBRARY_PATH: before } = process.env;
  process.env["LD_LIBRARY_PATH"] = before ? `${folder}:${before}` : folder;
  process.env["VK_ICD_FILENAMES"] = join(folder, "vk_swiftshader_icd.json");
  return () => {
    rmSync(folder, { recursive: true, force: true });
  };
}

/** The files of a tar archive, each by its name alone. */
function unpack(tar: Uint8Array, folder: string): void {
  const text = (from: number, length: number) =>
    Buffer.from(tar.subarray(from, from + length))
      .toString("latin1")
      .split("\0")[0];
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8);
    const isFile = text(at + 156, 1) === "" || text(at + 156, 1) === "0";
    const place = join(folder, basename(text(at, 100)));
    mkdirSync(dirname(place), { recursive: true });
    if (isFile) writeFileSync(place, tar.subarray(at + 512, at + 512 + size), { mode: 0o755 });
    at += 512 + 512 * Math.ceil(size / 512);
  }
}
