import { keys } from '../../lib/bucket/keys.ts';
import type { Entry } from '../../lib/journal/entry.ts';
import type { Bucket } from '../support/bucket.ts';
import { rowsOf, type SentColumns } from './columns.ts';

/** What one writer found that was about to commit an entry. */
type Finding = {
  readonly nonces: readonly string[];
  readonly body?: string;
  readonly refused: readonly { index: number; code: string; sample?: unknown }[];
};

/**
 * What a model's quarantine holds, as far as the entries confirm it: others were overtaken before
 * they committed.
 */
export function refusedSamples(
  bucket: Bucket,
  model: string,
  entries: readonly Entry[],
): readonly { readonly sample: unknown; readonly code: string }[] {
  return bucket.list(keys.quarantines(model)).flatMap(([, { body }]) => {
    const record = JSON.parse(Buffer.from(body).toString()) as Finding & {
      readonly message: string;
      readonly sequence: number;
      readonly others?: readonly Finding[];
    };
    const header = entries[record.sequence - 1]?.header;
    const settled = header?.messages.find(({ id }) => id === record.message);
    const found = [record, ...(record.others ?? [])].find(({ nonces }) =>
      nonces?.includes(header?.nonce ?? ''),
    );
    if (found === undefined || settled?.refused !== found.refused.length) return [];
    return found.refused.flatMap(({ index, code, sample }) =>
      index < 0
        ? samplesOf(found.body).map((each) => ({ sample: each, code }))
        : [{ sample, code }],
    );
  });
}

function samplesOf(body = '{}'): readonly unknown[] {
  const { columns, labels, samples } = JSON.parse(body) as {
    readonly columns?: SentColumns;
    readonly labels?: readonly unknown[];
    readonly samples?: readonly unknown[];
  };
  return samples ?? labels ?? (columns ? rowsOf(columns) : []);
}
