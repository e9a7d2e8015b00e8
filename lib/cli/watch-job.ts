import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { readJsonObject } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { placeSchema } from '../jobs/lane.ts';
import type { Entry } from '../journal/entry.ts';
import { readQuarantineRecord } from '../journal/quarantine.ts';
import { entriesAfter } from '../journal/reading.ts';
import { parseMessage } from '../online/messages.ts';
import type { Progress } from './progress.ts';

const progressSchema = z.object({ ...placeSchema.shape, rows: z.int(), rowsOfEpoch: z.int() });

/** A job's `progress.json`. */
export type JobProgress = z.output<typeof progressSchema>;

/** The entry that promoted a job, or why its promotion was refused. */
type Settled = { readonly promotion: number } | { readonly refusal: string };

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
      const last = await readJsonObject(store, keys.progress(model, job), progressSchema);
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
        // The entries up to here are older than the promotion.
        looked = Math.max(looked, last.caughtUp);
        for await (const entry of entriesAfter(store, model, looked)) {
          const settled = await settledBy(store, entry, job);
          if (settled !== undefined) return { last, ...settled };
          looked = entry.header.sequence;
        }
      }
      await delay(200, undefined, { signal });
    }
  } finally {
    bar?.finish();
  }
}

/** Whether an entry settles a job's promotion. */
async function settledBy(
  store: ObjectStore,
  { header }: Entry,
  job: string,
): Promise<Settled | undefined> {
  if (header.kind === 'promote' && header.job === job) return { promotion: header.sequence };
  for (const message of header.messages) {
    if (message.outcome !== 'rejected') continue;
    const record = await readQuarantineRecord(store, keys.quarantine(header.model, message.id));
    const { command } = parseMessage({ ...message, body: record?.body ?? '', group: header.model });
    if (command.kind === 'promote' && command.body.promote.job === job) {
      return { refusal: record?.refused.map(({ reason }) => reason).join('; ') ?? '' };
    }
  }
  return undefined;
}
