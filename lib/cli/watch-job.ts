import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { decodeCheckpoint } from '../journal/checkpoint.ts';
import { keys } from '../journal/keys.ts';
import type { ObjectStore } from '../ports/ports.ts';
import { placeSchema } from '../training/lane.ts';
import type { Progress } from './progress.ts';

const progressSchema = z.object({ ...placeSchema.shape, rows: z.int(), rowsOfEpoch: z.int() });

/** A job's `progress.json`. */
export type JobProgress = z.output<typeof progressSchema>;

/**
 * Shows a batch job until it ended, and until its promotion, if it sent one, is in the model's journal.
 *
 * @param job its model and id, the epochs it will do, and the bar's title
 * @returns the job's last progress, and the entry that promoted it
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
  }: { readonly model: string; readonly job: string; readonly epochs: number; readonly title: string },
  signal: AbortSignal,
): Promise<{ readonly last: JobProgress; readonly promotion?: number }> {
  let bar: ReturnType<Progress['bar']> | undefined;
  try {
    for (;;) {
      const object = await store.get(keys.progress(model, job));
      const last = object && progressSchema.parse(JSON.parse(Buffer.from(object.body).toString('utf8')));
      if (last !== undefined && last.rows > 0) {
        bar ??= progress.bar(title, last.rows * epochs, 'samples');
        const isTraining = last.status === 'training';
        bar.update(last.epoch * last.rows + (isTraining ? last.rowsOfEpoch % last.rows : 0), {
          slice: String(last.slice + (isTraining ? 1 : 0)),
          'held-out log loss': last.heldOutLosses.at(-1)?.toFixed(4) ?? '–',
        });
      }
      if (last?.status === 'failed' || last?.status === 'kept-champion') return { last };
      if (last?.status === 'promotion-sent') {
        const state = await store.get(keys.state(model));
        const promoted = state && decodeCheckpoint(state.body).promoted;
        if (promoted?.job === job) return { last, promotion: promoted.sequence };
      }
      await delay(200, undefined, { signal });
    }
  } finally {
    bar?.finish();
  }
}
