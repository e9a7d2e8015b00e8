import { canRollBack } from '../commands/rollback.ts';
import { invalid } from '../errors.ts';
import { currentState } from '../fold/fold.ts';
import { entriesBackFrom } from '../journal/reading.ts';
import { deduplicationId } from '../ports/deduplication.ts';
import type { Ports } from '../ports/ports.ts';
import { type Io, modelOf } from './io.ts';

/**
 * Sends the command that brings back the weights of an entry. A time stands for the last entry
 * committed by then.
 */
export async function rollback(
  { ports, print }: Io,
  name: string,
  to: string | undefined,
): Promise<number> {
  if (to === undefined)
    throw invalid('millrace rollback: --to names an entry, or a time such as 2026-11-24T12:00Z');
  const model = await modelOf(ports, name);
  const state = await currentState(ports, model);
  const entry = /^\d+$/.test(to) ? Number(to) : await entryAt(ports, name, state.sequence, to);
  if (entry > state.sequence)
    throw invalid(`--to: the journal of ${name} ends at entry ${state.sequence} (found ${entry})`);
  const possible = canRollBack(state, entry);
  if (!possible.ok) throw invalid(`--to: ${possible.reason}`);
  const body = JSON.stringify({ rollback: { to: entry } });
  await ports.sendSamples({
    body,
    group: name,
    deduplication: deduplicationId(name, 'rollback', ports.nonce()),
  });
  print(
    `${name}: sent the command to go back to entry ${entry} of ${state.sequence}; it is done in its turn`,
  );
  return 0;
}

/** The last entry that was committed up to a time. */
async function entryAt(
  { store }: Ports,
  model: string,
  last: number,
  text: string,
): Promise<number> {
  const time = Date.parse(text);
  if (Number.isNaN(time))
    throw invalid(`--to: must be an entry's number or a time (found ${JSON.stringify(text)})`);
  for await (const { header } of entriesBackFrom(store, model, last)) {
    if (Date.parse(header.time) <= time) return header.sequence;
  }
  return 0;
}
