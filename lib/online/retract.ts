import { retracted, settleMessages } from '../fold/fold.ts';
import type { Model } from '../fold/model.ts';
import type { EntryHeader } from '../journal/entry.ts';
import type { Ports } from '../ports/ports.ts';
import type { State } from '../state/state.ts';
import type { Change } from './learn-messages.ts';
import type { ParsedMessage, RetractCommand } from './messages.ts';
import { challengerFor } from './promote.ts';
import { commandCommon, rejectCommand } from './settle-command.ts';

/**
 * Puts the weights that never learnt the retracted samples in place of the current ones, with what the stream taught
 * since. Nothing is deleted: the entry names what was left out, and later folds honour it.
 */
export async function retract(
  ports: Ports,
  model: Model,
  state: State,
  parsed: ParsedMessage,
  { job, digest, from, messages, samples, jobs }: RetractCommand,
): Promise<Change> {
  const reject = (field: string, reason: string) =>
    rejectCommand(ports, model, state, parsed, { index: -1, field, reason });
  const found = await challengerFor(ports, model, state, job, digest);
  if (typeof found === 'string') return reject('retract', found);
  const [replaced] = found.passedOver;
  if (replaced !== undefined) {
    const reason = `entry ${replaced.sequence} (${replaced.kind}) put other weights in place since this was prepared; retract again`;
    return reject('retract', reason);
  }
  const header: EntryHeader = {
    kind: 'retract',
    ...commandCommon(ports, model, state, parsed),
    job,
    digest,
    caughtUp: found.caughtUp,
    from,
    without: { messages: [...messages], samples: [...samples], jobs: [...jobs] },
  };
  return {
    entry: { header, samples: [] },
    state: retracted(settleMessages(ports, state, header), header, found.parameters),
    settled: 1,
  };
}
