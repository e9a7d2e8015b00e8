import {
  noSampleId,
  readSampleId,
  type SampleId,
  type WithId,
  withIds,
} from '../features/sample-id.ts';
import { eachInOrder } from '../in-order.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import { show } from '../parse.ts';
import { type Refused, refuse } from '../refusal.ts';
import type { Claimed, Reach } from './command.ts';

/** Why a label that comes after its prediction cannot be learnt. */
type Late = { readonly field: string; readonly code: Refused['code']; readonly reason: string };

/** Samples with the features that were asked, and why some have none, by their places. */
export type WithAsked = {
  readonly samples: readonly unknown[];
  readonly refused: ReadonlyMap<number, Late>;
};

/**
 * Joins labels that come after their predictions with the features that were kept under their ids.
 * A sample without an id stays as it is; one that is refused is left without features, so that
 * nobody can learn it.
 */
export async function withAsked(
  { claimAsked, model }: Pick<Reach, 'claimAsked' | 'model'>,
  sent: readonly unknown[],
): Promise<WithAsked> {
  const late = withIds(sent);
  if (late.length === 0) return { samples: sent, refused: new Map() };
  const { claims, refused } = claimsOf(model, late);
  const samples = [...sent];
  let bytes = 0;
  const claim = async (id: SampleId): Promise<Claimed | Refused<'too-large'>> =>
    bytes > limits.lateBytes ? tooLarge : claimAsked(id);
  const claimedOf = ({ id }: { readonly id: SampleId }) => claim(id);
  for await (const [own, claimed] of eachInOrder(limits.readsAtOnce, claims, claimedOf)) {
    const { index, sample } = own;
    bytes += claimed.ok ? claimed.sizeBytes : 0;
    if (!claimed.ok) refused.set(index, lateOf(claimed));
    else if (bytes > limits.lateBytes) refused.set(index, lateOf(tooLarge));
    else samples[index] = { ...sample, features: claimed.features };
  }
  for (const index of refused.keys()) samples[index] = {};
  return { samples, refused };
}

/** Whose features are claimed, and why nobody's are for the others. */
function claimsOf({ encoder }: Model, late: readonly WithId[]) {
  const labels = encoder.encodeLabels(late.map(({ sample }) => sample)).refused;
  const wrong = new Map(labels.map((refusal) => [refusal.index, refusal]));
  const refused = new Map<number, Late>();
  const seen = new Set<SampleId>();
  const claims: (WithId & { readonly id: SampleId })[] = [];
  for (const [place, { index, sample }] of late.entries()) {
    const checked = idOf(sample, seen, claims.length);
    const own = wrong.get(place);
    if (!checked.ok) refused.set(index, lateOf(checked));
    else if (own !== undefined) refused.set(index, { ...own, code: own.code ?? 'wrong-type' });
    else {
      claims.push({ index, sample, id: checked.id });
      seen.add(checked.id);
    }
  }
  return { claims, refused };
}

const tooLarge = refuse(
  'too-large',
  `what was asked under the ids of its message has more than ${limits.lateBytes} bytes; ` +
    'send fewer labels in a message',
);

/**
 * The id of a label.
 *
 * @param seen those that its message has before it
 * @param claims how many of them may be learnt
 */
function idOf(
  { id: sent, features }: Readonly<Record<string, unknown>>,
  seen: ReadonlySet<SampleId>,
  claims: number,
): { readonly ok: true; readonly id: SampleId } | Refused {
  const id = readSampleId(sent);
  if (id === undefined) return noSampleId(sent);
  if (features !== undefined)
    return refuse('unknown-field', 'goes without features: it stands for those that were asked');
  if (seen.has(id))
    return refuse('labelled-before', `its message has another label of ${show(id)} before it`);
  if (claims < limits.lateLabels) return { ok: true, id };
  const most = `at most ${limits.lateLabels} labels with ids a message`;
  return refuse('too-large', `${most}; send the others in another`);
}

function lateOf({ code, reason }: Refused): Late {
  return { field: 'id', code, reason };
}
