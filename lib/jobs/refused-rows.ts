import type { RowSums } from '../datasets/tally.ts';
import { quarantine } from '../journal/quarantine.ts';
import type { Ports } from '../ports/ports.ts';
import type { JobRecord } from './record.ts';

/** Keeps the first refused rows of a job's dataset, for its owner to find. */
export async function keepRefusedRows(
  ports: Ports,
  { model, job, dataset }: Pick<JobRecord, 'model' | 'job' | 'dataset'>,
  { refusedRows, refused }: Pick<RowSums, 'refusedRows' | 'refused'>,
): Promise<void> {
  if (refused.length === 0) return;
  await quarantine(ports, model, { message: job, dataset, refusedRows, refused });
}
