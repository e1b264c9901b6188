import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync } from "vite";
import { expect, it } from "vitest";
import { safetensors } from "../files/models.js";
import { encode, npy } from "../files/writers.js";
import { command, runCommand } from "./run-command.js";

const dist = fileURLToPath(new URL("../../dist", import.meta.url));
const files = readdirSync(join(dist, "cli"));
const scripts = files.filter((file) => file.endsWith(".js"));

it("imports nothing that an installed package would lack", () => {
  for (const script of scripts) {
    const text = readFileSync(join(dist, "cli", script), "utf8");
    const { staticImports, dynamicImports, staticExports } = parseSync(script, text).module;
    const imported = [
      ...staticImports.map(({ moduleRequest }) => moduleRequest.value),
      ...staticExports.flatMap(({ entries }) => entries.flatMap((entry) => entry.moduleRequest?.value ?? [])),
      // What is no string is put together when the program runs, for tensor libraries alone.
      ...dynamicImports.flatMap(
        ({ moduleRequest: { start, end } }) => /^"([^"]+)"$/.exec(text.slice(start, end))?.[1] ?? [],
      ),
    ];
    expect(imported.length, script).toBeGreaterThan(0);
    for (const name of imported) {
      const found = name.startsWith(".")
        ? existsSync(join(dist, "cli", name))
        : builtinModules.includes(name.replace(/^node:/, "")) ||
          /^@(tensorflow\/tfjs-|jax-js\/jax$)/.test(name);
      expect([script, name, found]).toEqual([script, name, true]);
    }
  }
});

it("is a program, and replaces what the compiler left", () => {
  expect(readFileSync(command, "utf8").startsWith("#!/usr/bin/env node\n")).toBe(true);
  accessSync(command, constants.X_OK);
  expect(files.filter((file) => file.endsWith(".d.ts"))).toEqual([]);
  expect(
    ["audit", "engines", "experiment", "files", "lipschitz", "report"].filter((folder) =>
      existsSync(join(dist, folder)),
    ),
  ).toEqual([]);
});

it("has the functions for complex matrices", () => {
  const folder = mkdtempSync(join(tmpdir(), "bundle-"));
  try {
    const file = join(folder, "complex.npy");
    writeFileSync(file, npy({ descr: "<c16", shape: [1, 2], data: encode("<f8", [3, 0, 0, 4]) }));
    const model = join(folder, "complex.safetensors");
    const data = encode("<f4", [3, 0, 0, 4]);
    writeFileSync(model, safetensors([{ name: "w", dtype: "C64", shape: [1, 2], data }]));
    for (const [name, path] of [
      ["norm", file],
      ["audit", model],
    ]) {
      const { status, stdout, stderr } = runCommand(name, path, "--json");
      expect([status, stderr]).toEqual([0, ""]);
      expect(JSON.parse(stdout)).toMatchObject({
        rows: 1,
        cols: 2,
        sigma: expect.closeTo(5, 12),
        converged: true,
      });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("carries the licence of everything that it contains", () => {
  const text = readFileSync(join(dist, "cli", "THIRD-PARTY-LICENSES.txt"), "utf8");
  for (const name of [
    "commander",
    "cli-table3",
    "cli-progress",
    "ml-matrix",
    "linkedom",
    "@observablehq/plot",
    "d3-array",
  ])
    expect(text).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+`, "m"));
  expect(text).toMatch(/Permission is hereby granted/);
});
