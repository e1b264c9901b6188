import { type ParseArgsConfig, parseArgs } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;

/**
 * The options of the command line. With `--help` it prints their names, and with an unknown one an error, and ends the
 * process.
 */
export function commandLine<const T extends Options>(options: T) {
  const names = Object.entries(options).map(
    ([name, { type }]) => `--${name}${type === "string" ? " X" : ""}`,
  );
  if (process.argv.includes("--help")) {
    console.log(`Options: ${names.join(", ")}. bench/README.md says what they are.`);
    process.exit(0);
  }
  try {
    return parseArgs({ options, strict: true }).values;
  } catch (error) {
    console.error(`bench: ${(error as Error).message}`);
    process.exit(2);
  }
}
