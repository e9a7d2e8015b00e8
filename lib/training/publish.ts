import { decodeCheckpoint, encodeCheckpoint } from '../journal/checkpoint.ts';
import type { EntryHeader } from '../journal/entry.ts';
import { putOverOlder, putUntilAnswered } from '../journal/journal.ts';
import { keys } from '../journal/keys.ts';
import type { State } from '../journal/state.ts';
import type { BucketPorts } from '../ports/ports.ts';
import type { Model } from './model.ts';

/**
 * Writes the state as the newest checkpoint where the model's policy asks for it: after promotions and rollbacks, after every
 * `publishEvery`th entry, and when a redelivery finds its messages settled. The published checkpoint never
 * goes back: where somebody published a newer one, nothing is written.
 *
 * @param etag of the checkpoint that was read or written last; undefined if there was none
 * @param committed the entries that this invocation committed
 * @returns the ETag of the published checkpoint, for the next invocation; undefined if it is unknown, or a newer one's
 */
export async function publish(
  ports: BucketPorts,
  model: Model,
  state: State,
  etag: string | undefined,
  committed: readonly EntryHeader[],
): Promise<string | undefined> {
  const { publishEvery } = model.spec.online;
  const isDue =
    etag === undefined ||
    committed.length === 0 ||
    committed.some(({ kind, sequence }) => kind !== 'samples' || sequence % publishEvery === 0);
  if (state.sequence === 0 || !isDue) return etag;
  const body = encodeCheckpoint(state);
  let isOvertaken = false;
  const stays = (current: Uint8Array) => {
    const { sequence } = decodeCheckpoint(current);
    isOvertaken = sequence > state.sequence;
    return sequence >= state.sequence;
  };
  const published = await putOverOlder(ports, keys.state(model.name), body, { etag, stays });
  // The ETag of a newer one would let this state be put over it.
  return isOvertaken ? undefined : (published ?? etag);
}

/** Keeps the checkpoints of promotions, rollbacks and every {@link limits.keptCheckpointEntries}th entry. */
export async function keepCheckpoint(
  ports: BucketPorts,
  model: Model,
  state: State,
  { kind, sequence }: EntryHeader,
): Promise<void> {
  if (kind === 'samples' && sequence % ports.limits.keptCheckpointEntries !== 0) return;
  const key = keys.checkpoint(model.name, sequence);
  await putUntilAnswered(ports, key, encodeCheckpoint(state), { ifNoneMatch: '*' });
}
