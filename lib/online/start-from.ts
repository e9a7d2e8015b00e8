import { invalid } from '../errors.ts';
import type { ForwardBounds } from '../fold/catch-up.ts';
import { isOfJournal, loadCheckpoint, type Published } from '../fold/checkpoints.ts';
import { readForward } from '../fold/fold.ts';
import { loadModel, type Model, modelOfState } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import type { State } from '../state/state.ts';

/**
 * A model as an invocation left it, for the next one on the same machine. It is read forward from
 * the journal before it is used, or taken for the newest until a commit says otherwise.
 */
export type CachedModel = Published & {
  readonly model: Model;
  readonly state: State;
  /** Whether this machine committed its last entry, and had read none of another before. */
  readonly isAlone?: boolean | undefined;
  /** The ETag of that entry, as the commit was answered. */
  readonly entryEtag?: string | undefined;
};

/** Said in the log. */
export const notOfJournal = 'a cached model is not that of the journal, and loaded again';

/** Where an invocation starts. */
export type Start = CachedModel & {
  /** The entry that it started from. */
  readonly loaded: number;
  /** Whether it is taken for the newest without having looked. */
  readonly isAssumed: boolean;
  /** Whether it is of the journal: known only after some samples may have been learnt. */
  readonly isOwn: boolean | Promise<boolean>;
};

/**
 * The model, read forward as far as the journal and the time go; far behind, the next invocation
 * goes on from what this one publishes. A cached model is used only if the journal still holds the
 * entry that it is at: the model may have been removed and created again. One that nobody else has
 * changed lately is not read forward: samples are learnt while the journal is asked, and whether
 * there is a newer entry, their commit says.
 */
export async function startFrom(
  ports: Ports,
  name: string,
  cached: CachedModel | undefined,
  { mayAssume, ...bounds }: ForwardBounds & { readonly mayAssume: boolean },
): Promise<Start> {
  if (cached !== undefined && cached.state.sequence > 0) {
    const loaded = cached.state.sequence;
    const isOwn = isOfJournal(ports.store, cached.state, cached.entryEtag);
    if (cached.isAlone && mayAssume) {
      isOwn.catch(() => undefined);
      return { ...cached, loaded, isAssumed: true, isOwn };
    }
    const forward = readForward(ports, cached.model, cached.state, bounds);
    const [own, read] = await Promise.all([
      isOwn,
      forward.then(
        (state) => ({ state }),
        (error: unknown) => ({ error }),
      ),
    ]);
    if (own && 'error' in read) throw read.error;
    if (own && 'state' in read) {
      const { state } = read;
      const model = await modelOfState(ports, cached.model, state);
      return { ...cached, model, state, loaded, isAssumed: false, isOwn: true };
    }
    ports.log.warn(notOfJournal, { model: name });
  }
  const first = await loadModel(ports, name);
  if (first === undefined) {
    throw invalid(`there is no model ${name}; create it before sending samples to it`);
  }
  const { state, ...published } = await loadCheckpoint(ports, first);
  const forward = await readForward(ports, first, state, bounds);
  const model = await modelOfState(ports, first, forward);
  const start = { model, state: forward, loaded: state.sequence, ...published };
  return { ...start, isAssumed: false, isOwn: true };
}
