import { invalid } from '../errors.ts';
import type { Patience } from '../operations/await-command.ts';
import { chooseRetraction, type RetractChoice, sendRetraction } from '../operations/retract.ts';
import { timeOf } from './arguments.ts';
import { count, type Io } from './io.ts';
import { lateBar } from './named-file.ts';
import { tellEnd } from './tell-end.ts';

/** How the samples to be unlearnt are named. */
export type RetractOptions = {
  /** An SQS message id, or `<producer>:<seq>`. */
  readonly message?: string | undefined;
  /** A file in any of the formats that can be sent. */
  readonly samples?: string | undefined;
  /** Of that file: its rows are labels of what was asked under these ids. */
  readonly idColumn?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
};

/**
 * Folds the journal again without some samples, and sends the command that puts the result in
 * place.
 */
export async function retract(
  io: Io,
  name: string,
  options: RetractOptions,
  patience?: Patience,
): Promise<number> {
  const { ports, print, result, mayChange } = io;
  const chosen = await chooseRetraction(ports, name, choiceOf(options));
  const { first, last, samples, entries, jobs } = chosen.found;
  for (const { line, reason } of chosen.bad.slice(0, 10))
    print(`  line ${line} of ${options.samples} is no sample: ${reason}`);
  if (chosen.bad.length > 10) print(`  ${count(chosen.bad.length, 'line')} in all are none`);
  const { named = 0 } = chosen;
  if (named > samples)
    print(
      `  at least ${named - samples} of the ${count(named, 'sample')} of ${options.samples} ` +
        `${named - samples === 1 ? 'was' : 'were'} not learnt as written there, or unlearnt before`,
    );
  const what =
    `${name}: unlearn ${count(samples, 'sample')} of ` +
    (entries === 1
      ? `entry ${first.sequence} (${first.time}); `
      : `${count(entries, 'entry', 'entries')} from ${first.sequence} (${first.time}) to ` +
        `${last.sequence} (${last.time}); `) +
    `${jobs.map((job) => `what job ${job} had learnt goes too, since it had learnt them; `).join('')}` +
    'it cannot be undone';
  if (!(await mayChange(what))) return 0;
  const bar = lateBar(io, 'folding', 'entries');
  const { retract: command, to } = await sendRetraction(ports, chosen, bar.update).finally(
    bar.finish,
  );
  print(
    `${name}: folded entries ${command.from} to ${to} without ${count(samples, 'sample')} ` +
      'and sent the command',
  );
  for (const job of command.jobs) print(`  job ${job} is left out; a new one learns without them`);
  if (patience === undefined) {
    result({ model: name, retract: command, samples, ...(named > samples && { named }) });
    return 0;
  }
  const sent = { retract: command };
  return tellEnd({ ports, print, result }, name, sent, { after: to, patience });
}

function choiceOf({ message, samples, idColumn, from, to }: RetractOptions): RetractChoice {
  const ways = [message, samples, from ?? to].filter((each) => each !== undefined);
  if (idColumn !== undefined && samples === undefined)
    throw invalid('--id: goes with --samples <file>, whose column it is');
  if (ways.length === 1 && samples !== undefined) return { by: 'samples', file: samples, idColumn };
  if (ways.length === 1 && message !== undefined) return { by: 'message', message };
  if (ways.length === 1 && from !== undefined && to !== undefined) {
    const [first, last] = [timeOf('--from', from), timeOf('--to', to)];
    if (first <= last) return { by: 'time', first, last };
    throw invalid(`--to: must not be before --from (found ${from} to ${to})`);
  }
  throw invalid(
    'millrace retract: name --message <id or producer:seq>, or --samples <file>, or --from <time> --to <time>',
  );
}
