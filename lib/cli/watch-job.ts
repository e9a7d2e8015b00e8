import { setTimeout as delay } from 'node:timers/promises';
import type { ObjectStore } from '../bucket/object-store.ts';
import { markedParts } from '../datasets/parts.ts';
import { type JobProgress, readProgress } from '../jobs/progress.ts';
import { figure, type Progress } from './progress.ts';

const endStatuses: ReadonlySet<JobProgress['status']> = new Set([
  'promoted',
  'kept-champion',
  'failed',
]);

/**
 * Shows a batch job until it ended, and until its promotion, if it sent one, is settled in the
 * model's journal.
 *
 * @param job its model and id, the epochs it will do, and the bar's title
 * @throws AbortError once the signal is aborted
 */
export async function watchJob(
  store: ObjectStore,
  progress: Progress,
  {
    model,
    job,
    epochs,
    title,
  }: {
    readonly model: string;
    readonly job: string;
    readonly epochs: number;
    readonly title: string;
  },
  signal: AbortSignal,
): Promise<JobProgress> {
  let bar: ReturnType<Progress['bar']> | undefined;
  let preparing: typeof bar;
  try {
    for (;;) {
      const last = await readProgress(store, model, job);
      if (last?.status === 'preparing' && last.parts?.isSideBySide) {
        const { plan, all } = last.parts;
        preparing ??= progress.bar('preparing', all, 'parts');
        preparing.update((await markedParts(store, plan)).size);
      } else if (last?.status === 'preparing') {
        preparing ??= progress.bar('preparing', Number.POSITIVE_INFINITY, 'rows');
        preparing.update(last.rows);
      } else if (last !== undefined && last.rows > 0) {
        preparing?.finish();
        bar ??= progress.bar(title, last.rows * epochs, 'samples');
        const isTraining = last.status === 'training';
        bar.update(last.epoch * last.rows + (isTraining ? last.rowsOfEpoch % last.rows : 0), {
          slice: String(last.slice + (isTraining ? 1 : 0)),
          'held-out loss': figure(last.heldOutLosses.at(-1)),
        });
      }
      if (last !== undefined && endStatuses.has(last.status)) return last;
      // To count parts is a listing, or some.
      const isLong = last?.status === 'preparing' && last.parts?.isSideBySide;
      await delay(isLong ? 2_000 : 200, undefined, { signal });
    }
  } finally {
    preparing?.finish();
    bar?.finish();
  }
}
