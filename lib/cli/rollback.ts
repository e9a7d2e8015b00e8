import { invalid } from '../errors.ts';
import { findRollback, sendRollback } from '../operations/rollback.ts';
import { entryOrTime } from './arguments.ts';
import type { Io } from './io.ts';

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
  const { entry, time, sequence } = await findRollback(ports, name, entryOrTime('--to', to));
  const what =
    time === undefined
      ? 'the weights of entry 0, with which it began'
      : `the weights of entry ${entry}, committed at ${time}`;
  const aside = entry === sequence ? 'the last' : `of ${sequence}`;
  if (!(await mayChange(`${name}: go back to entry ${entry} (${aside}): ${what}`))) return 0;
  await sendRollback(ports, name, entry);
  print(`${name}: sent the command; it is done in its turn`);
  result({ model: name, rollback: { to: entry } });
  return 0;
}
