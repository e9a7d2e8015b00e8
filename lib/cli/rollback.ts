import { canRollBack } from '../commands/rollback.ts';
import { invalid } from '../errors.ts';
import { currentState } from '../fold/fold.ts';
import { entriesBackFrom, existingEntry } from '../journal/reading.ts';
import { deduplicationId } from '../ports/deduplication.ts';
import type { Ports } from '../ports/ports.ts';
import { entryOrTime } from './arguments.ts';
import { type Io, modelOf } from './io.ts';

/**
 * Sends the command that brings back the weights of an entry. A time stands for the last entry
 * committed by then.
 */
export async function rollback(
  { ports, print, result, mayChange }: Io,
  name: string,
  to: string | undefined,
): Promise<number> {
  if (to === undefined)
    throw invalid('millrace rollback: --to names an entry, or a time such as 2026-11-24T12:00Z');
  const target = entryOrTime('--to', to);
  const model = await modelOf(ports, name);
  const { sequence, retractions } = await currentState(ports, model);
  const entry =
    'entry' in target ? target.entry : await entryAt(ports, name, sequence, target.time);
  const possible = canRollBack({ sequence, retractions }, entry);
  if (!possible.ok) throw invalid(`--to: ${possible.reason}`);
  const what =
    entry === 0
      ? 'the weights of entry 0, which have learnt nothing'
      : `the weights of entry ${entry}, committed at ${await timeAt(ports, name, entry)}`;
  const aside = entry === sequence ? 'the last' : `of ${sequence}`;
  if (!(await mayChange(`${name}: go back to entry ${entry} (${aside}): ${what}`))) return 0;
  const body = JSON.stringify({ rollback: { to: entry } });
  await ports.sendCommand({
    body,
    group: name,
    deduplication: deduplicationId(name, 'rollback', ports.nonce()),
  });
  print(`${name}: sent the command; it is done in its turn`);
  result({ model: name, rollback: { to: entry } });
  return 0;
}

async function timeAt({ store }: Ports, model: string, entry: number): Promise<string> {
  return (await existingEntry(store, model, entry)).header.time;
}

/**
 * The last entry that was committed up to a time. @throws MillraceError kind `invalid` if there is
 * none
 */
async function entryAt(
  { store }: Ports,
  model: string,
  last: number,
  time: number,
): Promise<number> {
  let first = '';
  for await (const { header } of entriesBackFrom(store, model, last)) {
    if (Date.parse(header.time) <= time) return header.sequence;
    first = header.time;
  }
  const found = first === '' ? 'it has no entry' : `its first is of ${first}`;
  throw invalid(
    `--to: ${model} had learnt nothing by ${new Date(time).toISOString()} (${found}); ` +
      '--to 0 brings back the untrained weights',
  );
}
