import * as z from 'zod';
import { putUntilAnswered } from '../bucket/conditional-puts.ts';
import { storedJson } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { BucketPorts } from '../bucket/object-store.ts';
import { partsToPrepare } from '../datasets/parts.ts';
import { isOfKind, MillraceError } from '../errors.ts';
import { fitsModel, type Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { type Accepted, accepted, type Refused, refuse } from '../refusal.ts';
import { decodeParameters, encodeParameters } from '../state/checkpoint-file.ts';
import type { Parameters } from '../state/state.ts';
import type { JobRecord } from './record.ts';

/**
 * The status of a batch job. While `preparing` it encodes its dataset. During `catching-up` it
 * learns the journal's latest entries; the last three are ends.
 */
export const jobStatuses = [
  'preparing',
  'training',
  'catching-up',
  'promotion-sent',
  'kept-champion',
  'failed',
] as const;

/** A loss. Release 0.1.0 wrote null for one that was not finite. */
const stored = z
  .number()
  .nullable()
  .transform((loss) => loss ?? Number.MAX_VALUE);

const figure = z.number().optional();

/** What predictions of held-out rows came to; see `lib/metrics/figures.ts`. */
export const figuresSchema = z.strictObject({
  loss: stored,
  accuracy: figure,
  balancedAccuracy: figure,
  cohensKappa: figure,
  f1: figure,
  precision: figure,
  recall: figure,
  accuracyOfCommonestLabel: figure,
  areaUnderCurve: figure,
  calibrationError: figure,
  meanAbsoluteError: figure,
  rootMeanSquaredError: figure,
  rSquared: figure,
  outputs: z
    .record(
      z.string(),
      z.strictObject({ meanAbsoluteError: z.number(), rootMeanSquaredError: z.number() }),
    )
    .optional(),
  confusion: z
    .strictObject({
      classes: z.array(z.string()).readonly(),
      counts: z.array(z.array(z.number()).readonly()).readonly(),
    })
    .optional(),
});

/** Mean losses on the same samples; the champion's is null if it is not finite. */
const rivals = z.strictObject({
  champion: z.number().nullable(),
  challenger: stored,
  /** Of predicting the mean label, or the share of each class. Absent in releases before 0.3. */
  baseline: z.number().optional(),
  /** What they came to besides; absent in releases before 0.12. */
  figures: z
    .strictObject({ champion: figuresSchema.optional(), challenger: figuresSchema })
    .optional(),
});

/** Everything about a job except its tensors, as its lane and its progress hold it. */
export const placeSchema = z.strictObject({
  status: z.enum(jobStatuses),
  /** Slices done. */
  slice: z.int().nonnegative(),
  /**
   * Epochs done, and the place in the epoch under way: the shard's place in the epoch's order, and
   * its minibatch.
   */
  epoch: z.int().nonnegative(),
  shard: z.int().nonnegative(),
  minibatch: z.int().nonnegative(),
  /** Σ loss and number of the minibatches of the epoch under way. */
  lossSum: stored,
  lossCount: z.int().nonnegative(),
  /** Mean training loss of each epoch done, and the held-out loss where there is a split. */
  epochLosses: z.array(stored),
  heldOutLosses: z.array(stored),
  /** What the held-out rows of the latest epochs came to besides; see {@link figuredEpochs}. */
  heldOutFigures: z.array(figuresSchema).optional(),
  /** Early stopping: the lowest held-out loss, and epochs without a lower one. */
  bestLoss: z.number().nullable(),
  epochsWithoutBest: z.int().nonnegative(),
  /** How long was trained in all, in milliseconds, where the spec bounds that. */
  trainedMilliseconds: z.number().nonnegative().optional(),
  /** The journal entry up to which the lane has learnt the stream. */
  caughtUp: z.int().nonnegative(),
  /** Whether the weights with which the job began had learnt a stream. */
  isOfStream: z.boolean().optional(),
  /** Whether some of the held-out rows were in it. */
  isHeldOutKnown: z.boolean().optional(),
  /** While a large dataset is prepared in parts. */
  parts: partsToPrepare.optional(),
  /** Why the job ended as it did. */
  reason: z.string().optional(),
  /** The losses of champion and challenger that decided. */
  comparison: z
    .strictObject({
      heldOut: rivals.optional(),
      stream: rivals.optional(),
    })
    .optional(),
});

/** Epochs of which a job keeps all figures. */
export const figuredEpochs = 1_000;

/** What the dataset of a job came to. */
const sumsSchema = z.strictObject({
  /** The rows that it trains on. */
  rows: z.int(),
  refusedRows: z.int(),
  /** By feature, how many rows have a value that the spec does not know. */
  unknown: z.record(z.string(), z.int()),
});
/** What the dataset of a job came to. */
export type DatasetSums = Readonly<z.output<typeof sumsSchema>>;

/** Of a dataset that was not read. */
export const noSums: DatasetSums = { rows: 0, refusedRows: 0, unknown: {} };

/** How far a job is: its status, epoch and minibatch, and its losses so far. */
export type Place = z.output<typeof placeSchema>;
/**
 * A batch job's own state: parameters and place. Written with compare-and-swap after each slice.
 */
export type Lane = {
  readonly parameters: Parameters;
  /** Early stopping: the parameters after the epoch with the lowest loss so far. */
  readonly best?: Parameters | undefined;
  readonly place: Place;
  /** What the report of it says of the dataset; absent in releases before 0.31. */
  readonly sums?: DatasetSums | undefined;
};

/** The place of a job that has not trained yet. */
export function firstPlace(sequence: number): Place {
  return {
    status: 'training',
    slice: 0,
    epoch: 0,
    shard: 0,
    minibatch: 0,
    lossSum: 0,
    lossCount: 0,
    epochLosses: [],
    heldOutLosses: [],
    bestLoss: null,
    epochsWithoutBest: 0,
    caughtUp: sequence,
  };
}

/** The lane as the last slice wrote it, with its ETag; undefined before the first. */
export async function readLane(
  { store }: Pick<Ports, 'store'>,
  model: Model,
  { job }: Pick<JobRecord, 'job'>,
): Promise<{ readonly lane: Lane; readonly etag: string } | undefined> {
  const key = keys.lane(model.name, job);
  const object = await store.get(key);
  if (object === undefined) return undefined;
  const { parameters, best, extra } = decodedLane(key, object.body);
  const place = placeSchema.safeParse(JSON.parse(extra.place ?? 'null'));
  if (!place.success)
    throw new MillraceError('corrupt', `${key} has no valid place: ${place.error.message}`);
  const sums = sumsSchema
    .optional()
    .catch(undefined)
    .parse(JSON.parse(extra.sums ?? 'null'));
  if (fitsModel(model, parameters))
    return { lane: { parameters, best, place: place.data, sums }, etag: object.etag };
  throw new MillraceError('corrupt', `${key} has other tensors than the model's spec`);
}

/** @throws MillraceError kind `corrupt` that names the object */
function decodedLane(key: string, body: Uint8Array): ReturnType<typeof decodeParameters> {
  try {
    return decodeParameters(body);
  } catch (error) {
    if (!isOfKind(error, 'corrupt')) throw error;
    throw new MillraceError('corrupt', `${key}: ${error.message}`, { cause: error });
  }
}

/**
 * Writes the lane over the one that was read. `lost` means that a different run of the slice was
 * faster, and that its lane is kept.
 *
 * @throws MillraceError kind `unavailable` if nobody has written it: the slice must come back
 */
export async function writeLane(
  ports: BucketPorts,
  { model, job }: Pick<JobRecord, 'model' | 'job'>,
  { parameters, best, place, sums }: Lane,
  etag: string | undefined,
): Promise<Accepted | Refused<'lost'>> {
  const key = keys.lane(model, job);
  const extra = {
    place: storedJson(place, key),
    ...(sums && { sums: storedJson(sums, key) }),
  };
  const body = encodeParameters(parameters, extra, best);
  const condition = etag === undefined ? { ifNoneMatch: '*' as const } : { ifMatch: etag };
  const outcome = await putUntilAnswered(ports, key, body, condition);
  if (outcome?.ok) return accepted;
  const current = await ports.store.get(key);
  if (current !== undefined && Buffer.from(current.body).equals(body)) return accepted;
  if (current?.etag !== etag) return refuse('lost', 'another run of the slice was faster');
  throw new MillraceError('unavailable', `${key} could not be written`);
}
