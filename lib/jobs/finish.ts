import type { PreparedDataset } from '../datasets/manifest.ts';
import { isFiniteState } from '../engine/finite.ts';
import { invalid } from '../errors.ts';
import { catchUp } from '../fold/catch-up.ts';
import { isTimeUp } from '../fold/time-left.ts';
import { limits } from '../limits.ts';
import type { Slice } from './advanced.ts';
import { currentChampion } from './champion.ts';
import { compareChampion, objectionTo, objectionToClasses } from './comparison.ts';
import { evaluatedRows } from './evaluated-rows.ts';
import type { Lane } from './lane.ts';

/** In milliseconds: what is shorter compares at once. */
const aWhile = 60_000;

/**
 * Once training has ended: catches up with the stream, and when that is done, compares challenger
 * and champion. That cannot be cut into slices, so it is left to the next one where all before took
 * a while.
 */
export async function finish(
  slice: Slice,
  prepared: PreparedDataset,
  trained: Lane,
  hasTrained: boolean,
): Promise<Lane> {
  const { ports, model, record } = slice;
  if (trained.place.status !== 'catching-up' || isTimeUp(slice.secondsLeft)) return trained;
  const start = { parameters: trained.parameters, caughtUp: trained.place.caughtUp };
  const caught = await catchUp(ports, model, start, {
    shouldStop: (next) => isTimeUp(slice.secondsLeft, next),
  });
  if (!caught.ok) throw invalid(caught.reason);
  if (!isFiniteState(caught.parameters.tensors)) {
    throw invalid(`the weights stopped being finite on the way to entry ${caught.caughtUp}`);
  }
  const { parameters, caughtUp } = caught;
  const current: Lane = { parameters, place: { ...trained.place, caughtUp } };
  const champion = await currentChampion(ports, model, record);
  if (champion.sequence - caughtUp > limits.promotionLagEntries) return current;
  const hasWorked = hasTrained || caughtUp > trained.place.caughtUp;
  if (hasWorked && ports.now() - slice.begun > aWhile) return current;
  if (isTimeUp(slice.secondsLeft)) return current;
  const heldOut = await evaluatedRows(ports.store, prepared, model);
  const comparison = await compareChampion(ports, model, {
    champion,
    challenger: parameters,
    isHeldOutKnown: trained.place.isHeldOutKnown,
    heldOut,
  });
  const objection =
    objectionToClasses(prepared) ??
    objectionTo(comparison, model.spec.batch.margin, champion.learnt);
  if (objection === undefined) {
    return { parameters, place: { ...current.place, status: 'promotion-sent', comparison } };
  }
  const reason = `${current.place.reason}; ${objection}`;
  return { parameters, place: { ...current.place, status: 'kept-champion', reason, comparison } };
}
