import * as z from 'zod';
import { parseUndamaged } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { digestOf } from '../bucket/safetensors.ts';
import { invalid, reasonIf } from '../errors.ts';
import { lastCheckpoint } from '../fold/checkpoints.ts';
import { isTimeUp } from '../fold/time-left.ts';
import { existingModel, initialState, type Model } from '../model/model.ts';
import { parse } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../state/checkpoint-file.ts';
import type { State } from '../state/state.ts';
import { type ComparedFold, type FoldProgress, foldAndCompare } from './compared-fold.ts';
import { nameOfRun, noteEnd, putOutcome, startWork } from './side-by-side.ts';
import {
  fileOf,
  outcomeOf,
  sequence,
  stretchSchema,
  type VerificationRun,
} from './stretch-outcomes.ts';
import { keptSequences, statePublished } from './verify.ts';

const requestSchema = z.strictObject({
  model: z.string(),
  run: z.string(),
  /** Absent in the last request of a run, which notes that all others are over. */
  stretch: stretchSchema.optional(),
});

/** What the state machine asks for. */
export type StretchRequest = z.output<typeof requestSchema>;

/** What the state machine asks for. @throws MillraceError kind `invalid` */
export function parseStretchRequest(event: unknown): StretchRequest {
  return parse(requestSchema, event, 'the request');
}

const progressSchema = z.strictObject({
  own: z.string(),
  begin: sequence,
  others: z.array(z.string()),
  isExact: z.boolean(),
  samples: z.int(),
  lostCheckpoints: z.array(sequence),
  damagedStates: z.array(sequence),
  /** Of the state that was reached. */
  digest: z.string(),
});

/**
 * Has a journal folded again from its beginning, each stretch between two kept checkpoints by
 * itself, side by side: a state machine invokes a function for each.
 *
 * @throws MillraceError kind `invalid` if the stack cannot, or there is nothing to verify
 */
export async function startVerification(ports: Ports, model: Model): Promise<VerificationRun> {
  const { startVerification: start, store } = ports;
  const { name } = model;
  if (start === undefined)
    throw invalid(
      'the stack has no state machine that verifies; deploy it with this release, or verify ' +
        'without --side-by-side',
    );
  const published = await statePublished(ports, model);
  const kept = await keptSequences(ports, model);
  const ends = new Set([...kept, ...(published ? [published.sequence] : [])]);
  const tos = [...ends].filter((to) => to > 0).sort((a, b) => a - b);
  if (tos.length === 0) throw invalid(`${name} has learnt nothing yet; there is nothing to verify`);
  const stretches = tos.map((to, place) => ({ from: tos[place - 1] ?? 0, to }));
  const run = nameOfRun(ports);
  // The journal goes on meanwhile, and the state with it.
  if (published !== undefined)
    await store.put(keys.verified(name, run, fileOf.published), encodeCheckpoint(published));
  await startWork(store, start, keys.allVerified(name, run), {
    items: stretches,
    name: `verify-${name.slice(0, 40)}-${run}`,
    input: { model: name, run },
  });
  return { model: name, run, stretches, published };
}

/** Whether a request needs no further invocation. */
export type StretchAnswer = { readonly isDone: boolean };

/**
 * Folds a stretch of a journal as far as the time allows, and writes what it came to.
 *
 * @throws MillraceError kind `unavailable` if S3 does not answer
 */
export async function verifyStretch(
  ports: Ports,
  { model: name, run, stretch }: StretchRequest,
  secondsLeft: () => number,
): Promise<StretchAnswer> {
  const { store } = ports;
  const folder = keys.allVerified(name, run);
  const put = (file: string, value: unknown) => putOutcome(store, folder, file, value);
  if (stretch === undefined) {
    await noteEnd(store, folder);
    return { isDone: true };
  }
  const { to } = stretch;
  const model = await existingModel(ports, name);
  const folded = await foldStretch(ports, model, { run, stretch, secondsLeft }).catch(
    reasonIf('corrupt'),
  );
  if (typeof folded === 'string') {
    const none = { samples: 0, stretches: [], lostCheckpoints: [], damagedStates: [] };
    await put(fileOf.outcome(to), { ...stretch, ...none, failure: folded });
    return { isDone: true };
  }
  const { state, rest, ...compared } = folded;
  if (rest === undefined) {
    await put(fileOf.outcome(to), outcomeOf(stretch, compared));
    return { isDone: true };
  }
  const body = encodeCheckpoint(state);
  await store.put(keys.verified(name, run, fileOf.state(to)), body);
  await put(fileOf.progress(to), { ...rest, digest: digestOf(body) });
  return { isDone: false };
}

/** A stretch of a run, and the time that there is for it. */
type Turn = Required<Pick<StretchRequest, 'run' | 'stretch'>> & {
  readonly secondsLeft: () => number;
};

async function foldStretch(
  ports: Ports,
  model: Model,
  { run, stretch: { from, to }, secondsLeft }: Turn,
): Promise<ComparedFold> {
  const { store } = ports;
  const object = await store.get(keys.verified(model.name, run, fileOf.published));
  const published = object && decodeCheckpoint(object.body);
  const reached = await reachedBefore(store, { model: model.name, run, to });
  const first = from === 0 ? initialState(model) : await lastCheckpoint(ports, model, from);
  return foldAndCompare(
    ports,
    model,
    {
      start: reached?.state ?? first,
      stored: {
        kept: new Set([to]),
        ...(published?.sequence === to && { published }),
      },
    },
    { to, before: reached?.progress, mustStop: (next) => isTimeUp(secondsLeft, next) },
  );
}

/** How far an invocation before came with a stretch; undefined if none did, or it is damaged. */
async function reachedBefore(
  store: ObjectStore,
  { model, run, to }: { readonly model: string; readonly run: string; readonly to: number },
): Promise<{ readonly state: State; readonly progress: FoldProgress } | undefined> {
  const object = await store.get(keys.verified(model, run, fileOf.progress(to)));
  const noted = object && parseUndamaged(progressSchema, object.body);
  const state = noted && (await store.get(keys.verified(model, run, fileOf.state(to))));
  if (state === undefined || digestOf(state.body) !== noted?.digest) return undefined;
  const { digest: _, ...progress } = noted;
  return { state: decodeCheckpoint(state.body), progress };
}
