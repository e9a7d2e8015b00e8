import { invalid, type MillraceError } from '../errors.ts';
import { currentSpec } from '../fold/current-model.ts';
import { currentState } from '../fold/fold.ts';
import type { Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { specHash } from '../spec/identity.ts';
import type { State } from '../state/state.ts';
import type { JobRecord } from './record.ts';

/**
 * The state of a job's model now. @throws MillraceError kind `invalid` if its spec is not the job's
 * any more
 */
export async function currentChampion(
  ports: Ports,
  model: Model,
  record: JobRecord,
): Promise<State> {
  const champion = await currentState(ports, model);
  if (champion.specHash !== model.specHash) throw specChangedSince(record);
  return champion;
}

/**
 * What was begun by a spec that does not hold any more would be trained for nothing.
 *
 * @throws as {@link currentChampion}
 */
export async function assertSpecHolds(
  ports: Ports,
  model: Model,
  record: JobRecord,
): Promise<void> {
  const now = await currentSpec(ports, model.name);
  if (now !== undefined && specHash(now.stored) !== model.specHash) throw specChangedSince(record);
}

function specChangedSince({ model, job }: JobRecord): MillraceError {
  return invalid(`the spec of ${model} was changed since job ${job} began; start another job`);
}
