/** The tolerances that ours may be asked for, descending: 1, 2 and 5 times each power of ten. */
export const TOLERANCES: readonly number[] = Array.from({ length: 36 }, (_, i) =>
  Number(`${[5, 2, 1][i % 3]}e-${2 + Math.floor(i / 3)}`),
);

/**
 * For each bound, the place of the loosest tolerance whose error is at most the bound, if there is one. It is found by
 * bisection. An error may be larger than that at a looser tolerance by chance; then the place may not be the first one,
 * but its error has been measured and is at most the bound.
 *
 * @param count  number of tolerances, descending
 * @param errorAt  the error of the result at the tolerance in a place; called once at most for each
 */
export async function loosestPlaces(
  bounds: readonly number[],
  count: number,
  errorAt: (place: number) => Promise<number>,
): Promise<Set<number>> {
  const errors = new Map<number, number>();
  const measured = async (place: number) => {
    const error = errors.get(place) ?? (await errorAt(place));
    errors.set(place, error);
    return error;
  };
  const places = new Set<number>();
  for (const bound of bounds) {
    let [low, high] = [0, count];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((await measured(middle)) <= bound) high = middle;
      else low = middle + 1;
    }
    if (low < count) places.add(low);
  }
  return places;
}
