/** The exports of all modules, instantiated with one memory. */
export function instantiate(
  modules: readonly WebAssembly.Module[],
  memory: WebAssembly.Memory,
): WebAssembly.Exports {
  const imports = { env: { memory, abort: () => {} } };
  return Object.assign({}, ...modules.map((module) => new WebAssembly.Instance(module, imports).exports));
}
