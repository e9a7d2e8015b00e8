import * as z from 'zod';
import { storedJson } from '../bucket/json-objects.ts';
import type { SafetensorsFile, StoredTensor } from '../bucket/safetensors.ts';
import { type AdaptiveWindow, emptyWindow } from '../metrics/adwin.ts';
import type { PageHinkley } from '../metrics/page-hinkley.ts';

/** What is known of changes of a stream; see `lib/model/drift.ts`. */
export type Drift = {
  /** Over what each sample lost, from 0 to 1. */
  readonly window: AdaptiveWindow;
  /** Of specs that ask for it: the test that decides instead. */
  readonly pageHinkley?: PageHinkley | undefined;
  /** Of a regression, the mean of each output's labels lately, and their usual distance from it. */
  readonly labels: readonly LabelsLately[];
  /** In how many messages the loss was found to have risen. */
  readonly found: number;
  /** How many samples there were after the last of them; 0 before it. */
  readonly last: number;
};

/** Where labels lie lately. */
export type LabelsLately = { readonly mean: number; readonly distance: number };

/** Of other weights on the same stream: they lose as much as they lose. */
export function ofOtherWeights({ pageHinkley: _, ...drift }: Drift): Drift {
  return { ...drift, window: { ...emptyWindow(), seen: drift.window.seen } };
}

const noLabels: LabelsLately = { mean: 0, distance: 0 };

/** Before the first sample. @param outputs numbers of a label */
export function emptyDrift(outputs: number): Drift {
  const labels = Array.from({ length: outputs }, () => noLabels);
  return { window: emptyWindow(), labels, found: 0, last: 0 };
}

const count = z.int().nonnegative();
const sums = z.strictObject({
  seen: count,
  labelMean: z.number(),
  labelDistance: z.number(),
  // Of the outputs behind the first, where there are several.
  otherLabels: z.array(z.strictObject({ mean: z.number(), distance: z.number() })).optional(),
  found: count,
  last: count,
  pageHinkley: z
    .strictObject({ count, mean: z.number(), sum: z.number(), least: z.number() })
    .optional(),
});

const prefix = 'drift/';
const columns = ['counts', 'sums', 'squares'] as const;

/** Its window as tensors of a file. */
export function driftTensors({ window }: Drift): Record<string, StoredTensor> {
  return Object.fromEntries(
    columns.map((name) => [
      `${prefix}${name}`,
      { shape: [window[name].length], data: window[name] },
    ]),
  );
}

/** What it has beside its tensors. */
export function driftMetadata({
  window: { seen },
  pageHinkley,
  ...drift
}: Drift): Record<string, string> {
  const { labels, found, last } = drift;
  const [{ mean: labelMean, distance: labelDistance } = noLabels, ...otherLabels] = labels;
  // In one order: states are compared by their bytes.
  const own = {
    seen,
    labelMean,
    labelDistance,
    ...(otherLabels.length > 0 && { otherLabels }),
    found,
    last,
    ...(pageHinkley && { pageHinkley }),
  };
  return { drift: storedJson(own, 'what is known of changes') };
}

/** Undoes both; undefined if there is none. */
export function driftFrom(
  tensors: SafetensorsFile['tensors'],
  { drift }: Readonly<Record<string, string>>,
): Drift | undefined {
  if (drift === undefined) return undefined;
  const { seen, labelMean, labelDistance, otherLabels, ...numbers } = sums.parse(JSON.parse(drift));
  const labels = [{ mean: labelMean, distance: labelDistance }, ...(otherLabels ?? [])];
  const [counts, totals, squares] = columns.map((name) => {
    const data = tensors[prefix + name]?.data;
    return data instanceof Float64Array ? data : new Float64Array();
  });
  if (counts === undefined || totals === undefined || squares === undefined) return undefined;
  return { window: { counts, sums: totals, squares, seen }, labels, ...numbers };
}
