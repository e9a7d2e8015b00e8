import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { invalid } from '../errors.ts';
import { limits } from '../limits.ts';
import type { createPreparation } from './preparation.ts';
import type { SampleChunk } from './tally.ts';
import { encodeUnfinished, type SourcePlace, type Unfinished } from './unfinished.ts';

/** How long rows may be prepared. */
export type Turn = {
  /** Asked once some rows are prepared: whether others may have their turn. */
  readonly isTimeUp?: () => boolean;
  /** Whether the invocation ends soon. */
  readonly mustStop?: () => boolean;
  /** Whether others had some of it before: no time for any row says nothing of them then. */
  readonly isLater?: boolean;
  /** Told now and then how many rows were read. */
  readonly onRows?: (rows: number) => Promise<void>;
};

/** Rows to be prepared, and where it is kept how far they are. */
export type Work = Turn & {
  readonly preparation: ReturnType<typeof createPreparation>;
  /** Raw samples from a place on. */
  readonly samples: (from: SourcePlace | undefined) => AsyncIterable<SampleChunk>;
  readonly kept: Unfinished | undefined;
  readonly base: string;
};

/** What rows came to that were worked through: all of them, or as far as the turn went. */
export type WorkedThrough = { readonly isDone: boolean; readonly isKept: boolean };

/**
 * Prepares the rows of a source from where somebody was before. It keeps how far it is after every
 * few shards, and when its time is up.
 *
 * @throws MillraceError kind `invalid` if a whole invocation has no time for any of them
 */
export async function workThrough(store: ObjectStore, work: Work): Promise<WorkedThrough> {
  const { preparation, kept, isTimeUp = () => false, mustStop = () => false, isLater } = work;
  let isKept = kept !== undefined;
  let keptShards = kept?.shardRows.length ?? 0;
  const keep = async () => {
    await keepUnfinished(store, work);
    isKept = true;
    keptShards = preparation.shards();
  };
  for await (const chunk of work.samples(kept?.place)) {
    await preparation.add(chunk);
    await work.onRows?.(preparation.rows());
    if (preparation.hasMoved() && (isTimeUp() || mustStop())) {
      await keep();
      return { isDone: false, isKept };
    }
    if (mustStop()) {
      if (!isLater) throw tooLong();
      return { isDone: false, isKept };
    }
    if (chunk.end === undefined) continue;
    if (preparation.shards() - keptShards >= limits.shardsPerKeep) await keep();
  }
  return { isDone: true, isKept };
}

/** Keeps how far some rows are. */
export async function keepUnfinished(
  store: ObjectStore,
  { base, preparation }: Pick<Work, 'base' | 'preparation'>,
): Promise<void> {
  await store.put(unfinishedKey(base), encodeUnfinished(preparation.soFar()));
}

/** What was kept is not needed any more, and may be large; or it must not be gone on with. */
export async function dropUnfinished(store: ObjectStore, base: string): Promise<void> {
  await store.put(unfinishedKey(base), new Uint8Array());
}

/** Where it is kept how far the rows below a name are. */
export function unfinishedKey(base: string): string {
  return keys.prepared(base, 'unfinished.safetensors');
}

function tooLong() {
  return invalid(
    'the dataset is too slow: one invocation had time for no row of it; write it as smaller files',
  );
}
