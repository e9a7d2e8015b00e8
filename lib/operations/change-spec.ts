import { putUntilAnswered } from '../bucket/conditional-puts.ts';
import { storedJson } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import { digestOf } from '../bucket/safetensors.ts';
import type { SpecBody } from '../commands/spec.ts';
import { invalid, MillraceError, reasonIf } from '../errors.ts';
import { writeChallenger } from '../fold/challenger.ts';
import { type CurrentModel, currentModel } from '../fold/current-model.ts';
import { readJob } from '../jobs/record.ts';
import { headersAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { assertLearnable, type CreateOptions } from '../model/create-model.ts';
import { loadInitialWeights } from '../model/initial-weights.ts';
import { compileModel, fitsModel, type Model } from '../model/model.ts';
import { loadLaterSpec } from '../model/stored-spec.ts';
import { show } from '../parse.ts';
import { deduplicationId } from '../ports/deduplication.ts';
import type { Ports } from '../ports/ports.ts';
import { withDefaultsUnlessSaid } from '../spec/earlier-defaults.ts';
import { isNetwork } from '../spec/experts-schema.ts';
import { canonicalJson, hashOfDerived, specHash } from '../spec/identity.ts';
import { withIgnored } from '../spec/ignored.ts';
import { defineSpec, parseSpec, type Spec, type SpecInput } from '../spec/spec.ts';
import { type Parameters, parametersOf } from '../state/state.ts';
import { differencesOf, type SpecDifference } from './differences.ts';
import { type Backtest, learnStream, resultOf } from './learn-stream.ts';

/** How a spec is changed. */
export type ChangeSpecOptions = CreateOptions & {
  /**
   * Whether the new spec learns the journal from its beginning also where the weights in use could
   * go on, and has today's defaults wherever it says nothing.
   */
  readonly isRelearnt?: boolean | undefined;
  /** Told after each entry that is learnt again. */
  readonly onProgress?: ((entries: number, of: number) => void) | undefined;
};

/** A change of a spec that is ready to be sent; nothing is written yet. */
export type PreparedSpec = {
  readonly model: string;
  readonly spec: Spec;
  /** Where it differs from the one that holds. */
  readonly differences: readonly SpecDifference[];
  /** Where its weights come from. */
  readonly from: SpecBody['from'];
  /** What both specs would have earned on the stream, where the journal was learnt again. */
  readonly compared?: readonly Backtest[];
  /** Features that it adds and that no sample of the journal has. */
  readonly unseen?: readonly string[];
  /** Jobs over datasets that were promoted: what they learnt is not among it. */
  readonly leftOut?: readonly string[];
  /** The last entry that the weights have learnt. */
  readonly to: number;
  readonly parameters: Parameters;
};

/**
 * Prepares another spec for a model. Where it only says otherwise how the model goes on (rates,
 * minibatches, jobs), the weights in use are kept. Otherwise the journal is learnt again by it,
 * beside the spec that holds, message by message; what batch jobs have learnt of datasets is not
 * among it.
 *
 * @throws MillraceError kind `invalid` if there is no such model, or the spec is not valid, the
 *   same, of another task, or can learn nothing of the stream
 */
export async function prepareSpec(
  ports: Ports,
  name: string,
  input: SpecInput,
  { isRelearnt = false, onProgress, ...options }: ChangeSpecOptions = {},
): Promise<PreparedSpec> {
  const current = await currentModel(ports, name);
  const { model, state } = current;
  const spec = await asStored(ports, model, nextSpec(current, input, isRelearnt));
  await assertLearnable(ports, spec, options);
  const differences = differencesOf(json(model.spec), json(spec));
  const { sequence: to } = state;
  const prepared = { model: name, spec, differences, to };
  const next = await compiledFor(ports, name, spec);
  if (!isRelearnt && goesOn(model.spec, spec) && fitsModel(next, state))
    return { ...prepared, from: 'weights', parameters: parametersOf(state) };
  if (to === 0) return { ...prepared, from: 'journal', parameters: next.initial };
  const specs = [
    { name: 'as it is', spec: model.spec },
    { name: 'changed', spec },
  ];
  const stretch = { specs, from: 1, to, seeds: 1, onProgress };
  const contestants = await learnStream(ports, current, stretch);
  const compared = contestants.map(resultOf);
  const [before, after] = compared;
  const run = contestants[1]?.runs[0];
  if ((before?.samples ?? 0) > 0 && after?.samples === 0)
    throw invalid(
      `spec: it can learn none of the ${before?.samples} samples of ${name}: ` +
        `${run?.firstRefusal}; change it (a feature that samples so far lack needs "missing", and ` +
        'spec.ignore names those that are not read), or create another model',
    );
  const unseen = addedTo(model.spec, spec).filter((feature) => !run?.seen.has(feature));
  const parameters = run?.parameters ?? next.initial;
  const leftOut = await jobsOverDatasets(ports, name, to);
  return { ...prepared, from: 'journal', compared, unseen, leftOut, parameters };
}

/** The jobs over datasets whose weights a model was given. */
async function jobsOverDatasets(
  { store }: Ports,
  model: string,
  to: number,
): Promise<readonly string[]> {
  // What jobs the weights are of, from each entry on that changed it.
  const changes: { readonly sequence: number; readonly jobs: readonly string[] }[] = [];
  for await (const header of headersAfter(store, model, 0, { to, ahead: limits.readsAtOnce })) {
    const { kind, sequence } = header;
    if (kind === 'rollback') {
      const { jobs = [] } = changes.findLast((change) => change.sequence <= header.to) ?? {};
      changes.push({ sequence, jobs });
    } else if (kind === 'spec' && header.from === 'journal') {
      changes.push({ sequence, jobs: [] });
    } else if (kind === 'promote') {
      // One that cannot be read may have been over a dataset.
      const record = await readJob(store, model, header.job).catch(reasonIf('corrupt'));
      const isOverDataset = typeof record === 'string' || (record?.objects.length ?? 0) > 0;
      const before = changes.at(-1)?.jobs ?? [];
      if (isOverDataset) changes.push({ sequence, jobs: [...before, header.job] });
    }
  }
  return changes.at(-1)?.jobs ?? [];
}

/** Writes a spec with its weights, and sends the command that puts both in force. */
export async function sendSpec(
  ports: Ports,
  { model, spec, from, to, parameters }: PreparedSpec,
): Promise<SpecBody> {
  const hash = specHash(json(spec));
  const key = keys.laterSpec(model, hash);
  const body = Buffer.from(`${storedJson(spec, key, 2)}\n`);
  const outcome = await putUntilAnswered(ports, key, body, { ifNoneMatch: '*' });
  if (outcome === undefined) throw new MillraceError('unavailable', `${key} could not be written`);
  const stored = await loadLaterSpec(ports.store, model, hash);
  if (JSON.stringify(stored?.spec.features) !== JSON.stringify(spec.features))
    throw invalid(`spec.features: somebody just stored them in another order; prepare it again`);
  const name = digestOf(Buffer.from(canonicalJson({ hash, from, to }))).slice(0, 16);
  const job = `spec-${name}`;
  const digest = await writeChallenger(ports, { name: model }, job, { parameters, caughtUp: to });
  const command: SpecBody = { job, digest, to: hash, from };
  await ports.sendCommand({
    body: JSON.stringify({ spec: command }),
    group: model,
    deduplication: deduplicationId(model, job, ports.nonce()),
  });
  return command;
}

/** {@link prepareSpec}, and {@link sendSpec} of it: it holds once the command is done. */
export async function changeSpec(
  ports: Ports,
  name: string,
  input: SpecInput,
  options: ChangeSpecOptions = {},
): Promise<PreparedSpec> {
  const prepared = await prepareSpec(ports, name, input, options);
  await sendSpec(ports, prepared);
  return prepared;
}

/** Features of samples that a spec adds. */
function addedTo(before: Spec, { features }: Spec): readonly string[] {
  const isSent = ({ type }: Spec['features'][string]) =>
    type !== 'targetMean' && type !== 'cross' && type !== 'lag';
  return Object.entries(features).flatMap(([feature, declared]) =>
    isSent(declared) && !Object.hasOwn(before.features, feature) ? [feature] : [],
  );
}

/** What an author declares for a model, checked against the spec that holds. */
function nextSpec(
  { model: { name, spec: before } }: CurrentModel,
  input: SpecInput,
  isRelearnt: boolean,
): Spec {
  if (before.initialWeights !== undefined && input.initialWeights === undefined && !isRelearnt)
    throw invalid(
      `spec.initialWeights: ${name} was imported, and the file does not name its weights; begin ` +
        `with what millrace spec ${name} prints, or say --relearn to begin without them`,
    );
  const declared = defineSpec(input);
  const own = isRelearnt ? declared : withDefaultsUnlessSaid(before, declared, input);
  const spec = parseSpec(json(withIgnored(before, own, input)));
  if (spec.model !== name)
    throw invalid(
      `spec.model: must stay ${name} (found ${spec.model}); create makes another model`,
    );
  if (spec.task !== before.task)
    throw invalid(
      `spec.task: must stay ${before.task}, as the labels are (found ${spec.task}); ` +
        'create makes another model',
    );
  const outputsOf = ({ label }: Spec) =>
    label.outputs === undefined ? 'one number' : show(label.outputs.toSorted());
  if (outputsOf(spec) !== outputsOf(before))
    throw invalid(
      `spec.label.outputs: must stay ${outputsOf(before)}, as the labels are (found ` +
        `${outputsOf(spec)}); create makes another model`,
    );
  if (isRelearnt || specHash(json(spec)) !== specHash(json(before))) return spec;
  const ignored =
    input.ignore === undefined && before.ignore !== undefined
      ? `; it goes on to ignore ${show(before.ignore)} while it does not say "ignore": []`
      : '';
  throw invalid(`spec: it is the one that ${name} has; there is nothing to change${ignored}`);
}

/**
 * The spec itself, or the one of the same identity that the model has had: its features may be in
 * another order, in which its columns lie.
 */
async function asStored({ store }: Ports, { name, first, spec }: Model, next: Spec): Promise<Spec> {
  const hash = specHash(json(next));
  const earliest = first?.spec ?? spec;
  if (specHash(json(earliest)) === hash) return earliest;
  return (await loadLaterSpec(store, name, hash))?.spec ?? next;
}

async function compiledFor({ engine, store }: Ports, name: string, spec: Spec) {
  const weights = await loadInitialWeights(store, spec);
  return { name, ...(await compileModel(engine, spec, spec, weights)) };
}

/** Whether two specs say the same of what weights mean, and differ only in how they go on. */
function goesOn(before: Spec, after: Spec): boolean {
  return hashOfMeaning(before) === hashOfMeaning(after);
}

function hashOfMeaning(spec: Spec): string {
  const { features, online, optimizer, batch: _, engine: __, ignore: ___, ...rest } = spec;
  const { name: ____, column: _____, ...label } = spec.label;
  const own = { ...rest, label };
  const experts = online.experts?.map((expert) =>
    isNetwork(expert) ? { ...expert, rate: undefined } : expert,
  );
  const meaning = { ...own, features, optimizer: optimizer.type, experts, replay: online.replay };
  return hashOfDerived(features, json(meaning));
}

/** A value as JSON has it: what is undefined is not there. */
function json(value: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
}
