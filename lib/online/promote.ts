import { reasonIf } from '../errors.ts';
import { readChallenger } from '../fold/challenger.ts';
import { catchUp, promoted, type ReplacingHeader, settleMessages } from '../fold/fold.ts';
import type { Model } from '../fold/model.ts';
import type { EntryHeader } from '../journal/entry.ts';
import type { Ports } from '../ports/ports.ts';
import type { Parameters, State } from '../state/state.ts';
import type { Change } from './learn-messages.ts';
import type { Command, ParsedMessage } from './messages.ts';
import { commandCommon, rejectCommand, settleWithout } from './settle-command.ts';

/**
 * Puts a batch job's weights in place of the champion's: learns the entries that the challenger has not seen,
 * and keeps the current ledger, so that no online update is lost to a batch job. A promotion that was
 * committed before, sent again by a slice that ran twice, changes nothing; one that a rollback overtook is refused.
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

  const found = await challengerFor(ports, model, state, job, digest);
  if (typeof found === 'string') return reject('promote', found);
  const { parameters, caughtUp, passedOver } = found;
  const isPromoted = passedOver.some((header) => header.kind === 'promote' && header.job === job);
  if (isPromoted) return settleWithout(ports, model, state, parsed);
  const rollback = passedOver.find(({ kind }) => kind === 'rollback');
  if (rollback !== undefined) {
    return reject(
      'promote',
      `entry ${rollback.sequence} rolled back to other weights than job ${job} was compared with; start a new job`,
    );
  }

  const header: EntryHeader = {
    kind: 'promote',
    ...commandCommon(ports, model, state, parsed),
    job,
    digest,
    caughtUp,
  };
  return {
    entry: { header, samples: [] },
    state: promoted(settleMessages(ports, state, header), header, parameters),
    settled: 1,
  };
}

/** Weights from a job's file that have learnt the journal up to a state. */
type CaughtUp = {
  readonly parameters: Parameters;
  /** The entry up to which the file had learnt the journal. */
  readonly caughtUp: number;
  /** Entries since then that put other weights in place. */
  readonly passedOver: readonly ReplacingHeader[];
};

/** A job's weights, caught up with the state; a text says why they cannot be used. They must not stop the stream. */
export async function challengerFor(
  ports: Ports,
  model: Model,
  { sequence }: State,
  job: string,
  digest: string,
): Promise<CaughtUp | string> {
  const challenger = await readChallenger(ports.store, model, job, digest).catch(reasonIf('corrupt'));
  if (typeof challenger === 'string') return challenger;
  if (challenger === undefined) return `job ${job} has no challenger of this model with the digest ${digest}`;
  const { caughtUp } = challenger;
  if (caughtUp > sequence) return `the challenger of job ${job} is ahead of the journal`;
  const current = await catchUp(ports, model, challenger.parameters, caughtUp, sequence).catch(
    reasonIf('invalid'),
  );
  return typeof current === 'string' ? current : { ...current, caughtUp };
}
