import { invalid } from '../errors.ts';
import type { Patience } from '../operations/await-command.ts';
import { findRollback, sendRollback } from '../operations/rollback.ts';
import { entryOrTime } from './arguments.ts';
import { count, type Io } from './io.ts';
import { wrapped } from './progress.ts';
import { tellEnd } from './tell-end.ts';

/**
 * Sends the command that brings back the weights of an entry. A time stands for the last entry
 * committed by then. With patience it waits until that is done; the answer is 1 if it was refused.
 */
export async function rollback(
  { ports, print, result, mayChange }: Io,
  name: string,
  to: string | undefined,
  patience?: Patience,
): Promise<number> {
  if (to === undefined)
    throw invalid('millrace rollback: --to names an entry, or a time such as 2026-11-24T12:00Z');
  const { entry, time, sequence, samples, respecified } = await findRollback(
    ports,
    name,
    entryOrTime('--to', to),
  );
  const what =
    time === undefined
      ? 'the weights of entry 0, with which it began'
      : `the weights of entry ${entry}, committed at ${time}`;
  if (samples > 0)
    for (const line of wrapped(
      `${count(samples, 'sample')} behind it stay in the journal: a job over it and another spec ` +
        'learn them again, and sent again they change nothing. To be rid of them: npx millrace retract',
    ))
      print(line);
  if (respecified !== undefined)
    for (const line of wrapped(
      `its spec changes as well, to that of before entry ${respecified}: samples with features ` +
        'that it neither has nor ignores are refused from then on, and by jobs over the journal, ' +
        `until its ignore names them (millrace spec ${name} <file>)`,
    ))
      print(line);
  const aside = entry === sequence ? 'the last' : `of ${sequence}`;
  if (!(await mayChange(`${name}: go back to entry ${entry} (${aside}): ${what}`))) return 0;
  await sendRollback(ports, name, entry);
  const command = { rollback: { to: entry } };
  if (patience === undefined) {
    print(`${name}: sent the command; it is done in its turn`);
    result({ model: name, ...command });
    return 0;
  }
  return tellEnd({ ports, print, result }, name, command, { after: sequence, patience });
}
