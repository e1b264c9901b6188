import { readFileSync, readdirSync } from "node:fs";
import { it } from "vitest";
import { readOnnxNetwork } from "../../src/files/onnx-network.js";
import { memorySource } from "../../src/files/source.js";
const files = (process.env["MODELS"] ?? "").split(" ").filter(Boolean);
it("reads", () => {
  for (const f of files) {
    const bytes = new Uint8Array(readFileSync(f));
    const t = performance.now();
    try {
      const net = readOnnxNetwork(memorySource(bytes), () => memorySource(bytes), f, { open() { throw new Error("no"); } });
      const needed = new Set<string>(net.outputs);
      const lines: string[] = [];
      for (const n of [...net.nodes].reverse()) {
        if (!n.outputs.some((o) => needed.has(o))) continue;
        n.inputs.forEach((i) => needed.add(i));
        const m = n.map;
        const d = m.kind === "lipschitz" ? `${m.constants.join(",")} ${m.how}` : m.kind === "unbounded" ? m.reason : m.kind === "matrix" ? `${m.shape} @${m.axis}` : m.kind === "scaling" ? `x${m.factors.length} ${m.factors[0]} @${m.axis}` : `${m.outputs},${m.depth},${JSON.stringify(m.axes)}`;
        if (!process.env["BAD"] || m.kind === "unbounded") lines.push(`  ${n.op} [${n.shape}] ${m.kind} ${d}`);
      }
      console.log(f, JSON.stringify(net.inputs), net.outputs, `${net.nodes.length} nodes ${(performance.now() - t).toFixed(0)} ms\n` + lines.reverse().slice(0, +(process.env["LINES"] ?? 60)).join("\n"));
    } catch (e) { console.log(f, String((e as Error).stack).slice(0, 600)); }
  }
});
