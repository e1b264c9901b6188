import type { DeviceArray, HostTriplet } from "./device-types.js";
import type { Session } from "./session.js";
import { GROUP } from "./shaders/common.js";
import { NUMBERS_PER_THREAD } from "./shaders/rank-one.js";
import { bind, spareBuffers } from "./stored-matrix.js";

/** A vector on the device, which the caller destroys. */
export function vectorOn(session: Session, x: Float32Array): DeviceArray<[number]> {
  const buffer = session.storage("a singular vector", x.length);
  session.write(buffer, 0, x);
  return { buffer, shape: [x.length] };
}

/** Writes u·vᵀ to `buffer` from number `offset` on. For σ = 0 nothing is written, because the buffer is zero. */
export async function writeRankOne(
  session: Session,
  { sigma, u, v }: Pick<HostTriplet, "sigma" | "u" | "v">,
  buffer: GPUBuffer,
  offset: number,
): Promise<void> {
  if (sigma === 0) return;
  const program = await session.wait(session.programs.get({ name: "rankOne" }));
  const spare = spareBuffers(session);
  const [left, right] = [vectorOn(session, u).buffer, vectorOn(session, v).buffer];
  const [m, n] = [u.length, v.length];
  const { maxStorageBufferBindingSize } = session.device.limits;
  // A binding begins at a multiple of 64 numbers, so up to 63 numbers before the part.
  const rows = Math.max(1, Math.floor((maxStorageBufferBindingSize / 4 - 128) / n));
  for (let firstRow = 0; firstRow < m; firstRow += rows) {
    const count = Math.min(rows, m - firstRow);
    const from = offset + firstRow * n;
    const begin = from - (from % 64);
    const bindings = bind(
      session,
      { buffer: spare.matrix },
      { ...spare, basis: right, side: left },
      { buffer, offset: 4 * begin, size: 4 * (from + count * n - begin) },
    );
    const groups = Math.ceil((count * n) / (GROUP * NUMBERS_PER_THREAD));
    session.run([
      { program, bindings, params: { groups, rows: count, cols: n, first_row: firstRow, to: from - begin } },
    ]);
  }
  await session.settle();
  for (const used of [...Object.values(spare), left, right]) session.drop(used);
}
