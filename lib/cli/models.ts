import { declareModel } from '../model/create-model.ts';
import {
  describeModel,
  type EntrySummary,
  listModels,
  type ModelDescription,
  type ModelSummary,
} from '../operations/describe-model.ts';
import { listNames } from '../parse.ts';
import type { Derived } from '../spec/derived-numbers.ts';
import { type Expert, isNetwork, isOfNeighbours, isOfTrees } from '../spec/experts-schema.ts';
import { defineSpec, type Spec } from '../spec/spec.ts';
import { earnedTables } from './earned-tables.ts';
import { count, type Io } from './io.ts';
import { jobLines } from './job-lines.ts';
import { figure, formatCount, formatSeconds, formatTable, wrapped } from './progress.ts';
import { readSpecFile } from './spec-file.ts';

/** Creates the model that a file declares: a spec as JSON. The same file again changes nothing. */
export async function create({ ports, print, result }: Io, path: string): Promise<number> {
  const spec = defineSpec(await readSpecFile(path));
  const { isNew, compiled } = await declareModel(ports, spec);
  if (!isNew) {
    print(await existsText(ports, spec));
    result({ model: spec.model, created: false });
    return 0;
  }
  const { engine, why } = compiled;
  print(`${spec.model}: created; ${engine} trains it`);
  if (why !== undefined) for (const line of wrapped(`(${why})`)) print(line);
  result({ model: spec.model, created: true, engine, ...(why !== undefined && { why }) });
  return 0;
}

/** What is to be said of a model that exists already, with this spec or one since. */
async function existsText(ports: Io['ports'], { model }: Spec): Promise<string> {
  const { specSince } = await describeModel(ports, model, 0);
  const since = specSince === undefined ? 'as declared' : `and entry ${specSince} changed its spec`;
  return `${model}: it exists already, ${since}`;
}

/** Lists the models of the stack. */
export async function list({ ports, print, result }: Io): Promise<number> {
  const models = await listModels(ports);
  result(models);
  if (models.length === 0) {
    print('no models yet; create one: npx millrace create spec.json');
    return 0;
  }
  const heads = ['model', 'task', 'entry', 'learnt', 'loss', 'baseline'];
  const rows = models.flatMap((each) => ('problem' in each ? [] : [rowOf(each)]));
  if (rows.length > 0) print(formatTable([heads, ...rows]));
  const broken = models.flatMap((each) => ('problem' in each ? [each] : []));
  for (const { model, problem } of broken)
    for (const line of wrapped(`${model}: ${problem}`)) print(line);
  return broken.length === 0 ? 0 : 1;
}

function rowOf({ model, task, sequence, learnt, stream }: ModelSummary): string[] {
  const { loss, baselineLoss } = stream ?? {};
  return [
    model,
    task,
    formatCount(sequence),
    formatCount(learnt),
    figure(loss),
    figure(baselineLoss),
  ];
}

/** Shows a model: what it is, how it does, and what happened last. */
export async function showModel(
  { ports, print, result }: Io,
  name: string,
  entries: number,
): Promise<number> {
  const model = await describeModel(ports, name, entries);
  result(model);
  for (const line of linesOf(model, ports.now())) print(line);
  return 0;
}

function linesOf(model: ModelDescription, now: number): readonly string[] {
  const { spec, sequence, time, learnt, arithmetic, stream, stateBytes, entries, jobs } = model;
  const { retractions = 0, rolledBack, specSince, figuresSince, predicted = learnt } = model;
  const by = arithmetic === undefined ? '' : `, trained by ${arithmetic}`;
  const age = time === undefined ? '' : `, ${formatSeconds((now - Date.parse(time)) / 1_000)} ago`;
  return [
    `${model.model}: ${spec.task}, ${count(Object.keys(spec.features).length, 'feature')}, ${networkText(spec)}, ` +
      `${spec.optimizer.type} ${spec.optimizer.rate}`,
    `  entry ${sequence}${age}; ${count(learnt, 'sample')} learnt; ` +
      `state ${formatCount(stateBytes / 1_024)} KiB${by}`,
    ...(specSince === undefined
      ? []
      : [
          `  its spec holds since entry ${specSince}` +
            (figuresSince === undefined ? '' : '; figures begin there, those of the labels too'),
        ]),
    ...(retractions === 0
      ? []
      : [
          `  some of them unlearnt since, by ${count(retractions, 'retraction')}; their losses still count`,
        ]),
    ...(rolledBack === undefined
      ? []
      : [`  entry ${rolledBack.sequence} went back to the weights of entry ${rolledBack.to}`]),
    ...((figuresSince === undefined || rolledBack !== undefined) && predicted < learnt
      ? [`  figures are of the ${count(predicted, 'sample')} that this spec predicted`]
      : []),
    ...(stream === undefined ? [nothingText(specSince)] : earnedTables(stream)),
    ...(model.experts ?? []).map(
      ({ expert, weight, hasSay }) =>
        `  ${percent(weight).padStart(4)} ${expertText(expert, spec)}${hasSay ? '' : ' (no say now)'}`,
    ),
    ...vocabularyLines(model),
    ...classesLine(model),
    ...changesLine(model),
    ...refusedLine(model.model, entries),
    ...(entries.length === 0 ? [] : ['', formatTable([entryHeadings, ...entries.map(entryRow)])]),
    ...(jobs.length === 0 ? [] : ['', ...jobLines(jobs)]),
  ];
}

/** (What a spec has earned begins with it.) */
function nothingText(specSince: number | undefined): string {
  return specSince === undefined
    ? '  no sample of the stream is learnt yet'
    : `  no sample has come since entry ${specSince}`;
}

function networkText({ network, online: { experts } }: Spec): string {
  if (experts !== undefined) return count(experts.length, 'expert');
  return 'topology' in network
    ? 'a topology of its own'
    : [
        `hidden ${JSON.stringify(network.hidden)}`,
        ...(network.wide ? ['wide'] : []),
        ...derivedTexts(network),
      ].join(', ');
}

function derivedTexts({ fourier, piecewiseLinear, quadratic }: Derived): readonly string[] {
  return [
    ...(fourier === undefined ? [] : [`${fourier.units} Fourier features`]),
    ...(piecewiseLinear === undefined ? [] : [`${piecewiseLinear.bins} bins`]),
    ...(quadratic === undefined ? [] : ['products']),
  ];
}

function percent(share: number): string {
  return share > 0 && share < 0.005 ? '<1%' : `${Math.round(100 * share)}%`;
}

const constantTexts = {
  prior: 'the labels alone',
  lastLabel: 'the last label',
  stack: 'the others, stacked',
};

function expertText(expert: Expert, { network }: Spec): string {
  if (isOfNeighbours(expert)) return `the nearest of the last ${formatCount(expert.window)}`;
  if (isOfTrees(expert))
    return `${count(expert.trees, 'tree')} over the last ${formatCount(expert.window)}`;
  if (!isNetwork(expert)) return constantTexts[expert.predicts];
  const { hidden, activation, rate, halfLife, replay, secondOrder } = expert;
  return [
    hidden === undefined ? 'the network' : hidden.length === 0 ? 'linear' : `hidden ${hidden}`,
    ...(activation === undefined ? [] : [activation]),
    ...derivedTexts({ ...network, ...expert }),
    ...(rate === undefined ? [] : [`rate ${rate}`]),
    ...(halfLife === undefined ? [] : [`half-life ${halfLife}`]),
    ...(replay ? ['replays'] : []),
    ...(secondOrder ? ['second order'] : []),
  ].join(', ');
}

/** How full the vocabularies of categories are. */
function vocabularyLines({ vocabularies = {} }: ModelDescription): readonly string[] {
  return Object.entries(vocabularies).map(([name, { size, values, forgotten }]) => {
    const lost = forgotten === 0 ? '' : `; ${formatCount(forgotten)} have lost theirs`;
    return `  ${name}: ${count(values, 'value')} of ${formatCount(size)} have a place${lost}`;
  });
}

/** Which classes have come, where they get places as they come. */
function classesLine({ classes }: ModelDescription): readonly string[] {
  if (classes === undefined) return [];
  const { names, most } = classes;
  const which = names.length === 0 ? '' : `: ${listNames(names)}`;
  return [`  classes: ${formatCount(names.length)} of ${formatCount(most)} have come${which}`];
}

/** Where a stream has changed, of a model that looks for it. */
function changesLine({ changes, learnt }: ModelDescription): readonly string[] {
  if (changes === undefined) return [];
  const { found, last } = changes;
  if (found === 0) return ['  the stream has not changed'];
  return [
    `  the stream has changed: found in ${count(found, 'message')}, last within the first ` +
      `${formatCount(last)} of ${count(learnt, 'sample')}`,
  ];
}

/** What of the last entries was refused, if anything was. */
function refusedLine(model: string, entries: readonly EntrySummary[]): readonly string[] {
  const sum = (of: (entry: EntrySummary) => number) =>
    entries.reduce((total, entry) => total + of(entry), 0);
  const refused = sum((entry) => entry.refused);
  const all = refused + sum(({ samples }) => samples);
  if (refused === 0) return [];
  return wrapped(
    `refused ${percent(refused / all)}: ${formatCount(refused)} of the last ` +
      `${count(all, 'sample')}, as they came; what still stands: npx millrace quarantine ${model}`,
  );
}

const entryHeadings = ['entry', 'at', 'kind', 'samples', 'refused', 'loss'];

function entryRow({ sequence, time, kind, samples, refused, loss }: EntrySummary): string[] {
  return [
    String(sequence),
    time.slice(0, 19),
    kind,
    formatCount(samples),
    String(refused),
    figure(loss),
  ];
}
