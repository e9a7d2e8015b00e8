import { keys } from '../../lib/bucket/keys.ts';
import { type SentDefaults, sendDefaults } from '../../lib/online/send-defaults.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { createWorld, deliver, message, ticketsSpec, type World } from './world.ts';

const { model } = ticketsSpec;
const hour = 3_600_000;

/** Tickets that nobody says were late within two hours were not. */
export const waitingSpec: SpecInput = {
  ...ticketsSpec,
  online: { minibatch: 2, labelWindow: { hours: 2, default: false } },
};

/** The features of all questions. */
export const urgent: { readonly urgency: number; readonly team: string } = {
  urgency: 9,
  team: 'red',
};

/** A world whose model was asked about some tickets, each under its number. */
export async function askedWorld(count: number, spec = waitingSpec): Promise<World> {
  const world = createWorld(spec);
  const questions = Array.from({ length: count }, (_, id) => ({ id, features: urgent }));
  const answer = await (await openModel(world, model)).predict(questions);
  if (!answer.ok) throw new Error(answer.reason);
  return world;
}

/** The same world, some hours later. */
export const later = (world: World, hours: number): World => ({
  ...world,
  now: () => world.now() + hours * hour,
});

/** Sends what is due in a world, and delivers it. */
export async function takeDefaults(
  world: World,
  sequenceNumber: number,
): Promise<readonly SentDefaults[]> {
  const remove = async (key: string) => world.store.remove(key);
  const sent: SentDefaults[] = [];
  await sendDefaults(
    world,
    remove,
    () => 100,
    (own) => sent.push(own),
  );
  const bodies = world.sentSamples.splice(0).map(({ body }) => body);
  for (const [i, body] of bodies.entries())
    await deliver(world, [message(sequenceNumber + i, body)]);
  return sent;
}

/** How many objects say what is due. */
export const dueKeys = async ({ store }: World): Promise<number> =>
  (await store.list(keys.allDue(model))).length;
