import {
  isDefaultLabel,
  noSampleId,
  readSampleId,
  type SampleId,
  type WithId,
  withIds,
} from '../features/sample-id.ts';
import type { RawSamples } from '../features/sample-table.ts';
import { eachInOrder } from '../in-order.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import { show } from '../parse.ts';
import { type Refused, refuse } from '../refusal.ts';
import type { Claimed, Reach } from './command.ts';

/** Why a label that comes after its prediction cannot be learnt. */
type Late = { readonly field: string; readonly code: Refused['code']; readonly reason: string };

/** Samples with the features that were asked, and what there is to say of them, by their places. */
export type WithAsked = {
  readonly samples: RawSamples;
  /** Why some have no features. */
  readonly refused: ReadonlyMap<number, Late>;
  /** Those that say nothing new: a default that was not needed, a label that was learnt before. */
  readonly settled: ReadonlySet<number>;
  /** The defaults that were learnt in place of labels that came now. */
  readonly overruled: ReadonlyMap<number, unknown>;
};

/**
 * Joins labels that come after their predictions with the features that were kept under their ids.
 * A sample without an id stays as it is; one that is refused, or says nothing new, is left without
 * features, so that nobody can learn it.
 */
export async function withAsked(
  { claimAsked, model }: Pick<Reach, 'claimAsked' | 'model'>,
  sent: RawSamples,
): Promise<WithAsked> {
  const refused = new Map<number, Late>();
  const settled = new Set<number>();
  const overruled = new Map<number, unknown>();
  const late = withIds(sent);
  if (late.length === 0) return { samples: sent, refused, settled, overruled };
  const claims = claimsOf(model, late, { refused, settled });
  const samples = [...sent];
  const defaults = new Map<SampleId, unknown>();
  let room = limits.lateBytes;
  const claimed = async (claim: LateLabel): Promise<Claimed | Refused<'too-large'>> =>
    room < 0 ? tooLarge : claimAsked(claim);
  for await (const [own, found] of eachInOrder(limits.readsAtOnce, claims, claimed)) {
    const { index, sample, id, isDefault } = own;
    // One that fits no message takes no room from the others.
    const isHuge = found.ok && found.sizeBytes > limits.lateBytes;
    room -= found.ok && !isHuge ? found.sizeBytes : 0;
    const isKnown = !found.ok && found.code === 'labelled-before';
    if (isKnown && (isDefault || isSameLabel(model, sample.label, found.learnt)))
      settled.add(index);
    else if (!found.ok) refused.set(index, lateOf(found));
    else if (isHuge) refused.set(index, lateOf(hugeQuestion));
    else if (room < 0) refused.set(index, lateOf(tooLarge));
    else {
      const { features, overruled: before = defaults.get(id) } = found;
      if (isSameLabel(model, sample.label, before)) settled.add(index);
      else samples[index] = { ...sample, features };
      if (before !== undefined && !settled.has(index)) overruled.set(index, before);
      if (isDefault) defaults.set(id, sample.label);
    }
  }
  for (const index of [...refused.keys(), ...settled]) samples[index] = {};
  return { samples, refused, settled, overruled };
}

/** Whether the label that came is the one that was learnt before, or in its place. */
function isSameLabel({ encoder }: Model, label: unknown, before: unknown): boolean {
  if (before === undefined) return false;
  const both = [label, before].map((each) => ({ id: 'either', label: each }));
  const { samples, accepted } = encoder.encodeLabels(both);
  const { labelWidth = 1 } = encoder.layout;
  const [own, other] = [
    samples.labels.subarray(0, labelWidth),
    samples.labels.subarray(labelWidth),
  ];
  return accepted.length === 2 && own.every((value, at) => value === other[at]);
}

/** A label with an id, and whether it is the default of one that did not come. */
type LateLabel = WithId & { readonly id: SampleId; readonly isDefault: boolean };

/**
 * Whose features are claimed: of an id once for a default, and once for a label behind it.
 *
 * @param refused is told why nobody's are for some, and `settled` of those that say nothing new
 */
function claimsOf(
  model: Model,
  late: readonly WithId[],
  { refused, settled }: { readonly refused: Map<number, Late>; readonly settled: Set<number> },
): readonly LateLabel[] {
  const labels = model.encoder.encodeLabels(late.map(({ sample }) => sample)).refused;
  const wrong = new Map(labels.map((refusal) => [refusal.index, refusal]));
  const seen = new Map<SampleId, LateLabel>();
  const claims: LateLabel[] = [];
  for (const [place, { index, sample }] of late.entries()) {
    const checked = idOf(sample, claims.length);
    const own = wrong.get(place);
    const isDefault = isDefaultLabel(sample);
    const before = checked.ok ? seen.get(checked.id) : undefined;
    if (!checked.ok) refused.set(index, lateOf(checked));
    else if (own !== undefined) refused.set(index, { ...own, code: own.code ?? 'wrong-type' });
    else if (before !== undefined && isDefault) settled.add(index);
    else if (before?.isDefault === false && isSameLabel(model, sample.label, before.sample.label))
      settled.add(index);
    else if (before !== undefined && !before.isDefault)
      refused.set(index, lateOf(labelledInMessage(checked.id)));
    else {
      const claim = { index, sample, id: checked.id, isDefault };
      claims.push(claim);
      seen.set(checked.id, claim);
    }
  }
  return claims;
}

const hugeQuestion = refuse(
  'too-large',
  `what was asked under it has more than ${limits.lateBytes} bytes; send the label with features ` +
    'that are smaller, and without the id',
);

const tooLarge = refuse(
  'too-large',
  `what was asked under the ids of its message has more than ${limits.lateBytes} bytes; ` +
    'send fewer labels in a message',
);

function labelledInMessage(id: SampleId): Refused {
  return refuse('labelled-before', `its message has another label of ${show(id)} before it`);
}

/** The id of a label. @param claims how many before it in its message may be learnt */
function idOf(
  { id: sent, features, lateWeight }: Readonly<Record<string, unknown>>,
  claims: number,
): { readonly ok: true; readonly id: SampleId } | Refused {
  const id = readSampleId(sent);
  if (id === undefined) return noSampleId(sent);
  if (features !== undefined)
    return refuse('unknown-field', 'goes without features: it stands for those that were asked');
  if (lateWeight !== undefined)
    return refuse('unknown-field', 'goes without lateWeight: that is found when it is learnt');
  if (claims < limits.lateLabels) return { ok: true, id };
  const most = `at most ${limits.lateLabels} labels with ids a message`;
  return refuse('too-large', `${most}; send the others in another`);
}

function lateOf({ code, reason }: Refused): Late {
  return { field: 'id', code, reason };
}
