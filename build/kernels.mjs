// Compiles the AssemblyScript kernels and inlines them as text in an ES module: that works unchanged in
// Node, in browsers and under bundlers, which a URL beside the module does not. As hexadecimal digits, because
// they keep bytes apart: gzip finds the repeats in them, and makes them a fifth smaller than base64.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const source = "src/kernels/wasm/assembly";
const target = "src/kernels/wasm/binary.generated.ts";
const scratch = join(tmpdir(), `kernels-${process.pid}`);

const builds = [
  // The hot loops twice: fused multiply-add is of no use elsewhere.
  { name: "products", entry: "products.ts", features: ["simd"] },
  { name: "fused", entry: "fused.ts", features: ["simd", "relaxed-simd"] },
  { name: "dense", entry: "dense.ts", features: ["simd"] },
  // Never relaxed: a proof counts roundings.
  { name: "proof", entry: "proof.ts", features: ["simd"] },
];

mkdirSync(scratch, { recursive: true });
let module = "// Made by build/kernels.mjs.\n";
for (const { name, entry, features } of builds) {
  const out = join(scratch, `${name}.wasm`);
  const { error, stderr } = await asc.main([
    join(source, entry),
    ...[
      "--outFile",
      out,
      "-O3",
      "--noAssert",
      "--runtime",
      "stub",
      "--importMemory",
      "--maximumMemory",
      "65536",
    ],
    ...features.flatMap((feature) => ["--enable", feature]),
  ]);
  if (error) {
    console.error(stderr.toString());
    process.exit(1);
  }
  module += `export const ${name}: string =\n  "${readFileSync(out).toString("hex")}";\n`;
}
rmSync(scratch, { recursive: true });
writeFileSync(target, module);
