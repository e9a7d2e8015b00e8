import { keys } from '../../lib/bucket/keys.ts';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { readForward } from '../../lib/fold/fold.ts';
import { limits, type ProtocolLimits } from '../../lib/limits.ts';
import { initialState, loadModel, type Model } from '../../lib/model/model.ts';
import { type Message, parseMessage } from '../../lib/online/messages.ts';
import type { CachedModel } from '../../lib/online/start-from.ts';
import { updateModel } from '../../lib/online/update-model.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { decodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import type { State } from '../../lib/state/state.ts';
import { type MemoryStore, memoryStore } from './memory-store.ts';

/**
 * A small model that trains in a millisecond and forgets nothing: Adam's slots depend on every
 * step.
 */
export const ticketsSpec = defineSpec({
  model: 'tickets',
  task: 'binary',
  features: {
    urgency: { type: 'number' },
    team: { type: 'category', values: ['red', 'blue'], dimensions: 2 },
  },
  network: { hidden: [3], activation: 'tanh' },
  optimizer: { type: 'adam', rate: 0.05 },
  online: { minibatch: 2 },
  batch: { epochs: 4, minibatch: 4, validation: 0.2 },
});

/** Ports over a bucket in memory, a clock that counts, and what was sent to the queues. */
export type World = Ports & {
  readonly store: MemoryStore;
  readonly sentSamples: { body: string; group: string; deduplication: string }[];
  readonly sentJobs: { body: string; group: string; deduplication: string }[];
};

/** One for all worlds, with a cache of its own: a world is made in a millisecond. */
const compiledGraphs = new Map<string, Uint8Array>();
const engine = createEngine({
  threads: 1,
  cache: {
    get: async (name) => compiledGraphs.get(name),
    put: async (name, body) => void compiledGraphs.set(name, body),
  },
  warn: () => undefined,
});

/**
 * A new world in which the model of `spec` exists. @param smaller bounds that few messages are to
 * meet
 */
export function createWorld(
  spec: SpecInput = ticketsSpec,
  smaller: Partial<ProtocolLimits> = {},
): World {
  const store = memoryStore({ [keys.spec(spec.model)]: JSON.stringify(defineSpec(spec)) });
  let clock = Date.UTC(2026, 0, 1);
  let nonces = 0;
  const sentSamples: World['sentSamples'] = [];
  const sentJobs: World['sentJobs'] = [];
  return {
    store,
    sentSamples,
    sentJobs,
    async sendSamples(message) {
      sentSamples.push(message);
    },
    async sendCommand(message) {
      sentSamples.push(message);
    },
    async sendJob(message) {
      sentJobs.push(message);
    },
    pause: async () => undefined,
    now: () => clock++,
    nonce: () => `nonce-${nonces++}`,
    engine,
    limits: { ...limits, ...smaller },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  };
}

/** The queue that test messages come from. */
export const queueArn = 'arn:aws:sqs:us-east-1:000000000000:samples-1.fifo';

/** An SQS record of the model's group. */
export function message(sequenceNumber: number, body: unknown, queue = queueArn): Message {
  return {
    id: `00000000-0000-4000-8000-${String(sequenceNumber).padStart(12, '0')}`,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    group: ticketsSpec.model,
    queue,
    sequenceNumber: String(sequenceNumber).padStart(20, '0'),
  };
}

/** Messages of one to four samples; numbered by a producer if it has a name. */
export function sampleMessages(count: number, producer?: string): Message[] {
  return Array.from({ length: count }, (_, i) =>
    message(i + 1, {
      ...(producer === undefined ? {} : { producer, seq: i + 1 }),
      samples: Array.from({ length: 1 + (i % 4) }, (_, j) => ticket(i * 4 + j)),
    }),
  );
}

/** A sample that the tickets model can learn: urgent ones are late. */
export function ticket(i: number) {
  const urgency = (i * 7) % 11;
  return { features: { urgency, team: i % 2 === 0 ? 'red' : 'blue' }, label: urgency > 4 };
}

/** Delivers messages to a function, as Lambda would; it is cold unless it is given what it kept. */
export function deliver(
  world: World,
  messages: readonly Message[],
  secondsLeft = () => 100,
  cached?: CachedModel,
) {
  return updateModel(world, ticketsSpec.model, messages.map(parseMessage), { secondsLeft, cached });
}

/** The model as it exists in a world. */
export async function modelOf(world: Ports, name = ticketsSpec.model): Promise<Model> {
  const model = await loadModel(world, name);
  if (model === undefined) throw new Error(`there is no model ${name} in this world`);
  return model;
}

/** The published state of {@link ticketsSpec}'s model. */
export async function published({ store }: Pick<Ports, 'store'>): Promise<State> {
  const object = await store.get(keys.state(ticketsSpec.model));
  if (object === undefined) throw new Error('nothing was published');
  return decodeCheckpoint(object.body);
}

/** The sequential fold of the whole journal. */
export async function foldJournal(world: Ports): Promise<State> {
  const model = await modelOf(world);
  return readForward(world, model, initialState(model));
}
