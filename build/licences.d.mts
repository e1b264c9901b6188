export function packageAt(folder: string): { name: string; version: string };
export function packageFolder(file: string): string | undefined;
export function licenceOf(folder: string): string;
