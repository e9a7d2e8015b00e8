import { setTimeout as delay } from 'node:timers/promises';
import type { ObjectStore } from '../bucket/object-store.ts';
import { type JobProgress, readProgress } from '../jobs/progress.ts';
import { endOfPromotion } from '../operations/end-of-job.ts';
import type { Progress } from './progress.ts';

/**
 * Shows a batch job until it ended, and until its promotion, if it sent one, is settled in the
 * model's journal.
 *
 * @param job its model and id, the epochs it will do, and the bar's title
 * @returns the job's last progress, and the entry that promoted it or the reason why it was refused
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
): Promise<
  { readonly last: JobProgress } & Partial<{ readonly promotion: number; readonly refusal: string }>
> {
  let bar: ReturnType<Progress['bar']> | undefined;
  let looked = 0;
  try {
    for (;;) {
      const last = await readProgress(store, model, job);
      if (last !== undefined && last.rows > 0) {
        bar ??= progress.bar(title, last.rows * epochs, 'samples');
        const isTraining = last.status === 'training';
        bar.update(last.epoch * last.rows + (isTraining ? last.rowsOfEpoch % last.rows : 0), {
          slice: String(last.slice + (isTraining ? 1 : 0)),
          'held-out loss': last.heldOutLosses.at(-1)?.toFixed(4) ?? '–',
        });
      }
      if (last?.status === 'failed' || last?.status === 'kept-champion') return { last };
      if (last?.status === 'promotion-sent') {
        // The entries up to here are older than the promotion.
        looked = Math.max(looked, last.caughtUp);
        const found = await endOfPromotion(store, { model, job }, looked);
        if (found.end !== undefined) return { last, ...found.end };
        looked = found.looked;
      }
      await delay(200, undefined, { signal });
    }
  } finally {
    bar?.finish();
  }
}
