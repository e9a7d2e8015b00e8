import { isRecord } from '../parse.ts';
import { canonicalJson } from '../spec/identity.ts';

/** A value of a spec that changes; absent where there is none. */
export type SpecDifference = {
  /** Such as `online.rate`, or `online.experts[2].halfLife`. */
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
  /** Of two lists: what only either of them has; else all that stands there. */
  readonly isPart?: true;
};

/**
 * Where two values of JSON differ, down to single values. Of lists that became longer or shorter,
 * what only one of them has.
 */
export function differencesOf(before: unknown, after: unknown, path = ''): SpecDifference[] {
  if (isSame(before, after)) return [];
  if (isRecord(before) && isRecord(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    const inside = (name: string) => (path === '' ? name : `${path}.${name}`);
    return [...names].flatMap((name) => differencesOf(before[name], after[name], inside(name)));
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    if (before.length === after.length)
      return before.flatMap((each, i) => differencesOf(each, after[i], `${path}[${i}]`));
    const without = (list: readonly unknown[], others: readonly unknown[]) =>
      list.filter((each) => !others.some((other) => isSame(each, other)));
    const [gone, come] = [without(before, after), without(after, before)];
    if (gone.length + come.length > 0) return [{ path, before: gone, after: come, isPart: true }];
  }
  return [
    {
      path,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    },
  ];
}

function isSame(a: unknown, b: unknown): boolean {
  return canonicalJson({ value: a }) === canonicalJson({ value: b });
}
