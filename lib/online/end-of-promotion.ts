import type { ObjectStore } from '../bucket/object-store.ts';
import type { EntryHeader } from '../commands/commands.ts';
import { type EndOfPromotion, reportPromotion } from '../jobs/progress.ts';
import { refusalIn } from '../journal/quarantine.ts';
import { headersAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';
import { type ParsedMessage, parseMessage } from './messages.ts';

/**
 * What became of the promotion that a job sent.
 *
 * @param after the entry up to which it is known not to be settled
 * @returns the end, if the journal has it; and the entry up to which it was looked for
 */
export async function endOfPromotion(
  store: ObjectStore,
  { model, job }: { readonly model: string; readonly job: string },
  after: number,
): Promise<{ readonly end?: EndOfPromotion; readonly looked: number }> {
  let looked = after;
  for await (const header of headersAfter(store, model, after, { ahead: limits.readsAtOnce })) {
    const end = await settledBy(store, header, job);
    looked = header.sequence;
    if (end !== undefined) return { end, looked };
  }
  return { looked };
}

/**
 * Writes into the `progress.json` of jobs how their promotions ended. Called with settled messages,
 * before they are acknowledged: what was not written is written when they come back.
 *
 * @param entries that this invocation committed
 * @throws MillraceError kind `unavailable` if S3 does not answer
 */
export async function reportPromotions(
  ports: Ports,
  model: string,
  settled: readonly ParsedMessage[],
  entries: readonly EntryHeader[],
): Promise<void> {
  for (const { command } of settled) {
    if (command.kind !== 'promote') continue;
    const { job } = command.body.promote;
    await reportPromotion(ports, { model, job }, async (caughtUp) => {
      for (const header of entries) {
        const end = await settledBy(ports.store, header, job);
        if (end !== undefined) return end;
      }
      return (await endOfPromotion(ports.store, { model, job }, caughtUp)).end;
    });
  }
}

/** Whether an entry settles a job's promotion. */
async function settledBy(
  store: ObjectStore,
  header: EntryHeader,
  job: string,
): Promise<EndOfPromotion | undefined> {
  if (header.kind === 'promote' && header.job === job) return { promotion: header.sequence };
  const refusal = await refusalIn(store, header, (body, message) => {
    const { command } = parseMessage({ ...message, body, group: header.model });
    return command.kind === 'promote' && command.body.promote.job === job;
  });
  return refusal === undefined ? undefined : { refusal };
}
