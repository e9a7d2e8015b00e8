/** Samples as the simulator's senders make them; those without a label cannot be learnt. */
type Sent = {
  readonly features: { readonly id: number; readonly kind: string };
  readonly label?: number | null;
  readonly weight: number;
};

/** The same samples column by column. */
export type SentColumns = {
  readonly features: { readonly id: readonly number[]; readonly kind: readonly string[] };
  readonly label: readonly (number | null)[];
  readonly weight: readonly number[];
};

/** The columns of samples, in which null stands for a label that is not there. */
export function columnsOf(samples: readonly unknown[]): SentColumns {
  const sent = samples as readonly Sent[];
  return {
    features: {
      id: sent.map(({ features }) => features.id),
      kind: sent.map(({ features }) => features.kind),
    },
    label: sent.map(({ label = null }) => label),
    weight: sent.map(({ weight }) => weight),
  };
}

/** The samples of columns, by an implementation of its own. */
export function rowsOf({ features, label, weight }: SentColumns): readonly Sent[] {
  return features.id.map((id, row) => ({
    features: { id, kind: features.kind[row] ?? '' },
    label: label[row] ?? null,
    weight: weight[row] ?? 1,
  }));
}
