export interface Item {
  readonly text: string;
  readonly link?: string;
  readonly items?: readonly Item[];
}
export function sidebar(): Item[];
export function nav(): Item[];
export function footOf(path: string): { prev?: Item | false; next?: Item | false };
