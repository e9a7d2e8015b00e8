import type { ObjectStore } from '../bucket/object-store.ts';
import { MillraceError } from '../errors.ts';
import { mergeWithHistory } from '../features/derived.ts';
import { addCounts } from '../features/encoder.ts';
import {
  concatSamples,
  type EncodedSamples,
  gatherSamples,
  type Layout,
} from '../features/samples.ts';
import { emptyStatistics, type FeatureStatistics } from '../features/statistics.ts';
import { eachInOrder } from '../in-order.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';
import type { FilePlace } from './formats/format.ts';
import { assertHeldOut } from './held-out.ts';
import { type PreparedDataset, type PreparedPart, writeManifest } from './manifest.ts';
import type { Part } from './parts.ts';
import { type Declared, heldOutRowsOf } from './preparation.ts';
import { forgetPart, preparePart, readPrepared } from './prepare-part.ts';
import { readHeldOut, writeHeldOut } from './shards.ts';
import { createRowTally } from './tally.ts';
import type { RowsSoFar } from './unfinished.ts';
import type { Turn } from './work-through.ts';

/** A dataset that is prepared in parts. */
export type Parted = {
  readonly hash: string;
  readonly plan: string;
  readonly parts: readonly Part[];
};

/** A part without its statistics, which are added up at once: there may be many, and large ones. */
type OwnPart = Omit<PreparedPart, 'statistics'>;

/**
 * Puts together what all parts came to; undefined if there was no time for one of them.
 *
 * @throws MillraceError kind `invalid` as `prepareDataset()`
 */
export async function joinParts(
  ports: Pick<Ports, 'store'>,
  declared: Declared,
  dataset: Parted,
  turn: Turn,
): Promise<PreparedDataset | undefined> {
  const { store } = ports;
  const { spec, encoder } = declared;
  const { hash, parts } = dataset;
  const { layout } = encoder;
  const prepared: OwnPart[] = [];
  let statistics: FeatureStatistics = emptyStatistics(layout);
  for await (const part of partsInOrder(ports, declared, dataset, turn)) {
    if (part === undefined) return undefined;
    const { statistics: added, ...own } = part;
    statistics = mergeWithHistory(layout, statistics, added);
    prepared.push(own);
  }
  const shardRows = prepared.flatMap((part) => part.shardRows);
  const sums = createRowTally(spec, joinTallies(prepared, parts)).finish(shardRows.length);
  const heldOut = await joinHeldOut(store, layout, prepared);
  assertHeldOut(spec, heldOut.count);
  const manifest = {
    hash,
    parts: prepared.map((part) => ({ hash: part.hash, shards: part.shardRows.length })),
    shardRows,
    shardDigests: prepared.flatMap((part) => part.shardDigests),
    heldOutRows: heldOut.count,
    heldOutDigest: await writeHeldOut(store, hash, heldOut),
    statistics,
    ...sums,
  };
  await writeManifest(store, manifest);
  return manifest;
}

/**
 * All parts as they are prepared; undefined in place of one for which there is no time. A cut may
 * lie within a row, where a cell has line ends, and where the next row begins is a guess: where it
 * was wrong, the part is prepared again from where the one before it ended.
 */
async function* partsInOrder(
  ports: Pick<Ports, 'store'>,
  declared: Declared,
  { plan, parts }: Parted,
  turn: Turn,
): AsyncGenerator<PreparedPart | undefined> {
  const { isTimeUp = () => false, mustStop = () => false } = turn;
  let before: PreparedPart | undefined;
  let worked = 0;
  const prepareNow = async (part: Part, begin?: FilePlace) => {
    if (mustStop() || (worked > 0 && isTimeUp())) return undefined;
    worked += 1;
    const preparing = await preparePart(ports, declared, { plan, part }, { ...turn, begin });
    return preparing.isDone ? preparing.prepared : undefined;
  };
  const found = eachInOrder(limits.readsAtOnce, parts, (part) =>
    readPrepared(ports.store, declared, part),
  );
  for await (const [part, first] of found) {
    let own: PreparedPart | undefined = first ?? (await prepareNow(part));
    const end = part.from === undefined ? undefined : before?.end;
    if (own !== undefined && end !== undefined && !isRightBehind(end, own.begin))
      own = await prepareNow(part, { ...end, line: 1 });
    yield own;
    if (own === undefined) return;
    before = own;
  }
}

/** Whether a part began where the one before it ended, but for the second half of a line end. */
function isRightBehind({ at, isInLineEnd = false }: FilePlace, begin?: FilePlace): boolean {
  return begin?.at === at || (isInLineEnd && begin?.at === at + 1);
}

/** What the rows of all parts came to. Those behind a cut do not know on which line it lies. */
function joinTallies(prepared: readonly OwnPart[], parts: readonly Part[]): RowsSoFar {
  let sum: RowsSoFar = { rows: 0, refusedRows: 0, refused: [], unknown: {}, classes: [] };
  let lines = 0;
  for (const [i, { tally, begin, end }] of prepared.entries()) {
    const isRelative = parts[i]?.from !== undefined && begin?.line === 1;
    if (!isRelative) lines = 0;
    const before = { rows: sum.rows, lines };
    const refused = tally.refused.map((each) => ({
      ...each,
      index: each.index + before.rows,
      ...(each.line !== undefined && { line: each.line + before.lines }),
    }));
    sum = {
      rows: sum.rows + tally.rows,
      refusedRows: sum.refusedRows + tally.refusedRows,
      refused: [...sum.refused, ...refused].slice(0, limits.refusedExamples),
      unknown: addCounts(sum.unknown, tally.unknown),
      classes: [...new Set([...sum.classes, ...tally.classes])],
    };
    lines += (end?.line ?? 1) - 1;
  }
  return sum;
}

/** Held-out rows of parts that are read at once: each may have as many as a comparison can bear. */
const heldOutAtOnce = 3;

/**
 * The held-out rows of all parts, as many as a comparison can bear. Rows that are held out for what
 * they say may all be in one part, so each may hold out as many.
 */
async function joinHeldOut(
  store: ObjectStore,
  layout: Layout,
  prepared: readonly OwnPart[],
): Promise<EncodedSamples> {
  const most = heldOutRowsOf(layout);
  const holding = prepared.filter(({ heldOutRows }) => heldOutRows > 0);
  const rows: EncodedSamples[] = [];
  let count = 0;
  const read = async (part: OwnPart) =>
    readHeldOut(store, part).catch(async (error: unknown) => {
      // No manifest names it yet, by which it would be found.
      const isDamaged = error instanceof MillraceError && error.code === 'damaged-cache';
      if (isDamaged) await forgetPart(store, part.hash);
      throw error;
    });
  for await (const [, own] of eachInOrder(heldOutAtOnce, holding, read)) {
    if (count >= most) break;
    const taken = Math.min(own.count, most - count);
    rows.push(
      gatherSamples(
        own,
        Int32Array.from({ length: taken }, (_, i) => i),
        layout,
      ),
    );
    count += taken;
  }
  return concatSamples(rows, layout);
}
