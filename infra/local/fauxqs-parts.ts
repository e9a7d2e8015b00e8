/**
 * A module of fauxqs that it does not export; the version is pinned exactly.
 *
 * @param path below its `dist`
 */
export function loadPart(path: string): Promise<Record<string, unknown>> {
  return import(new URL(path, import.meta.resolve('fauxqs')).href);
}
