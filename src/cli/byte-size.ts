import { InvalidArgumentError } from "commander";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** Bytes: "512MB", "1.5GiB", "1000000". */
export function byteSize(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim());
  const unit = parts && UNITS[parts[2].toUpperCase()];
  if (parts && unit) return Number(parts[1]) * unit;
  throw new InvalidArgumentError("It takes a number of bytes, such as 512MB or 2GiB.");
}
