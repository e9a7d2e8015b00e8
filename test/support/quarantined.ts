import { keys } from '../../lib/bucket/keys.ts';
import { ticketsSpec, type World } from './world.ts';

/** The record of a message of tickets in quarantine; undefined if there is none. */
export async function quarantined(world: World, id: string) {
  const object = await world.store.get(keys.quarantine(ticketsSpec.model, id));
  return object && JSON.parse(Buffer.from(object.body).toString('utf8'));
}
