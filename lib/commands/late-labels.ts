import { noSampleId, readSampleId, type SampleId } from '../features/sample-id.ts';
import { limits } from '../limits.ts';
import { isRecord, show } from '../parse.ts';
import { type Refused, refuse } from '../refusal.ts';
import type { Reach } from './command.ts';

/** The ids whose labels some learnt samples are. */
export function idsOf(samples: readonly unknown[]): ReadonlySet<SampleId> {
  const ids = samples.map((sample) => (isRecord(sample) ? readSampleId(sample.id) : undefined));
  return new Set(ids.filter((id) => id !== undefined));
}

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
  { claimAsked: claim, model }: Pick<Reach, 'claimAsked' | 'model'>,
  sent: readonly unknown[],
): Promise<WithAsked> {
  const late = sent.flatMap((sample, index) =>
    isRecord(sample) && Object.hasOwn(sample, 'id') ? [{ sample, index }] : [],
  );
  if (late.length === 0) return { samples: sent, refused: new Map() };
  const samples = [...sent];
  const refused = new Map<number, Late>();
  const seen = new Set<SampleId>();
  const claims = new Map<number, SampleId>();
  for (const { sample, index } of late) {
    const checked = idOf(sample, seen, claims.size);
    const [wrong] = checked.ok ? model.encoder.encodeLabels([sample]).refused : [];
    if (!checked.ok) refused.set(index, lateOf(checked));
    else if (wrong !== undefined)
      refused.set(index, { ...wrong, code: wrong.code ?? 'wrong-type' });
    else {
      claims.set(index, checked.id);
      seen.add(checked.id);
    }
  }
  const waiting = [...claims];
  let bytes = 0;
  for (let start = 0; start < waiting.length; start += limits.readsAtOnce) {
    const some = waiting.slice(start, start + limits.readsAtOnce);
    const isFull = bytes > limits.lateBytes;
    const claimed = await Promise.all(some.map(([, id]) => (isFull ? tooLarge : claim(id))));
    claimed.forEach((each, i) => {
      const [index = -1] = some[i] ?? [];
      bytes += each.ok ? each.sizeBytes : 0;
      if (!each.ok) refused.set(index, lateOf(each));
      else if (bytes > limits.lateBytes) refused.set(index, lateOf(tooLarge));
      else samples[index] = { ...(sent[index] as object), features: each.features };
    });
  }
  for (const index of refused.keys()) samples[index] = {};
  return { samples, refused };
}

const tooLarge = refuse(
  'too-large',
  `what was asked under the ids of its message has more than ${limits.lateBytes} bytes; send fewer labels in a message`,
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
