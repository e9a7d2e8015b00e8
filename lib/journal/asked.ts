import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { putUntilAnswered } from '../bucket/conditional-puts.ts';
import { jsonBody, parseUndamaged } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { BucketPorts, ObjectStore } from '../bucket/object-store.ts';
import type { Claim, Claimed } from '../commands/command.ts';
import { MillraceError } from '../errors.ts';
import { type LearntLabel, labelsById, type SampleId } from '../features/sample-id.ts';
import { limits } from '../limits.ts';
import { show } from '../parse.ts';
import { type Accepted, accepted, type Refused, refuse } from '../refusal.ts';
import { readEntry } from './reading.ts';

const askedSchema = z.looseObject({
  id: z.string(),
  features: z.record(z.string(), z.unknown()),
  /** The hash of the spec that answered; absent in what releases before 0.17 kept. */
  spec: z.string().optional(),
  /** The entries that may have learnt its label: their samples say whether they did. */
  labelledBy: z.array(z.int().positive()).optional(),
});

/** What a model was asked, and answered, under an id: kept until its label comes. */
export type Asked = {
  readonly id: SampleId;
  readonly features: Readonly<Record<string, unknown>>;
  /** What was answered, when, and the entry up to which the state had learnt that answered. */
  readonly prediction: unknown;
  readonly time: string;
  readonly sequence: number;
  /** The hash of the spec that answered. */
  readonly spec: string;
};

/**
 * Keeps what was asked. Asking the same again under an id changes nothing; by another spec, it may
 * have features more or less.
 *
 * @returns a refusal if other features are kept under the id, or it cannot be kept
 * @throws MillraceError kind `unavailable` if it may not be kept
 */
export async function keepAsked(
  ports: BucketPorts,
  model: string,
  asked: Asked,
): Promise<Accepted | Refused<'id-taken' | 'too-large'>> {
  const key = keys.asked(model, asked.id);
  const body = jsonBody(asked, key);
  if (body.length > limits.lateBytes) {
    const reason = `its question would be kept with ${body.length} bytes; ${limits.lateBytes} are allowed`;
    return refuse('too-large', reason);
  }
  for (let attempt = 1; attempt <= ports.limits.putAttempts; attempt++) {
    const outcome = await putUntilAnswered(ports, key, body, { ifNoneMatch: '*' });
    if (outcome?.ok) return accepted;
    const kept = await readAsked(ports.store, model, asked.id);
    if (kept !== undefined) return sameQuestion(kept.asked, asked);
  }
  throw notWritten(key);
}

function sameQuestion(
  kept: z.output<typeof askedSchema> | undefined,
  { id, features, spec }: Asked,
): Accepted | Refused<'id-taken'> {
  if (kept === undefined) {
    const reason = `what is kept under ${show(id)} is damaged; ask under another id`;
    return refuse('id-taken', reason);
  }
  // As JSON has them: it knows no undefined.
  const own: typeof features = JSON.parse(JSON.stringify(features));
  const isOfBoth = (name: string) =>
    kept.spec === undefined ||
    kept.spec === spec ||
    (Object.hasOwn(own, name) && Object.hasOwn(kept.features, name));
  const names = new Set([...Object.keys(own), ...Object.keys(kept.features)]);
  const other = [...names].find(
    (name) => isOfBoth(name) && !isSameCell(own[name], kept.features[name]),
  );
  if (other === undefined) return accepted;
  const reason =
    `other features were asked under ${show(id)} before (${other}: ` +
    `${show(kept.features[other])}, now ${show(own[other])}); ask under an id of their own`;
  return refuse('id-taken', reason);
}

/** Whether two cells are the same, whichever format they came in: texts of CSV, or JSON's own. */
function isSameCell(a: unknown, b: unknown): boolean {
  const isPlain = (cell: unknown) => ['string', 'number', 'boolean'].includes(typeof cell);
  if (isPlain(a) && isPlain(b)) return String(a) === String(b);
  return isDeepStrictEqual(a, b);
}

/** The labels of ids that an entry has learnt. */
export type LearntLabels = (sequence: number) => Promise<ReadonlyMap<SampleId, LearntLabel>>;

/** The labels of ids that entries of a model have learnt; each entry is read once. */
export function learntLabels(store: ObjectStore, model: string): LearntLabels {
  return eachOnce((sequence) => readLabels(store, model, sequence));
}

/** The same labels, of which each entry's are read once. */
export function eachOnce(read: LearntLabels): LearntLabels {
  const known = new Map<number, ReturnType<LearntLabels>>();
  return (sequence) => {
    const labels = known.get(sequence) ?? read(sequence);
    known.set(sequence, labels);
    return labels;
  };
}

async function readLabels(store: ObjectStore, model: string, sequence: number) {
  return labelsById((await readEntry(store, model, sequence))?.samples ?? []);
}

/** An entry that is about to be committed. */
type NextEntry = {
  readonly sequence: number;
  /** What those before it have learnt. */
  readonly learnt: LearntLabels;
  /** The same without what was retracted since; as above unless given. */
  readonly left?: LearntLabels;
};

/**
 * Claims what was asked under an id for an entry that is about to be committed. Its number is
 * written beside the features first, so that whoever gets another label later finds it, and looks
 * into that entry whether it was learnt there. An entry that was never committed, or that another
 * writer committed without it, claims nothing. A label may come after the default that was learnt
 * in its place, and overrules it.
 *
 * @throws MillraceError kind `unavailable` if it may not be claimed
 */
export async function claimAsked(
  ports: BucketPorts,
  model: string,
  { id, isDefault }: Claim,
  { sequence, learnt, left = learnt }: NextEntry,
): Promise<Claimed> {
  const key = keys.asked(model, id);
  for (let attempt = 1; attempt <= ports.limits.putAttempts; attempt++) {
    const kept = await readAsked(ports.store, model, id);
    if (kept?.asked === undefined) return refuse('unknown-id', notAsked(model, id));
    const { features, labelledBy = [] } = kept.asked;
    let overruled: LearntLabel | undefined;
    const claims: number[] = [];
    for (const entry of labelledBy) {
      const before = entry < sequence ? (await learnt(entry)).get(id) : undefined;
      if (before !== undefined && (isDefault || !before.isDefault))
        return (await left(entry)).has(id)
          ? { ...labelledBefore(entry, id, 'another label'), learnt: before.label }
          : labelledBefore(entry, id, 'a label, which was retracted since,');
      overruled ??= before;
      if (entry >= sequence || before !== undefined) claims.push(entry);
    }
    const found = {
      ok: true,
      features,
      sizeBytes: Buffer.byteLength(JSON.stringify(features)),
      ...(overruled && { overruled: overruled.label }),
    } as const;
    if (claims.includes(sequence)) return found;
    const body = jsonBody({ ...kept.asked, labelledBy: [...claims, sequence] }, key);
    const outcome = await putUntilAnswered(ports, key, body, { ifMatch: kept.etag });
    if (outcome?.ok) return found;
  }
  throw notWritten(key);
}

function labelledBefore(entry: number, id: SampleId, what: string): Refused<'labelled-before'> {
  return refuse('labelled-before', `entry ${entry} has learnt ${what} of ${show(id)}`);
}

/** Whether an entry has learnt a label of an id, or its default. */
export async function isLabelled(
  store: ObjectStore,
  model: string,
  id: SampleId,
  learnt: LearntLabels,
): Promise<boolean> {
  const kept = await readAsked(store, model, id);
  for (const entry of kept?.asked?.labelledBy ?? []) if ((await learnt(entry)).has(id)) return true;
  return false;
}

function notAsked(model: string, id: SampleId): string {
  return (
    `${model} was asked nothing under ${show(id)}, or so long ago that it is not kept any more; ` +
    'send the label with its features, and without the id'
  );
}

/** What is kept under an id, with its ETag; nothing of what is damaged, or of another id. */
async function readAsked(store: ObjectStore, model: string, id: SampleId) {
  const object = await store.get(keys.asked(model, id));
  if (object === undefined) return undefined;
  const asked = parseUndamaged(askedSchema, object.body);
  return { asked: asked?.id === id ? asked : undefined, etag: object.etag };
}

function notWritten(key: string): MillraceError {
  return new MillraceError('unavailable', `${key} could not be written`);
}
