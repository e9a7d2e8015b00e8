import { storedJson } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { scratchStore } from '../bucket/scratch-store.ts';
import { openShard } from '../datasets/shard-file.ts';
import { heldOutFile } from '../datasets/shards.ts';
import { invalid, invariant } from '../errors.ts';
import { existingSpec } from '../fold/current-model.ts';
import type { JobMessage } from '../jobs/job-message.ts';
import type { Place } from '../jobs/lane.ts';
import { limits } from '../limits.ts';
import type { Figures } from '../metrics/figures.ts';
import type { Ports } from '../ports/ports.ts';
import { defineSpec, parseSpec, type SpecInput } from '../spec/spec.ts';
import { portsAside, runJobAside } from './job-aside.ts';
import { assertDataset } from './start-job.ts';

/** What is validated, and over what. */
export type CrossValidation = {
  /** A dataset of the stack. */
  readonly dataset: string;
  readonly files?: string | undefined;
  readonly folds: number;
  /** Another spec of the model; the one that holds unless given. */
  readonly spec?: SpecInput | undefined;
  /** Told after each fold, how many are done. */
  readonly onFold?: ((fold: Fold, done: number) => void) | undefined;
};

/** What one fold came to: trained without its rows, and held against them. */
export type Fold = {
  /** That were learnt. */
  readonly rows: number;
  readonly heldOutRows: number;
  readonly epochs: number;
  readonly heldOut: Figures;
  /** The loss of predicting the mean label, or the shares of the classes. */
  readonly baseline?: number;
};

/** What all folds came to. */
export type CrossValidated = {
  readonly folds: readonly Fold[];
  /** Of each figure: its mean over the folds that have it, and its standard deviation. */
  readonly figures: Readonly<Record<string, { readonly mean: number; readonly deviation: number }>>;
};

/**
 * Trains a model anew once for each fold of a dataset, as a batch job would, and judges it by the
 * rows of that fold (k-fold cross-validation, Stone 1974). Rows are drawn into folds by the spec's
 * seed. Nothing of the stack changes: what the jobs write stays in memory.
 *
 * @throws MillraceError kind `invalid` if there is no such model or dataset, or a fold cannot be
 *   trained
 */
export async function crossValidate(
  ports: Ports,
  model: string,
  { dataset, files, folds, spec: other, onFold = () => undefined }: CrossValidation,
): Promise<CrossValidated> {
  if (dataset === 'journal')
    throw invalid('dataset: the journal is no dataset here; millrace backtest learns it by specs');
  if (!Number.isInteger(folds) || folds < 2 || folds > limits.folds)
    throw invalid(`folds: must be an integer from 2 to ${limits.folds} (found ${folds})`);
  const { stored } = await existingSpec(ports, model);
  await assertDataset(ports, dataset, files);
  // One that is stored keeps the rules of its release.
  const declared = other === undefined ? parseSpec(stored) : defineSpec({ ...other, model });
  const done: Fold[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const spec = { ...declared, batch: { ...declared.batch, validation: { folds, fold } } };
    const start = { model, job: `fold-${fold + 1}`, dataset, files };
    const validated = await runFold(ports, spec, start);
    done.push(validated);
    onFold(validated, done.length);
  }
  return { folds: done, figures: spreadOf(done.map(({ heldOut }) => heldOut)) };
}

/** Trains without a fold, from fresh weights, and judges by it. */
async function runFold(
  ports: Ports,
  spec: object & { readonly model: string },
  start: Pick<JobMessage, 'model' | 'job' | 'dataset' | 'files'>,
): Promise<Fold> {
  const below = ['datasets/', 'compiled/', 'initial-weights/'];
  const store = scratchStore(ports.store, (key) => below.some((each) => key.startsWith(each)));
  const key = keys.spec(spec.model);
  await store.put(key, Buffer.from(storedJson(spec, key)));
  // What fails is said by the error; it is no job of the stack.
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const aside = { ...portsAside(ports, store), log };
  const always = () => limits.batchTimeoutSeconds;
  const ended = await runJobAside(aside, { ...start, start: 'fresh' }, always);
  invariant(ended !== undefined, `${start.job} ran out of time that does not end`);
  const { place, rows } = ended;
  if (place.status === 'failed') throw invalid(`${start.job}: ${place.reason}`);
  return {
    rows,
    heldOutRows: await countHeldOut(store),
    epochs: place.epoch,
    ...heldOutOf(start.job, place),
  };
}

/** How many rows a job has held out, of which it has prepared one dataset. */
async function countHeldOut(store: ObjectStore): Promise<number> {
  const files = await store.list(keys.allPrepared);
  const file = files.find(({ key }) => key === keys.prepared(hashOf(key), heldOutFile));
  const object = file && (await store.get(file.key));
  return (object && openShard(object.body)?.count) ?? 0;
}

const hashOf = (key: string) => key.split('/')[1] ?? '';

function heldOutOf(job: string, { comparison }: Place): Pick<Fold, 'heldOut' | 'baseline'> {
  const { figures, baseline } = comparison?.heldOut ?? {};
  if (figures === undefined)
    throw invalid(`${job}: no row that can be learnt is in it; ask for fewer folds`);
  return { heldOut: figures.challenger, ...(baseline !== undefined && { baseline }) };
}

function spreadOf(all: readonly Figures[]): CrossValidated['figures'] {
  const figures = all.flatMap((each) =>
    Object.entries(each).flatMap(([name, value]) =>
      typeof value === 'number' ? [{ name, value }] : [],
    ),
  );
  return Object.fromEntries(
    [...Map.groupBy(figures, ({ name }) => name)].map(([name, own]) => {
      const values = own.map(({ value }) => value);
      const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
      const squares = values.reduce((sum, each) => sum + (each - mean) ** 2, 0);
      return [name, { mean, deviation: Math.sqrt(squares / Math.max(1, values.length - 1)) }];
    }),
  );
}
