import { keys } from '../bucket/keys.ts';
import { invalid, MillraceError, reasonOf } from '../errors.ts';
import { currentState } from '../fold/fold.ts';
import { readEntry } from '../journal/reading.ts';
import { createModel } from '../model/create-model.ts';
import { existingModel, loadModel } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { numberedMessage } from '../ports/producer.ts';
import type { QueueDepth } from '../ports/queue-depths.ts';
import { defineSpec } from '../spec/spec.ts';

/** What one look at a stack came to. */
export type Finding = {
  readonly check: string;
  readonly isFine: boolean;
  readonly says: string;
};

/** How a stack is looked at. */
export type DiagnoseOptions = {
  readonly depths: () => Promise<readonly QueueDepth[]>;
  /** Whether a sample is sent to the model {@link canaryModel}, which is made for it. */
  readonly canary: boolean;
  /** How long the canary may take. */
  readonly patienceSeconds: number;
  /** Waits some milliseconds. */
  readonly wait: (milliseconds: number) => Promise<void>;
};

/** The model that a canary sample is for. */
export const canaryModel = 'millrace-canary';

const canarySpec = defineSpec({
  model: canaryModel,
  task: 'regression',
  features: { x: { type: 'number' } },
});

/**
 * Looks whether a stack works: what it can be reached with, what waits, each model, and a sample
 * from the queue to the weights. Nothing is thrown: what fails is a finding that says why.
 */
export async function* diagnose(ports: Ports, options: DiagnoseOptions): AsyncGenerator<Finding> {
  yield await finding('bucket', () => lookAtBucket(ports));
  yield await finding('queues', async () => depthsText(await options.depths()));
  yield await finding('models', () => lookAtModels(ports));
  if (options.canary) yield await finding('canary', () => sendCanary(ports, options));
}

async function finding(check: string, look: () => Promise<string>): Promise<Finding> {
  try {
    return { check, isFine: true, says: await look() };
  } catch (error) {
    return { check, isFine: false, says: reasonOf(error) };
  }
}

async function lookAtBucket({ store }: Ports): Promise<string> {
  const models = await store.folders(keys.models);
  const datasets = await store.folders(keys.datasets);
  return `${store.bucket}: models ${models.length}, datasets ${datasets.length}`;
}

function depthsText(depths: readonly QueueDepth[]): string {
  const texts = depths.map(
    ({ queue, waiting, inFlight }) => `${queue} ${waiting} waiting, ${inFlight} under way`,
  );
  const dead = depths.filter(({ deadLetters }) => deadLetters > 0);
  if (dead.length === 0) return texts.join('; ');
  const found = dead.map(({ queue, deadLetters }) => `${deadLetters} of ${queue}`).join(', ');
  throw invalid(`${found} are dead letters; see: npx millrace redrive --dry-run`);
}

/** Folds each model to the end of its journal: what its next message needs can be read. */
async function lookAtModels(ports: Ports): Promise<string> {
  const names = await ports.store.folders(keys.models);
  const troubles: string[] = [];
  for (const name of names) {
    try {
      const model = await loadModel(ports, name);
      if (model === undefined) throw invalid('has no spec.json, but other objects');
      await currentState(ports, model);
    } catch (error) {
      troubles.push(`${name}: ${reasonOf(error)}`);
    }
  }
  if (troubles.length > 0) throw invalid(troubles.join('; '));
  return names.length === 0 ? 'there are none yet' : `${names.length} can be read to the end`;
}

/** A sample on its whole way; its producer goes on counting where the last canary stopped. */
async function sendCanary(
  ports: Ports,
  { patienceSeconds, wait }: DiagnoseOptions,
): Promise<string> {
  await createModel(ports, canarySpec);
  // The journal's end: a number of before would be taken for one that comes again.
  const before = await currentState(ports, await existingModel(ports, canaryModel));
  const producer = before.ledger.producers.get('doctor');
  const seq = (producer?.highest ?? 0) + 1;
  const started = ports.now();
  // Each is another one: SQS drops what it had within five minutes, also of a removed model.
  const value = (started % 100_000) / 1_000;
  const sample = JSON.stringify({ features: { x: value }, label: value });
  await ports.sendSamples(
    numberedMessage({ model: canaryModel, name: 'doctor', seq }, { texts: [sample] }),
  );
  const seconds = () => (ports.now() - started) / 1_000;
  for (let sequence = before.sequence + 1; ; ) {
    const entry = await readEntry(ports.store, canaryModel, sequence);
    const messages = entry?.header.messages ?? [];
    if (entry !== undefined && messages.some((each) => each.seq === seq)) {
      const took = `learnt as entry ${sequence} of ${canaryModel} after ${seconds().toFixed(1)} s`;
      return `a sample was ${took}${await engineText(ports, entry.header.engine)}`;
    }
    if (entry !== undefined) sequence += 1;
    else if (seconds() < patienceSeconds) await wait(200);
    else {
      throw new MillraceError(
        'unavailable',
        `a sample was sent, and not learnt within ${patienceSeconds} s; see: npx millrace logs`,
      );
    }
  }
}

/** Weights that another engine folds may differ in their last bits. */
async function engineText(ports: Ports, engine: string): Promise<string> {
  const own = (await loadModel(ports, canaryModel))?.compiled.engine;
  if (own === undefined || own === engine) return `, by ${engine}`;
  return `, by ${engine}; here it is ${own}, and last bits may differ`;
}
