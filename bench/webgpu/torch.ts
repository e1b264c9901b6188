import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface TorchRow {
  readonly name: string;
  readonly sigma: number;
  readonly steps?: number;
  /** of each round */
  readonly ms: readonly number[];
}

type TorchAnswer =
  | { readonly missing: string }
  | {
      readonly device: string;
      readonly versions: Readonly<Record<string, string>>;
      readonly rows: readonly TorchRow[];
    };

/** What PyTorch takes on CUDA, in a process of its own; or why there is none. */
export function torchOnCuda(
  python: string,
  script: string,
  { data, shape: [m, n] }: { data: Float32Array; shape: readonly [number, number] },
  rounds: number,
  seconds: number,
): TorchAnswer {
  const folder = mkdtempSync(join(tmpdir(), "torch-"));
  try {
    const file = join(folder, "matrix");
    writeFileSync(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const said = execFileSync(python, [script, file, ...[m, n, rounds, seconds].map(String)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    return JSON.parse(said) as TorchAnswer;
  } catch (error) {
    return { missing: `${python}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
