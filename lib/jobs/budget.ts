import { isTimeUp } from '../fold/time-left.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import type { Spec } from '../spec/spec.ts';
import type { Place } from './lane.ts';

/** What a slice has to go by. */
type Slice = {
  readonly ports: Pick<Ports, 'now'>;
  readonly model: Pick<Model, 'spec'>;
  readonly secondsLeft: () => number;
};

/** Whether the slice's budget of time, from now on, is used up. */
export function timerOf(slice: Slice): () => boolean {
  const { now } = slice.ports;
  const deadline = now() + slice.model.spec.batch.slice.seconds * 1_000;
  return () => now() >= deadline || isTimeUp(slice.secondsLeft);
}

/** The same, from the first time on that somebody asks. */
export function lazyTimerOf(slice: Slice): () => boolean {
  let timer: (() => boolean) | undefined;
  return () => {
    timer ??= timerOf(slice);
    return timer();
  };
}

/** The list price of a function on arm64 in us-east-1, November 2026. */
export const dollarsPerGibibyteSecond = 1.33334e-5;

/** What a job may take in all: seconds, dollars, either or both. */
type Budget = Pick<Spec['batch'], 'seconds' | 'dollars'>;

/** Seconds that all slices of a job may train; undefined if they may as long as they like. */
export function secondsOfBudget({ seconds, dollars }: Budget): number | undefined {
  if (dollars === undefined) return seconds;
  const gibibytes = limits.functionMemoryMebibytes / 1_024;
  const paid = dollars / (gibibytes * dollarsPerGibibyteSecond);
  return Math.min(paid, seconds ?? paid);
}

/** Whether they have trained as long as they may. */
export function isBudgetUsed({ trainedMilliseconds = 0 }: Place, budget: Budget): boolean {
  return trainedMilliseconds >= 1_000 * (secondsOfBudget(budget) ?? Number.POSITIVE_INFINITY);
}

/** Why a job ends whose budget is used. */
function budgetUsed(budget: Budget): string {
  const { seconds, dollars } = budget;
  const isByTime = seconds !== undefined && seconds === secondsOfBudget(budget);
  return `its ${isByTime ? `${seconds} s` : `$${dollars}`} of training are used up`;
}

/**
 * Why a job ends after an epoch with some loss: epochs, target loss, early stopping, budget; and
 * which epoch its weights are of, if that is not the last. Undefined if it goes on.
 */
export function reasonToEnd(place: Place, loss: number, batch: Spec['batch']): string | undefined {
  const reason = whyItEnds(place, loss, batch);
  const { epoch, epochsWithoutBest } = place;
  if (reason === undefined || batch.patience === undefined || epochsWithoutBest === 0)
    return reason;
  return `${reason}; the weights are those of epoch ${epoch - epochsWithoutBest}`;
}

function whyItEnds(place: Place, loss: number, batch: Spec['batch']): string | undefined {
  const { epoch, epochsWithoutBest } = place;
  const { epochs, targetLoss, patience } = batch;
  if (targetLoss !== undefined && loss <= targetLoss) return `target loss ${targetLoss} reached`;
  if (patience !== undefined && epochsWithoutBest >= patience)
    return `no lower loss for ${patience === 1 ? 'an epoch' : `${patience} epochs`}`;
  if (isBudgetUsed(place, batch)) return budgetUsed(batch);
  return epoch >= epochs ? `${epochs} epochs done` : undefined;
}

/** Whether a {@link reasonToEnd} is that all epochs are done. */
export function isUsualEnd(reason: string): boolean {
  return /^\d+ epochs done$/.test(reason);
}
