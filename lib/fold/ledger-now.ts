import { keys } from '../bucket/keys.ts';
import type { BucketPorts } from '../bucket/object-store.ts';
import { entriesAfter } from '../journal/reading.ts';
import { settleEntry } from '../journal/settle-entry.ts';
import { limits } from '../limits.ts';
import { decodeCheckpoint } from '../state/checkpoint-file.ts';
import { emptyLedger, type Ledger } from '../state/ledger.ts';
import { lastKept } from './checkpoints.ts';

/**
 * The ledger of a model at the end of its journal: the one answer to what is settled now. The
 * published state may be some entries behind, or deleted. So it is read forward from there, or from
 * the last kept checkpoint. Nothing is learnt on the way, and the model need not be compiled.
 *
 * @throws MillraceError kind `corrupt` if a checkpoint or an entry cannot be read
 */
export async function ledgerNow(ports: BucketPorts, model: string): Promise<Ledger> {
  const { store } = ports;
  const checkpoint = (await store.get(keys.state(model))) ?? (await lastKept(store, model))?.object;
  const start = checkpoint === undefined ? undefined : decodeCheckpoint(checkpoint.body);
  let ledger = start?.ledger ?? emptyLedger;
  const journal = entriesAfter(store, model, start?.sequence ?? 0, { ahead: limits.readsAtOnce });
  for await (const { header } of journal) ledger = settleEntry(ledger, header, ports.limits);
  return ledger;
}
