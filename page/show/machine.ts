import type { Machine } from "../work/machine.js";
import { element } from "./element.js";
import { compute } from "./engine.js";

/** Lists what this browser computes with. */
export function machineLine(host: HTMLElement): void {
  const fill = (machine: Machine) => {
    const entries = [
      ["Kernels", kernels(machine)],
      ["Threads", threads(machine)],
      ["GPU", machine.webgpuMissing ?? "WebGPU is there"],
    ];
    host.replaceChildren(
      ...entries.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]),
    );
  };
  compute("machine", undefined).result.then(fill, (error: Error) => {
    host.replaceChildren(element("dt", {}, "Nothing can be computed"), element("dd", {}, error.message));
  });
}

function kernels({ kernels, reason }: Machine): string {
  if (kernels === "wasm-relaxed") return "WebAssembly with SIMD and fused multiply-add";
  if (kernels === "wasm") return "WebAssembly with SIMD";
  return `plain JavaScript: ${reason ?? "WebAssembly is not available"}`;
}

function threads({ cores, isolated }: Machine): string {
  const many = cores === 1 ? "one core" : `${cores} cores`;
  return isolated ? `${many}, which may share memory` : `${many}, but one thread: ${notIsolated}`;
}

/** Why threads cannot share memory, if they cannot. */
export const notIsolated =
  "the page came without the headers that make it cross-origin isolated (Cross-Origin-Opener-Policy, Cross-Origin-Embedder-Policy)";
