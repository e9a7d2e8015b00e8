import { readEntry } from '../journal/journal.ts';
import type { Ports } from '../ports/ports.ts';
import { type Message, parseMessage } from './messages.ts';

/** What became of dead letters: sent again, or settled before they died. */
export type Redriven = { readonly sent: readonly Message[]; readonly settled: readonly Message[] };

/**
 * Sends dead letters of the samples queue again. One without a producer's number gets a new number from SQS, by
 * which the ledger would take it for new: it is looked up in the journal first, and left out if it was settled there.
 *
 * @param isDryRun says what would be sent, and sends nothing
 * @throws MillraceError kind `unavailable` if S3 or SQS do not answer: those not in the answer are still to be sent
 */
export async function redriveSamples(
  { store, sendSamples }: Pick<Ports, 'store' | 'sendSamples'>,
  letters: readonly Message[],
  isDryRun = false,
): Promise<Redriven> {
  const sent: Message[] = [];
  const settled: Message[] = [];
  for (const [model, ofModel] of Map.groupBy(letters, ({ group }) => group)) {
    const anonymous = ofModel.filter((letter) => parseMessage(letter).identity.producer === undefined);
    const known = anonymous.length > 0 ? await settledIds(store, model) : new Set();
    for (const letter of ofModel) {
      if (anonymous.includes(letter) && known.has(letter.id)) {
        settled.push(letter);
        continue;
      }
      sent.push(letter);
      if (!isDryRun) await sendSamples({ body: letter.body, group: model, deduplication: letter.id });
    }
  }
  return { sent, settled };
}

/** The ids of all messages that a model's journal settles. */
async function settledIds(store: Ports['store'], model: string): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (let sequence = 1; ; sequence++) {
    const entry = await readEntry(store, model, sequence);
    if (entry === undefined) return ids;
    for (const { id } of entry.header.messages) ids.add(id);
  }
}
