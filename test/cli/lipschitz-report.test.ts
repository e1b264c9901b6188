import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { NO_PROGRESS } from "../../src/cli/progress.js";
import { type LipschitzFlags, runLipschitz } from "../../src/cli/run-lipschitz.js";
import { OutputError } from "../../src/files/writable.js";
import { FileError } from "../../src/index.js";
import { layersModel } from "../lipschitz/report/layers-model.js";
import { runCommand } from "./run-command.js";

vi.setConfig({ testTimeout: 120_000 });

const root = mkdtempSync(join(tmpdir(), "lipschitz-report-"));
afterAll(() => rmSync(root, { recursive: true }));

let folder: string;
let model: string;
let count = 0;
beforeEach(() => {
  folder = join(root, String(count++));
  mkdirSync(folder);
  const files = layersModel(
    [5],
    [
      { name: "first", units: 4, activation: "relu" },
      { name: "last", units: 3 },
    ],
  );
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  model = join(folder, "model.json");
});

async function run(models: readonly string[], flags: LipschitzFlags) {
  let [stdout, stderr] = ["", ""];
  const streams = {
    stdout: {
      write(text: string) {
        stdout += text;
      },
    },
    stderr: {
      write(text: string) {
        stderr += text;
      },
    },
    progress: NO_PROGRESS,
  };
  const status = await runLipschitz(models, flags, streams, "spectral-norm lipschitz typed");
  return { status, stdout, stderr };
}

/** All that is in the folder. */
const everything = () =>
  readdirSync(folder).map((name) => [
    name,
    statSync(join(folder, name)).ino,
    readFileSync(join(folder, name), "latin1"),
  ]);

describe("lipschitz --report", () => {
  it("writes a page with the answers that it prints, and says where", async () => {
    const report = join(folder, "page.html");
    const { status, stdout } = await run([model], { report });
    expect(status).toBe(0);
    expect(stdout.endsWith(`Report: ${report}\n`)).toBe(true);
    const { document } = parseHTML(readFileSync(report, "utf8"));
    expect([...document.querySelectorAll("tbody th")].map(({ textContent }) => textContent)).toEqual([
      "first",
      "first (relu)",
      "last",
    ]);
    expect(document.querySelector("code")?.textContent).toBe("spectral-norm lipschitz typed");
    const { stdout: json } = await run([model], { report, json: true });
    const last = JSON.parse(json.trim().split("\n").at(-1) ?? "");
    expect(last.proven).toBe(true);
    // In five digits, rounded upwards.
    const shown = Number(document.querySelector(".answers strong")?.textContent?.slice(2));
    expect(shown).toBeGreaterThanOrEqual(last.lipschitz);
    expect(shown).toBeLessThan(last.lipschitz * 1.0002);
  });

  it("replaces a page that it wrote before", async () => {
    const report = join(folder, "page.html");
    await run([model], { report });
    const before = readFileSync(report, "utf8");
    await run([model, model], { report });
    expect(readFileSync(report, "utf8").length).toBeGreaterThan(before.length);
  });

  it("is written where a model cannot be read, too, and names it", async () => {
    const report = join(folder, "page.html");
    const { status, stderr } = await run([model, join(folder, "none.onnx")], { report });
    expect(status).toBe(2);
    expect(stderr).toMatch(/none\.onnx: no such file/);
    expect(readFileSync(report, "utf8")).toMatch(/<li>[^<]*none\.onnx: no such file/);
  });

  const refused: [string, () => string, RegExp][] = [
    ["the model", () => model, /is one of the inputs/],
    ["a model that is not there", () => join(folder, "none.onnx"), /is one of the inputs/],
    ["a link to the model", () => join(folder, "link.json"), /is one of the inputs/],
    ["the model's weights", () => join(folder, "weights.bin"), /is not a report of spectral-norm lipschitz/],
    ["a text", () => join(folder, "notes.html"), /is not a report of spectral-norm lipschitz/],
    [
      "a page of another command",
      () => join(folder, "audit.html"),
      /is not a report of spectral-norm lipschitz/,
    ],
    ["a folder", () => folder, /it is a folder/],
    ["a file in a folder that is not there", () => join(folder, "none", "page.html"), /no such folder/],
  ];
  it.each(refused)("refuses %s before anything is done", async (_, path, message) => {
    linkSync(model, join(folder, "link.json"));
    writeFileSync(join(folder, "notes.html"), "do not lose this");
    writeFileSync(
      join(folder, "audit.html"),
      '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="generator" content="spectral-norm audit">\n',
    );
    const before = everything();
    let printed = "";
    const streams = {
      stdout: {
        write(text: string) {
          printed += text;
        },
      },
      stderr: {
        write(text: string) {
          printed += text;
        },
      },
      progress: NO_PROGRESS,
    };
    const models = [model, join(folder, "none.onnx")];
    const attempt = runLipschitz(models, { report: path() }, streams);
    await expect(attempt).rejects.toThrow(FileError);
    await expect(runLipschitz(models, { report: path() }, streams)).rejects.toThrow(message);
    expect(printed).toBe("");
    expect(everything()).toEqual(before);
  });

  it("refuses weights that are an empty file, which it could otherwise replace", async () => {
    writeFileSync(join(folder, "weights.bin"), "");
    await expect(run([model], { report: join(folder, "weights.bin") })).rejects.toThrow(
      /is one of the inputs/,
    );
    expect(statSync(join(folder, "weights.bin")).size).toBe(0);
  });

  it.skipIf(process.platform !== "linux")("prints its tables where the page cannot be written", async () => {
    let stdout = "";
    const streams = {
      stdout: {
        write(text: string) {
          stdout += text;
        },
      },
      stderr: { write() {} },
      progress: NO_PROGRESS,
    };
    await expect(runLipschitz([model], { report: "/dev/full" }, streams)).rejects.toThrow(OutputError);
    expect(stdout).toContain("bound so far");
    expect(stdout).not.toContain("Report:");
  });

  it("works in the bundle", () => {
    const report = join(folder, "page one.html");
    const { status, stdout, stderr } = runCommand("lipschitz", model, "--report", report);
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`Report: ${report}`);
    const { document } = parseHTML(readFileSync(report, "utf8"));
    expect(document.querySelector("code")?.textContent).toBe(
      `spectral-norm lipschitz ${model} --report '${report}'`,
    );
    expect(runCommand("lipschitz", model, "--report", model).status).toBe(2);
  });
});
