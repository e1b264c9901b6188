/** The exports of all modules, instantiated with one memory. A module may import what those before it export. */
export function instantiate(
  modules: readonly WebAssembly.Module[],
  memory: WebAssembly.Memory,
): WebAssembly.Exports {
  const exports = {};
  for (const module of modules) {
    const env = { ...exports, memory, abort() {} };
    Object.assign(exports, new WebAssembly.Instance(module, { env }).exports);
  }
  return exports;
}
