export function problemsOf(dist: string, base: string): string[];
