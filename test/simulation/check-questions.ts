import { allOf, type Entry } from '../../lib/journal/entry.ts';
import type { Bucket } from '../support/bucket.ts';
import { defaultLabel, type Question } from './askers.ts';
import { refusedSamples } from './refused-samples.ts';

/** A sample of a journal that was asked under an id. */
type Labelled = {
  readonly id: string;
  readonly label: unknown;
  readonly features: unknown;
  readonly default?: true;
};

/** Each question is learnt once with a label that was sent, or by default; or both, in order. */
export function checkQuestions(
  bucket: Bucket,
  journals: ReadonlyMap<string, readonly Entry[]>,
  questions: readonly Question[],
): readonly string[] {
  return questions.flatMap((question) => {
    const { model, id, features, labels, isExcused } = question;
    const entries = journals.get(model) ?? [];
    const refused = refusedSamples(bucket, model, entries);
    const samples = entries.flatMap((entry) => allOf(entry.samples));
    const learnt = samples.filter(isLabelled).filter((sample) => sample.id === id);
    const [defaults, others] = [true, undefined].map((kind) =>
      learnt.filter((sample) => sample.default === kind),
    );
    const own = others?.[0]?.label;
    const isDefault = labels.includes(Number(defaultLabel)) && defaults?.length === 1;
    const isSettled = labels.length === 0 ? defaults?.length === 1 : own !== undefined || isDefault;
    const wrong = {
      'is learnt twice': (others?.length ?? 0) > 1,
      'is taken by default twice': (defaults?.length ?? 0) > 1,
      'is taken by default after its label': learnt.length > 1 && learnt[1]?.default === true,
      'is learnt otherwise than asked': learnt.some(
        (sample) => JSON.stringify(sample.features) !== JSON.stringify(features),
      ),
      'has a label that nobody sent': own !== undefined && !labels.includes(Number(own)),
      'is lost': !isSettled && !isExcused && !isRefused(refused, question),
    };
    return Object.entries(wrong).flatMap(([what, is]) => (is ? [`${model}: ${id} ${what}`] : []));
  });
}

function isLabelled(sample: unknown): sample is Labelled {
  return (sample as { id?: unknown }).id !== undefined;
}

/** Whether labels of an id are in quarantine. */
function isRefused(refused: readonly { readonly sample: unknown }[], { id }: Question): boolean {
  return refused.some(({ sample }) => (sample as { id?: unknown } | null)?.id === id);
}

/** A sample as if it had been sent whole. */
export function withoutId(sample: unknown): unknown {
  const { id: _, default: __, ...whole } = sample as Readonly<Record<string, unknown>>;
  return whole;
}
