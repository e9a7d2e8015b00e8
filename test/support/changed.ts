import type { Message } from '../../lib/online/messages.ts';
import { type ChangeSpecOptions, changeSpec } from '../../lib/operations/change-spec.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { type Parameters, parametersOf } from '../../lib/state/state.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  sampleMessages,
  ticketsSpec,
  type World,
} from './world.ts';

/** The model whose spec is changed. */
export const name = ticketsSpec.model;
/** Messages of a stream. */
export const sent = sampleMessages(12, 'till-1');
/** Those before a change, and those after it. */
export const [early, late] = [sent.slice(0, 7), sent.slice(7)];

/** Other columns, another network, another optimizer. */
export const other: SpecInput = {
  ...ticketsSpec,
  features: {
    ...ticketsSpec.features,
    usual: { type: 'targetMean', of: ['team'], buckets: 8 },
    before: { type: 'lag', steps: [1] },
  },
  network: { hidden: [4, 2], activation: 'relu' },
  optimizer: { type: 'momentum', rate: 0.02 },
};
/** What says the same of weights, and goes on otherwise. */
export const faster: SpecInput = {
  ...ticketsSpec,
  optimizer: { type: 'adam', rate: 0.2 },
  online: { minibatch: 4, publishEvery: 3 },
};

/** A world whose model has learnt some messages, one by one. */
export async function worldWith(spec: SpecInput, messages: readonly Message[]): Promise<World> {
  const world = createWorld(spec, { keptCheckpointEntries: 4 });
  for (const each of messages) await deliver(world, [each]);
  return world;
}

let sequenceNumber = 1_000;

/** A message of an operator: behind all that were sent before it. */
export const command = (body: unknown): Message => message(++sequenceNumber, body);

/** Delivers what an operator sent. */
export async function deliverSent(world: World) {
  const bodies = world.sentSamples.splice(0).map(({ body }) => body);
  let last: Awaited<ReturnType<typeof deliver>> | undefined;
  for (const body of bodies) last = await deliver(world, [command(body)]);
  return last;
}

/** Changes the spec of its model. */
export async function change(world: World, spec: SpecInput, options: ChangeSpecOptions = {}) {
  const prepared = await changeSpec(world, name, spec, options);
  await deliverSent(world);
  return prepared;
}

/** All that its model has learnt. */
export const parametersNow = async (world: World): Promise<Parameters> =>
  parametersOf(await foldJournal(world));
