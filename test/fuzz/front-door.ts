import { keys } from '../../lib/bucket/keys.ts';
import { MillraceError } from '../../lib/errors.ts';
import { parseJobMessage } from '../../lib/jobs/job-message.ts';
import { chainEngine } from '../simulation/chain-engine.ts';
import { createWorld, deliver, message, ticketsSpec, type World } from '../support/world.ts';
import { objects } from './bodies.ts';

const { model } = ticketsSpec;
/**
 * Messages that one world settles before the next one begins: a journal that stays short is read
 * fast.
 */
const messagesOfWorld = 200;

/** Delivers bodies to a model and says what of it broke a promise. */
export type FrontDoor = {
  /** @throws Error that says which promise a body broke */
  readonly knock: (body: string) => Promise<void>;
  readonly learnt: () => number;
  readonly refused: () => number;
};

/** A model behind its queue, with other objects around it that no message may reach. */
export function openFrontDoor(): FrontDoor {
  let world: World = newWorld();
  let next = 1;
  let cached: Parameters<typeof deliver>[3];
  const counts = { learnt: 0, refused: 0 };
  return {
    learnt: () => counts.learnt,
    refused: () => counts.refused,
    async knock(body) {
      if (next > messagesOfWorld) {
        world = newWorld();
        next = 1;
        cached = undefined;
      }
      const sent = message(next++, body);
      const update = await deliver(world, [sent], () => 100, cached);
      ({ cached } = update);
      if (update.settled !== 1) throw new Error('the message blocks its group');
      const settled = update.entries.flatMap((entry) => entry.messages);
      const isInQuarantine = world.store.objects.has(keys.quarantine(model, sent.id));
      for (const { outcome, refused, samples } of settled) {
        counts.learnt += samples;
        counts.refused += refused;
        if (isInQuarantine !== refused > 0)
          throw new Error(`${refused} are refused, and the quarantine has another count`);
        if (outcome === 'rejected' && refused === 0 && !/promote|rollback|deadLetter/.test(body)) {
          throw new Error('it is rejected without a reason');
        }
      }
      if (
        !Object.values(update.cached?.state.tensors ?? {}).every(({ data }) =>
          data.every(Number.isFinite),
        )
      ) {
        throw new Error('a weight is not finite');
      }
      for (const [key, { body: stored }] of world.store.objects) {
        const isOwn = key.startsWith(`models/${model}/`);
        if (!isOwn && !Buffer.from(stored).equals(objects[key] ?? Buffer.alloc(0))) {
          throw new Error(`it wrote ${key}`);
        }
      }
      parseJob(body);
    },
  };
}

function newWorld(): World {
  const world = { ...createWorld(), engine: chainEngine };
  for (const [key, body] of Object.entries(objects)) void world.store.put(key, body);
  return world;
}

/** The jobs queue gets the same: a job, or an error of kind `invalid`. */
function parseJob(body: string): void {
  try {
    parseJobMessage(body, 'message-1');
  } catch (error) {
    if (!(error instanceof MillraceError) || error.kind !== 'invalid') throw error;
  }
}
