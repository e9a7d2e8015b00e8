import type { ObjectStore } from '../bucket/object-store.ts';
import { mergeWithHistory } from '../features/derived.ts';
import { addCounts } from '../features/encoder.ts';
import { concatSamples, type EncodedSamples } from '../features/samples.ts';
import { emptyStatistics } from '../features/statistics.ts';
import { inOrder } from '../in-order.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';
import type { PinnedObject } from './byte-source.ts';
import { assertHeldOut } from './held-out.ts';
import { type PreparedDataset, type PreparedPart, writeManifest } from './manifest.ts';
import {
  markedParts,
  type Part,
  type PartsToPrepare,
  planKey,
  readOrPlanParts,
  unmarkParts,
} from './parts.ts';
import { type Declared, heldOutRowsOf } from './preparation.ts';
import { forgetPart, preparePart, readPrepared } from './prepare-part.ts';
import { readHeldOut, writeHeldOut } from './shards.ts';
import { createRowTally } from './tally.ts';
import type { RowsSoFar } from './unfinished.ts';
import type { Turn } from './work-through.ts';

/** Whether parts are left to others, who prepare them side by side. */
export type SideBySide = (parts: PartsToPrepare) => boolean;

/** A large dataset that is prepared, or which of its parts are missing. */
export type PreparingParts =
  | { readonly isDone: true; readonly prepared: PreparedDataset }
  | { readonly isDone: false; readonly rows: number; readonly parts: PartsToPrepare };

/** How a large dataset is prepared. */
type Options = Turn & { readonly isAgain?: boolean; readonly sideBySide?: SideBySide };

/** A dataset that is prepared in parts. */
type Parted = {
  readonly hash: string;
  readonly plan: string;
  readonly parts: readonly Part[];
};

/**
 * Prepares a dataset in parts, those one after another that nobody else prepares, and puts together
 * what they came to. Who prepared a part, when, and how often changes no byte.
 *
 * @throws MillraceError kind `invalid` as `prepareDataset()`
 */
export async function prepareByParts(
  ports: Pick<Ports, 'store' | 'limits' | 'pause'>,
  declared: Declared,
  { hash, objects }: { readonly hash: string; readonly objects: readonly PinnedObject[] },
  { isAgain = false, sideBySide = () => false, ...turn }: Options,
): Promise<PreparingParts> {
  const { store } = ports;
  const plan = planKey(hash);
  const heldOutRows = heldOutRowsOf(declared.encoder.layout);
  const parts = await readOrPlanParts(ports, plan, objects, heldOutRows);
  if (isAgain) {
    for (const part of parts) await forgetPart(store, declared, part);
    await unmarkParts(store, plan);
  }
  const marked = await markedParts(store, plan);
  const missing = parts.filter(({ part }) => !marked.has(part));
  const toPrepare = { plan, all: parts.length, missing: missing.length };
  if (missing.length > 0 && sideBySide(toPrepare))
    return { isDone: false, rows: 0, parts: toPrepare };
  let rows = 0;
  const so = (done: number) => ({ ...toPrepare, missing: missing.length - done });
  for (const [done, part] of missing.entries()) {
    if (done > 0 && turn.isTimeUp?.()) return { isDone: false, rows, parts: so(done) };
    const preparing = await preparePart(ports, declared, { plan, part }, turn);
    if (!preparing.isDone) return { isDone: false, rows: rows + preparing.rows, parts: so(done) };
    rows += preparing.prepared.tally.rows;
  }
  const joined = await joinParts(ports, declared, { hash, plan, parts }, turn);
  return joined ?? { isDone: false, rows, parts: so(missing.length) };
}

/** Puts together what all parts came to; undefined if there was no time for one of them. */
async function joinParts(
  ports: Pick<Ports, 'store'>,
  declared: Declared,
  dataset: Parted,
  turn: Turn,
): Promise<Extract<PreparingParts, { isDone: true }> | undefined> {
  const { store } = ports;
  const { spec, encoder } = declared;
  const { hash, parts } = dataset;
  const prepared = await partsInOrder(ports, declared, dataset, turn);
  if (prepared === undefined) return undefined;
  const { layout } = encoder;
  const statistics = prepared.reduce(
    (sum, part) => mergeWithHistory(layout, sum, part.statistics),
    emptyStatistics(layout),
  );
  const shardRows = prepared.flatMap((part) => part.shardRows);
  const sums = createRowTally(spec, joinTallies(prepared, parts)).finish(shardRows.length);
  const heldOutRows = prepared.reduce((sum, part) => sum + part.heldOutRows, 0);
  assertHeldOut(spec, heldOutRows);
  const manifest = {
    hash,
    parts: prepared.map((part) => ({ hash: part.hash, shards: part.shardRows.length })),
    shardRows,
    shardDigests: prepared.flatMap((part) => part.shardDigests),
    heldOutRows,
    heldOutDigest: await joinHeldOut(store, declared, hash, prepared),
    statistics,
    ...sums,
  };
  await writeManifest(store, manifest);
  return { isDone: true, prepared: manifest };
}

/**
 * All parts as they are prepared. A cut may lie within a row, where a cell has line ends: the part
 * behind it began with lines that are none of its rows, and is prepared again from where the one
 * before it ended.
 */
async function partsInOrder(
  ports: Pick<Ports, 'store'>,
  declared: Declared,
  { plan, parts }: Parted,
  turn: Turn,
): Promise<readonly PreparedPart[] | undefined> {
  const prepared: PreparedPart[] = [];
  const found = inOrder(limits.readsAtOnce, (i) => {
    const part = parts[i];
    return part !== undefined && readPrepared(ports.store, declared, part);
  });
  for await (const first of found) {
    const part = parts[prepared.length];
    if (part === undefined) break;
    const own = first ?? (await preparedNow(ports, declared, { plan, part }, turn));
    if (own === undefined) return undefined;
    const end = part.from === undefined ? undefined : prepared.at(-1)?.end;
    const isWithinRow = end !== undefined && end.at > (own.begin?.at ?? 0);
    const begin = end && { ...end, line: 1 };
    const exact = isWithinRow
      ? await preparedNow(ports, declared, { plan, part }, { ...turn, begin })
      : own;
    if (exact === undefined) return undefined;
    prepared.push(exact);
  }
  return prepared;
}

async function preparedNow(
  ...input: Parameters<typeof preparePart>
): Promise<PreparedPart | undefined> {
  const preparing = await preparePart(...input);
  return preparing.isDone ? preparing.prepared : undefined;
}

/** What the rows of all parts came to. Those behind a cut do not know on which line it lies. */
function joinTallies(prepared: readonly PreparedPart[], parts: readonly Part[]): RowsSoFar {
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

async function joinHeldOut(
  store: ObjectStore,
  { encoder: { layout } }: Declared,
  hash: string,
  prepared: readonly PreparedPart[],
): Promise<string> {
  const read = inOrder(limits.readsAtOnce, (i) => {
    const part = prepared[i];
    return part !== undefined && readHeldOut(store, part);
  });
  const rows: EncodedSamples[] = [];
  for await (const own of read) rows.push(own);
  return writeHeldOut(store, hash, concatSamples(rows, layout));
}
