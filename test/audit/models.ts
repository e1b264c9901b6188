import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AuditLine, LeftOutLine } from "../../src/audit/line.js";
import type { AuditFlags } from "../../src/cli/audit-options.js";
import { runAudit } from "../../src/cli/run-audit.js";

/** Where the package with the trained models has them, as its users name them. */
export const faceApi = fileURLToPath(
  new URL("../../node_modules/@vladmandic/face-api/model", import.meta.url),
);

export const manifests = readdirSync(faceApi)
  .filter((name) => name.endsWith("-weights_manifest.json"))
  .map((name) => join(faceApi, name));

export interface ManifestWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: "float32";
}

/** A manifest's weights as TensorFlow.js itself decodes them. */
export async function decoded(
  manifest: string,
): Promise<Map<string, { shape: number[]; data: Float32Array }>> {
  const { io } = await import("@tensorflow/tfjs-core");
  await import("@tensorflow/tfjs-backend-cpu");
  const [group] = JSON.parse(readFileSync(manifest, "utf8"));
  const files = group.paths.map((path: string) => readFileSync(join(dirname(manifest), path)));
  const bytes = new Uint8Array(Buffer.concat(files));
  const tensors = io.decodeWeights(bytes.buffer, group.weights);
  return new Map(
    Object.entries(tensors).map(([name, tensor]) => [
      name,
      { shape: tensor.shape, data: Float32Array.from(tensor.dataSync()) },
    ]),
  );
}

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command within this process. */
export async function auditOf(models: readonly string[], flags: AuditFlags = {}): Promise<Outcome> {
  const [stdout, stderr] = [[] as string[], [] as string[]];
  const status = await runAudit(models, flags, {
    stdout: { write: (text) => stdout.push(text) },
    stderr: { write: (text) => stderr.push(text) },
    progress: { show() {}, clear() {}, end() {} },
    isStdout: () => false,
  });
  return { status, stdout: stdout.join(""), stderr: stderr.join("") };
}

export function linesOf(stdout: string): AuditLine[] {
  return stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

export async function answers(models: readonly string[], flags: AuditFlags = {}) {
  const { status, stdout, stderr } = await auditOf(models, { ...flags, json: true });
  return { status, stderr, lines: linesOf(stdout) };
}

export function isLeftOut(line: AuditLine | LeftOutLine): line is LeftOutLine {
  return "leftOut" in line;
}

/** Does something as if the terminal had so many columns. */
export async function inColumns<T>(columns: number, action: () => Promise<T>): Promise<T> {
  const before = process.env["COLUMNS"];
  process.env["COLUMNS"] = String(columns);
  try {
    return await action();
  } finally {
    if (before === undefined) delete process.env["COLUMNS"];
    else process.env["COLUMNS"] = before;
  }
}
