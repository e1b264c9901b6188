/** The exports of all modules, instantiated with one memory. A module may import what those before it export. */
export function instantiate(
  modules: readonly WebAssembly.Module[],
  memory: WebAssembly.Memory,
): WebAssembly.Exports {
  const env = Object.create({ memory, abort() {} });
  for (const module of modules) Object.assign(env, new WebAssembly.Instance(module, { env }).exports);
  return env;
}
