import type fc from 'fast-check';
import { allOf } from '../../lib/journal/entry.ts';
import { readQuarantine } from '../../lib/journal/quarantine.ts';
import { entriesAfter } from '../../lib/journal/reading.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { createWorld, ticket, ticketsSpec, type World } from './world.ts';

const { model } = ticketsSpec;

/** A world whose model was asked about some tickets, each under its number. */
export async function askedWorld(count: number): Promise<World> {
  const world = createWorld();
  const opened = await openModel(world, model);
  const asked = Array.from({ length: count }, (_, id) => ({ id, features: ticket(id).features }));
  const answer = await opened.predict(asked);
  if (!answer.ok) throw new Error(answer.reason);
  return world;
}

/** The label of a ticket, under its number. */
export const labelOf = (id: number): { id: number; label: boolean } => ({
  id,
  label: ticket(id).label,
});

/** The samples that the journal of a world holds, in their order. */
export async function learntSamples(world: World): Promise<unknown[]> {
  const learnt: unknown[] = [];
  for await (const { samples } of entriesAfter(world.store, model, 0))
    learnt.push(...allOf(samples));
  return learnt;
}

/** What the quarantine of a world holds. */
export async function refusals(world: World) {
  const records = await readQuarantine(world.store, model);
  return records.flatMap(({ refused }) => refused);
}

/** The same world, where calls of the bucket are answered in any order, and some end a process. */
export function racingWorld(
  world: World,
  scheduler: fc.Scheduler,
  crashes: readonly { readonly call: number; readonly isWritten: boolean }[],
): World {
  let calls = 0;
  const inAnyOrder =
    <Arguments extends unknown[], Result>(call: (...given: Arguments) => Promise<Result>) =>
    async (...given: Arguments): Promise<Result> => {
      const crash = crashes.find((each) => each.call === calls);
      calls += 1;
      await scheduler.schedule(Promise.resolve());
      if (crash?.isWritten === false) throw new Error('crashed before');
      const result = await call(...given);
      await scheduler.schedule(Promise.resolve());
      if (crash !== undefined) throw new Error('crashed after');
      return result;
    };
  const { get, put, list } = world.store;
  const store = {
    ...world.store,
    get: inAnyOrder(get),
    put: inAnyOrder(put),
    list: inAnyOrder(list),
  };
  return { ...world, store };
}
