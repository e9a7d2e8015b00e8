import { MillraceError } from '../errors.ts';
import type { EntryHeader } from '../journal/entry.ts';
import { judge } from '../journal/ledger.ts';
import type { State } from '../journal/state.ts';
import type { Ports } from '../ports/ports.ts';
import { catchUp, promoted, readChallenger, settleMessages } from './fold.ts';
import { type Change, entryCommon, rejectCommand, settledMessage, settleWithout } from './learn-messages.ts';
import type { Command, ParsedMessage } from './messages.ts';
import type { Model } from './model.ts';

/**
 * Puts a batch job's weights in place of the champion's: learns the entries that the challenger has not seen,
 * and keeps the current ledger, so that no online update is lost to a batch job. A promotion that was
 * committed before, sent again by a slice that ran twice, changes nothing.
 */
export async function promoteChallenger(
  ports: Ports,
  model: Model,
  state: State,
  parsed: ParsedMessage,
  { job, digest }: Extract<Command, { kind: 'promote' }>,
): Promise<Change> {
  const reject = (field: string, reason: string) =>
    rejectCommand(ports, model, state, parsed, { index: -1, field, reason });

  const judgement = judge(state.ledger, parsed.identity);
  if (judgement.verdict === 'refused') return reject('producer', judgement.reason);
  const challenger = await readChallenger(ports.store, model, job, digest).catch(undefinedIfCorrupt);
  if (challenger === undefined) {
    return reject('promote', `job ${job} has no challenger of this model with the digest ${digest}`);
  }
  if (challenger.caughtUp > state.sequence) {
    return reject('promote', `the challenger of job ${job} is ahead of the journal`);
  }
  const { parameters, jobs } = await catchUp(
    ports,
    model,
    challenger.parameters,
    challenger.caughtUp,
    state.sequence,
  );
  if (jobs.includes(job)) return settleWithout(ports, model, state, parsed, { samples: [], refused: [] });

  const header: EntryHeader = {
    kind: 'promote',
    ...entryCommon(ports, model, state, [
      { ...settledMessage(parsed, { samples: [], refused: [] }), outcome: 'learnt' },
    ]),
    job,
    digest,
    caughtUp: challenger.caughtUp,
  };
  return {
    entry: { header, samples: [] },
    state: promoted(settleMessages(state, header), header, parameters),
    settled: 1,
  };
}

/** A challenger that cannot be read is refused: it must not stop the stream. */
function undefinedIfCorrupt(error: unknown): undefined {
  if (!(error instanceof MillraceError) || error.kind !== 'corrupt') throw error;
}
