/** The exports of a module, instantiated with this memory. */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): WebAssembly.Exports {
  return { ...new WebAssembly.Instance(module, { env: { memory } }).exports };
}
