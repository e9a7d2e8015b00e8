import type { PreparedDataset } from '../../lib/datasets/manifest.ts';
import { prepareDataset } from '../../lib/datasets/prepare.ts';

/** A dataset that is prepared at once. */
export async function prepareWhole(
  ...input: Parameters<typeof prepareDataset>
): Promise<PreparedDataset> {
  const preparing = await prepareDataset(...input);
  if (!preparing.isDone) throw new Error(`it is not prepared behind row ${preparing.rows}`);
  return preparing.prepared;
}
