import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, describe, expect, it } from "vitest";
import { checkOutputs, OutputError, type OutputRequest, writeOutput } from "../../src/files/writable.js";
import { FileError } from "../../src/index.js";

const folder = mkdtempSync(join(tmpdir(), "writable-"));
afterAll(() => rmSync(folder, { recursive: true }));

const request = (path: string): OutputRequest => ({
  option: "--report",
  path,
  mark: "MARK ",
  what: "a report",
  replaced: true,
});

describe("an output", () => {
  it("is checked again when it is written", () => {
    const path = join(folder, "late");
    checkOutputs([request(path)], []);
    writeFileSync(path, "somebody else's");
    const message = /^cannot write .*late: exists and is not a report /;
    expect(() => writeOutput(request(path), "MARK mine")).toThrow(message);
    expect(() => writeOutput(request(path), "MARK mine")).toThrow(OutputError);
    expect(readFileSync(path, "utf8")).toBe("somebody else's");
    expect(() => checkOutputs([request(path)], [])).toThrow(FileError);
  });

  it("leaves no trace of the check", () => {
    const path = join(folder, "trace");
    checkOutputs([request(path)], []);
    expect(readdirSync(folder)).not.toContain("trace");
    writeOutput(request(path), "MARK 1");
    checkOutputs([request(path)], []);
    writeOutput(request(path), "MARK 2");
    expect(readFileSync(path, "utf8")).toBe("MARK 2");
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it.each(["SIGINT", "SIGTERM"] as const)(
    "is whole after %s, and no temporary file is left",
    async (signal) => {
      const place = mkdtempSync(join(folder, "interrupted-"));
      const script = join(place, "script.mjs");
      const writable = fileURLToPath(new URL("../../src/files/writable.ts", import.meta.url));
      const size = 3e7;
      await build({
        stdin: {
          contents: `import { writeOutput } from ${JSON.stringify(writable)};
          const text = "MARK " + "x".repeat(${size});
          const request = { option: "--report", path: process.argv[2], mark: "MARK ", what: "a report", replaced: true };
          for (;;) {
            writeOutput(request, text);
            await new Promise((resolve) => setTimeout(resolve));
          }`,
          resolveDir: place,
        },
        outfile: script,
        bundle: true,
        format: "esm",
        platform: "node",
      });
      const target = join(place, "page");
      const child = spawn(process.execPath, [script, target], { stdio: "ignore" });
      const end = new Promise((resolve) => child.on("exit", (_, by) => resolve(by)));
      // In the middle of a write, as often as not.
      while (child.exitCode === null && !readdirSync(place).some((name) => name.endsWith(".tmp")))
        await new Promise((resolve) => setImmediate(resolve));
      child.kill(signal);
      expect(await end).toBe(signal);
      expect(readdirSync(place).filter((name) => name.endsWith(".tmp"))).toEqual([]);
      const whole = readdirSync(place).includes("page") ? readFileSync(target).length : size + 5;
      expect(whole).toBe(size + 5);
    },
  );
});
