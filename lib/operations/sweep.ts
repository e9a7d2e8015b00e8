import * as z from 'zod';
import { storedJson } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { overlayStore } from '../bucket/overlay-store.ts';
import { invalid, reasonIf } from '../errors.ts';
import { existingSpec } from '../fold/current-model.ts';
import { figuresSchema } from '../jobs/lane.ts';
import type { SliceResult } from '../jobs/slice.ts';
import { parse } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { canonicalJson } from '../spec/identity.ts';
import { defineSpec, lossesOfTask, parseSpec, type Spec, type SpecInput } from '../spec/spec.ts';
import { portsAside, runJobAside } from './job-aside.ts';
import type { Candidate } from './learn-stream.ts';
import { lookAtWork, nameOfRun, noteEnd, putOutcome, startWork } from './side-by-side.ts';
import { assertDataset } from './start-job.ts';

const trialSchema = z.strictObject({
  /** Its place among the trials, from 1. */
  trial: z.int().positive(),
  dataset: z.string(),
  files: z.string().optional(),
});

const requestSchema = z.strictObject({
  model: z.string(),
  run: z.string(),
  /** Absent in the last request of a run, which notes that all others are over. */
  trial: trialSchema.optional(),
});

/** What the state machine asks for. */
export type TrialRequest = z.output<typeof requestSchema>;

/** What the state machine asks for. @throws MillraceError kind `invalid` */
export function parseTrialRequest(event: unknown): TrialRequest {
  return parse(requestSchema, event, 'the request');
}

const outcomeSchema = z.union([
  z.strictObject({ failure: z.string() }),
  z.strictObject({
    rows: z.int(),
    epochs: z.int(),
    heldOut: figuresSchema,
    /** The loss of predicting the mean label, or the shares of the classes. */
    baseline: z.number().optional(),
  }),
]);

/** What a spec came to: by the rows that were held out, or why it came to nothing. */
export type TrialOutcome = z.output<typeof outcomeSchema>;

/** Specs that are tried side by side over a dataset. */
export type Sweep = {
  readonly model: string;
  readonly run: string;
  readonly candidates: readonly Candidate[];
  /** The figure of held-out rows by which they are ranked. */
  readonly measure: Measure;
};

/**
 * A figure by which specs are ranked: the loss, unless it is another one in each of them, or one in
 * which classes weigh otherwise. Balanced accuracy is better the higher it is.
 */
export type Measure = 'loss' | 'meanAbsoluteError' | 'balancedAccuracy';

/** What is tried, and over what. */
export type SweepSettings = {
  /** A dataset of the stack. */
  readonly dataset: string;
  readonly files?: string | undefined;
  /** Specs to try beside the model's own. */
  readonly candidates: readonly Candidate[];
};

/**
 * Has a batch job trained by each of several specs, from fresh weights, side by side: a state
 * machine invokes a function for each. All hold out the same rows. Nothing of the model changes:
 * what the jobs write lies in folders of their own.
 *
 * @throws MillraceError kind `invalid` if the stack cannot, there is no such model or dataset, or
 *   the specs cannot be compared
 */
export async function startSweep(
  ports: Ports,
  model: string,
  { dataset, files, candidates }: SweepSettings,
): Promise<Sweep> {
  const { startTrials: start, store } = ports;
  if (start === undefined)
    throw invalid('the stack has no state machine that tries specs; deploy it with this release');
  if (dataset === 'journal')
    throw invalid('dataset: the journal is no dataset here; millrace backtest learns it by specs');
  await assertDataset(ports, dataset, files);
  const { stored } = await existingSpec(ports, model);
  const own = parseSpec(stored);
  const tried = [
    { name: `${model} as it is`, spec: stored as SpecInput, declared: own },
    ...candidates.map((each) => ({ ...each, declared: comparable(own, each) })),
  ];
  const measure = measureOf(tried.map(({ declared }) => declared));
  const run = nameOfRun(ports);
  const folder = keys.allTrials(model, run);
  for (const [place, { declared }] of tried.entries()) {
    const key = keys.spec(model);
    await trialStore(store, folder, place + 1).put(key, Buffer.from(storedJson(declared, key)));
  }
  const items = tried.map((_, place) => ({
    trial: place + 1,
    dataset,
    ...(files !== undefined && { files }),
  }));
  const name = `sweep-${model.slice(0, 40)}-${run}`;
  await startWork(store, start, folder, { items, name, input: { model, run } });
  return { model, run, candidates: tried.map(({ declared: _, ...each }) => each), measure };
}

/** What an outcome comes to by a measure, the lower the better; infinite where there is none. */
export function scoreOf(outcome: TrialOutcome | undefined, measure: Measure): number {
  const found = outcome && 'heldOut' in outcome ? outcome.heldOut[measure] : undefined;
  if (found === undefined) return Number.POSITIVE_INFINITY;
  return measure === 'balancedAccuracy' ? -found : found;
}

/** What figure says the same of all of some specs. */
function measureOf(specs: readonly Spec[]): Measure {
  const kinds = new Set(
    specs.map((spec) => {
      const { loss = lossesOfTask[spec.task][0] } = spec;
      const weights = Object.entries(spec.label.classWeights ?? {}).filter(
        ([, each]) => each !== 1,
      );
      return canonicalJson([loss, Object.fromEntries(weights)]);
    }),
  );
  if (kinds.size === 1) return 'loss';
  return specs[0]?.task === 'regression' ? 'meanAbsoluteError' : 'balancedAccuracy';
}

/** A candidate's spec, which holds out the rows that the model's own holds out. */
function comparable(own: Spec, { name, spec: input }: Candidate): Spec {
  const spec = defineSpec({ ...input, model: own.model });
  const assertSame = (field: string, [mine, other]: readonly [unknown, unknown], why: string) => {
    const [a, b] = [JSON.stringify(mine), JSON.stringify(other)];
    if (a !== b) throw invalid(`${name}: ${field}: must be ${a}, ${why} (found ${b})`);
  };
  assertSame('task', [own.task, spec.task], 'as the labels are');
  const why = 'so that all hold out the same rows';
  assertSame('seed', [own.seed, spec.seed], why);
  assertSame('batch.validation', [own.batch.validation, spec.batch.validation], why);
  return spec;
}

/** Where the jobs of a trial write: what they prepare is shared, and found by what it is. */
function trialStore(below: ObjectStore, folder: string, trial: number): ObjectStore {
  const within = (folders: readonly string[]) => (key: string) =>
    folders.some((each) => key.startsWith(each));
  return overlayStore(below, `${folder}${trial}/`, {
    isShown: within(['datasets/', 'initial-weights/']),
    isShared: within(['prepared/', 'compiled/']),
  });
}

/**
 * Trains by one of the specs as far as the time allows, and writes what it came to.
 *
 * @throws MillraceError kind `unavailable` if S3 does not answer
 */
export async function runTrial(
  ports: Ports,
  { model, run, trial: item }: TrialRequest,
  secondsLeft: () => number,
): Promise<{ readonly isDone: boolean }> {
  const folder = keys.allTrials(model, run);
  if (item === undefined) {
    await noteEnd(ports.store, folder);
    return { isDone: true };
  }
  const { trial, ...over } = item;
  const aside = portsAside(ports, trialStore(ports.store, folder, trial));
  const start = { model, job: `trial-${trial}`, ...over, start: 'fresh' } as const;
  const ended = await runJobAside(aside, start, secondsLeft).catch(reasonIf('invalid'));
  if (ended === undefined) return { isDone: false };
  const outcome = typeof ended === 'string' ? { failure: ended } : outcomeOf(ended);
  await putOutcome(ports.store, folder, fileOf(trial), outcome);
  return { isDone: true };
}

function outcomeOf({ place, rows }: SliceResult): TrialOutcome {
  const { status, reason, epoch, comparison } = place;
  if (status === 'failed') return { failure: reason ?? 'it failed' };
  const { figures, baseline } = comparison?.heldOut ?? {};
  if (figures === undefined)
    return { failure: 'no row was held out; see batch.validation, or bring more rows' };
  return {
    rows,
    epochs: epoch,
    heldOut: figures.challenger,
    ...(baseline !== undefined && { baseline }),
  };
}

const fileOf = (trial: number) => `${trial}.json`;

/** What became of a sweep so far: an outcome for each candidate that is done. */
export type SweepSoFar = {
  readonly isOver: boolean;
  readonly outcomes: ReadonlyMap<string, TrialOutcome>;
  /** Of each candidate, in their order; undefined for those that have none. */
  readonly trials: readonly (TrialOutcome | undefined)[];
};

/** Looks what became of a sweep. @throws MillraceError kind `unavailable` if S3 does not answer */
export async function sweepSoFar(
  store: ObjectStore,
  { model, run, candidates }: Sweep,
  known?: SweepSoFar['outcomes'],
): Promise<SweepSoFar> {
  const files = candidates.map((_, place) => fileOf(place + 1));
  const work = { folder: keys.allTrials(model, run), files };
  const soFar = await lookAtWork(store, work, outcomeSchema, known);
  return { ...soFar, trials: files.map((file) => soFar.outcomes.get(file)) };
}
