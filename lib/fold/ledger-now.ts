import type { BucketPorts } from '../bucket/object-store.ts';
import { headersAfter } from '../journal/reading.ts';
import { settleEntry } from '../journal/settle-entry.ts';
import { limits } from '../limits.ts';
import { emptyLedger, type Ledger } from '../state/ledger.ts';
import { lastState, type StatePorts } from './checkpoints.ts';

/**
 * The ledger of a model at the end of its journal: the one answer to what is settled now. The
 * published state may be some entries behind, or deleted. So it is read forward from there, or from
 * the last kept checkpoint. Nothing is learnt on the way, and the model need not be compiled.
 *
 * @throws MillraceError kind `corrupt` if an entry cannot be read
 */
export async function ledgerNow(ports: BucketPorts & StatePorts, model: string): Promise<Ledger> {
  const start = await lastState(ports, model);
  let ledger = start?.ledger ?? emptyLedger;
  const read = { ahead: limits.readsAtOnce };
  for await (const header of headersAfter(ports.store, model, start?.sequence ?? 0, read)) {
    ledger = settleEntry(ledger, header, ports.limits);
  }
  return ledger;
}
