// What importing the package does: the modules that WebAssembly compiles by it, and the time.
import { importCore } from "../contenders/core.js";

let compiled = 0;
const { Module, instantiate, compile } = WebAssembly;
WebAssembly.Module = new Proxy(Module, {
  construct(target, parts) {
    compiled++;
    return Reflect.construct(target, parts);
  },
});
WebAssembly.instantiate = ((...parts: Parameters<typeof instantiate>) => {
  compiled++;
  return instantiate(...parts);
}) as typeof instantiate;
WebAssembly.compile = (bytes) => {
  compiled++;
  return compile(bytes);
};

const begin = performance.now();
const core = await importCore(process.argv[2]);
const ms = performance.now() - begin;
const byImport = compiled;
core.spectralNorm([[1]]);
// The second count shows that the first one would have been noticed.
console.log(JSON.stringify({ ms, byImport, byFirstCall: compiled - byImport }));
