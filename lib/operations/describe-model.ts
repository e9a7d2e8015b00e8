import { keys } from '../bucket/keys.ts';
import type { EntryHeader } from '../commands/commands.ts';
import { answeringWeights } from '../engine/experts/mixture.ts';
import { mixtureOf } from '../engine/experts/mixture-tensors.ts';
import { isOfKind, reasonIf } from '../errors.ts';
import { layoutOf } from '../features/columns.ts';
import { type VocabularySummary, vocabularySummaries } from '../features/vocabularies.ts';
import { publishedState } from '../fold/checkpoints.ts';
import { currentModel, currentSpec, existingSpec } from '../fold/current-model.ts';
import { isUsualEnd } from '../jobs/budget.ts';
import { type JobProgress, readProgress } from '../jobs/progress.ts';
import { headersBackFrom, readHeader } from '../journal/reading.ts';
import { metricsOf, type StreamMetrics } from '../metrics/stream-metrics.ts';
import { endOfPromotion } from '../online/end-of-promotion.ts';
import type { Ports } from '../ports/ports.ts';
import type { Expert } from '../spec/experts-schema.ts';
import type { Spec } from '../spec/spec.ts';
import { jobInForce, rollbackInForce, type State } from '../state/state.ts';

/** A model at a glance. */
export type ModelSummary = {
  readonly model: string;
  readonly task: Spec['task'];
  /** Its last entry, and when that was committed. */
  readonly sequence: number;
  readonly time?: string;
  /** The entry that put its spec in force, if that is not the first. */
  readonly specSince?: number;
  /** The same, if figures began anew with it: other weights came with that spec. */
  readonly figuresSince?: number;
  /** Samples that were ever learnt, those among them that were retracted since. */
  readonly learnt: number;
  /** Those that the spec in force predicted, which its figures are of. */
  readonly predicted?: number;
  readonly retractions?: number;
  /** The rollback that its weights go on from, and the entry to which that went. */
  readonly rolledBack?: { readonly sequence: number; readonly to: number };
  /** What made its bits: the engine, and what they depend on. */
  readonly arithmetic?: string;
  readonly stream?: StreamMetrics;
  /** How much each of its experts counts, where it has some, and whether it is heard in answers. */
  readonly experts?: readonly {
    readonly expert: Expert;
    readonly weight: number;
    readonly hasSay: boolean;
  }[];
  /** Of categories whose values get places as they come: how many have one, by feature. */
  readonly vocabularies?: Readonly<Record<string, VocabularySummary>>;
  /** Of labels whose classes get places as they come: which have, and for how many is room. */
  readonly classes?: { readonly names: readonly string[]; readonly most: number };
  /** In how many messages its stream had changed, and after how many samples it did so last. */
  readonly changes?: { readonly found: number; readonly last: number };
};

/** An entry at a glance. */
export type EntrySummary = {
  readonly sequence: number;
  readonly time: string;
  readonly kind: EntryHeader['kind'];
  readonly messages: number;
  readonly samples: number;
  readonly refused: number;
  /** The mean loss of its messages before they were learnt, each as often as it has samples. */
  readonly loss?: number;
};

/** A batch job at a glance. */
export type JobSummary = {
  readonly job: string;
  readonly dataset?: string;
  /** `unknown`: its report is damaged. */
  readonly status: JobProgress['status'] | 'unknown';
  readonly epoch: number;
  readonly rows: number;
  readonly refusedRows: number;
  readonly loss?: number;
  readonly heldOutLoss?: number;
  /** What champion and challenger came to on the held-out rows, once they were compared. */
  readonly heldOut?: NonNullable<JobProgress['comparison']>['heldOut'];
  readonly reason?: string;
  readonly time?: string;
};

/** A model as `millrace show` shows it. */
export type ModelDescription = ModelSummary & {
  readonly spec: Spec;
  readonly stateBytes: number;
  /** Newest first. */
  readonly entries: readonly EntrySummary[];
  readonly jobs: readonly JobSummary[];
};

/** A model of which something that is stored cannot be read. */
export type BrokenModel = { readonly model: string; readonly problem: string };

/** All models of a stack, in the order of their names. One that is broken hides no other. */
export async function listModels(ports: Ports): Promise<readonly (ModelSummary | BrokenModel)[]> {
  // (S3 lists `a-b/` before `a/`.)
  const names = (await ports.store.folders(keys.models)).toSorted();
  const summaries: (ModelSummary | BrokenModel)[] = [];
  for (const model of names) {
    try {
      const declared = await currentSpec(ports, model);
      if (declared !== undefined) {
        const state = await stateOf(ports, declared.spec.model);
        summaries.push(await summaryOf(ports, declared.spec, state));
      }
    } catch (error) {
      if (!isOfKind(error, 'corrupt')) throw error;
      summaries.push({ model, problem: error.message });
    }
  }
  return summaries;
}

/**
 * A model with its last entries and its jobs.
 *
 * @throws MillraceError kind `invalid` if there is no such model
 */
export async function describeModel(
  ports: Ports,
  name: string,
  lastEntries = 5,
): Promise<ModelDescription> {
  const { store } = ports;
  const declared = await existingSpec(ports, name);
  const state = await stateOf(ports, name);
  const summary = await summaryOf(ports, declared.spec, state);
  const listed = await store.list(keys.state(name));
  const entries: EntrySummary[] = [];
  if (summary.sequence > 0 && lastEntries > 0) {
    for await (const header of headersBackFrom(store, name, summary.sequence)) {
      entries.push(entrySummary(header));
      if (entries.length >= lastEntries) break;
    }
  }
  return {
    ...summary,
    spec: declared.spec,
    stateBytes: listed[0]?.sizeBytes ?? 0,
    entries,
    jobs: await jobsBeside(ports, name, state),
  };
}

/** The batch jobs of a model, in the order of their names. */
export async function describeJobs(ports: Ports, model: string): Promise<readonly JobSummary[]> {
  return jobsBeside(ports, model, await stateOf(ports, model));
}

async function jobsBeside(
  ports: Ports,
  model: string,
  state: State | undefined,
): Promise<readonly JobSummary[]> {
  const { store } = ports;
  const jobs: JobSummary[] = [];
  for (const job of await store.folders(keys.jobs(model))) {
    const progress = await readProgress(store, model, job).catch(reasonIf('corrupt'));
    // A retraction has a folder among the jobs, and no progress.
    if (progress === undefined) continue;
    if (typeof progress === 'string') {
      const reason = `${progress}; its next report, if one comes, is written over it`;
      jobs.push({ job, status: 'unknown', epoch: 0, rows: 0, refusedRows: 0, reason });
      continue;
    }
    const { status, epoch, rows, refusedRows, reason, dataset, time, promotion } = progress;
    const ended =
      status === 'promotion-sent'
        ? await promotionOf(ports, { model, job, state }, progress.caughtUp)
        : { status, reason: promotion === undefined ? reason : promotedBy(promotion, state) };
    jobs.push({
      job,
      dataset,
      epoch,
      rows,
      refusedRows,
      loss: progress.epochLosses.at(-1),
      heldOutLoss: progress.comparison?.heldOut?.challenger ?? progress.heldOutLosses.at(-1),
      heldOut: progress.comparison?.heldOut,
      time,
      ...ended,
      reason: ended.status === 'promoted' ? joined(reason, ended.reason) : (ended.reason ?? reason),
    });
  }
  return jobs;
}

async function promotionOf(
  { store }: Ports,
  {
    model,
    job,
    state,
  }: { readonly model: string; readonly job: string; readonly state: State | undefined },
  caughtUp: number,
): Promise<Pick<JobSummary, 'status' | 'reason'>> {
  const { end } = await endOfPromotion(store, { model, job }, caughtUp);
  if (end === undefined) return { status: 'promotion-sent' };
  return 'promotion' in end
    ? { status: 'promoted', reason: promotedBy(end.promotion, state) }
    : { status: 'kept-champion', reason: end.refusal };
}

/** Why a job ended, unless by its epochs, which are told besides; and what became of it. */
function joined(...reasons: readonly (string | undefined)[]): string {
  const told = reasons.filter((each) => each !== undefined && !isUsualEnd(each));
  return [...new Set(told)].join('; ');
}

/** Which entry promoted a job; and that it is not in the weights, if it is the last that was. */
function promotedBy(promotion: number, state: State | undefined): string {
  const by = `promoted by entry ${promotion}`;
  if (state?.promoted?.sequence !== promotion || jobInForce(state)?.sequence === promotion)
    return by;
  return `${by}; its weights are not in place any more`;
}

async function summaryOf(
  ports: Ports,
  spec: Spec,
  state: State | undefined,
): Promise<ModelSummary> {
  const { model, task } = spec;
  const { experts } = spec.online;
  if (state === undefined) return { model, task, sequence: 0, learnt: 0 };
  const { sequence, learnt, arithmetic, retractions, statistics, drift, specSince } = state;
  const areNew = specSince !== undefined && state.replaced?.sequence === specSince;
  const rolledBack = rollbackInForce(state);
  const last = sequence === 0 ? undefined : await readHeader(ports.store, model, sequence);
  return {
    model,
    task,
    sequence,
    time: last?.time,
    ...(specSince === undefined ? {} : { specSince }),
    ...(areNew && { figuresSince: specSince }),
    learnt,
    predicted: state.scores.samples,
    ...(retractions.length === 0 ? {} : { retractions: retractions.length }),
    ...(rolledBack && { rolledBack }),
    arithmetic,
    stream: metricsOf(state, spec),
    ...(experts && { experts: weighted(spec, experts, state) }),
    ...(statistics.vocabularies && {
      vocabularies: vocabularySummaries(layoutOf(spec), statistics.vocabularies),
    }),
    ...(statistics.classNames && {
      classes: { names: statistics.classNames, most: spec.label.maxClasses ?? 0 },
    }),
    ...(drift && { changes: { found: drift.found, last: drift.last } }),
  };
}

/** The newest state: the published one is a cache, and may be behind, damaged or gone. */
async function stateOf(ports: Ports, model: string): Promise<State | undefined> {
  const published = await publishedState(ports, model);
  if (published === undefined) return foldedState(ports, model);
  const next = await readHeader(ports.store, model, published.sequence + 1);
  return next === undefined ? published : (await currentModel(ports, model)).state;
}

/** The state of a journal whose published one is missing or damaged. */
async function foldedState(ports: Ports, model: string): Promise<State | undefined> {
  if ((await readHeader(ports.store, model, 1)) === undefined) return undefined;
  return (await currentModel(ports, model)).state;
}

function weighted(spec: Spec, experts: readonly Expert[], state: State) {
  const mixture = mixtureOf(state);
  const answering = answeringWeights(spec, mixture);
  return experts.map((expert, i) => ({
    expert,
    weight: mixture.weights[i] ?? 0,
    hasSay: (answering[i] ?? 0) > 0,
  }));
}

function entrySummary(header: EntryHeader): EntrySummary {
  const { sequence, time, kind, messages } = header;
  const sum = (of: (message: EntryHeader['messages'][number]) => number) =>
    messages.reduce((total, message) => total + of(message), 0);
  const samples = sum((message) => message.samples);
  const losses = sum(({ loss = 0, samples: count }) => loss * count);
  const hasLoss = messages.some(({ loss }) => loss !== undefined);
  return {
    sequence,
    time,
    kind,
    messages: messages.length,
    samples,
    refused: sum(({ refused }) => refused),
    ...(hasLoss ? { loss: losses / samples } : {}),
  };
}
