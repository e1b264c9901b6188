// npm run test:runtimes [-- --only NAME]… [--require NAME]…
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const { module } = await runnerImport(fileURLToPath(new URL("run.ts", import.meta.url)), {
  logLevel: "error",
});
process.exitCode = module.status;
