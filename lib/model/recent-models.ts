import type { Tensors } from '../engine/engine.ts';
import { limits } from '../limits.ts';
import { bytesOf } from '../state/state.ts';

/**
 * Models as the last invocation on a machine left them, the one that was used last at the end.
 * Bounded in number and in bytes.
 */
export type RecentModels<Kept> = Map<string, Kept>;

/** Keeps a model as the one that was used last, and forgets those that there is no room for. */
export function remember<Kept>(
  recent: RecentModels<Kept>,
  model: string,
  kept: Kept,
  tensorsOf: (kept: Kept) => Tensors,
): void {
  recent.delete(model);
  recent.set(model, kept);
  for (const oldest of [...recent.keys()]) {
    const bytes = [...recent.values()].reduce((sum, each) => sum + bytesOf(tensorsOf(each)), 0);
    if (recent.size <= limits.cachedModels && bytes <= limits.cachedModelBytes) return;
    recent.delete(oldest);
  }
}
