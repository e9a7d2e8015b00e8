import type { ByteSource } from '../datasets/byte-source.ts';
import type { BadRow } from '../datasets/formats/format.ts';
import { invalid, isOfKind, reasonOf } from '../errors.ts';
import { cellsSchema } from '../features/cells.ts';
import type { Task } from '../features/task.ts';
import type { NumberStyle } from '../features/written-number.ts';
import { limits } from '../limits.ts';
import { listNames, show } from '../parse.ts';
import { featureName, labelSchema } from '../spec/label-schema.ts';
import type { SpecInput } from '../spec/spec.ts';
import { type Column, profileFile } from './column-profile.ts';
import {
  fewDoubts,
  flagDoubts,
  groupDoubts,
  headerDoubts,
  meanDoubts,
  missingDoubts,
  rareDoubts,
  titleNotes,
  weightDoubt,
} from './draft-doubts.ts';
import { type Findings, featureOf, reasonToLeave } from './draft-feature.ts';
import { assertHasLabels, assertIsTask, taskOf } from './draft-label.ts';
import { leaks } from './draft-leaks.ts';
import { farDoubts } from './draft-scale.ts';
import { lookAgain } from './draft-second-look.ts';
import { isTime, timestampOf } from './draft-times.ts';
import { type Drafted, valuesBeside } from './draft-values.ts';
import { alikeDoubts, type Truths, truthDoubt, truthsOf } from './draft-words.ts';
import { readAsWritten } from './draft-written.ts';

/** A spec that is drafted from a file, and what a person should look at. */
export type Draft = {
  readonly spec: SpecInput;
  /** Rows that were looked at. */
  readonly rows: number;
  /** Columns that are left out, with the reason. */
  readonly left: readonly { readonly column: string; readonly reason: string }[];
  /** What may be wrong with the draft. */
  readonly doubts: readonly string[];
};

/**
 * Drafts a spec from the first rows of a file: types, missing values, categories and the task.
 *
 * @param options `labels` are the columns to predict, the last one unless given, several of numbers;
 *   `task` is what their values are, by their looks unless given
 * @throws MillraceError kind `invalid` if the file has no such column, or nothing to learn from
 */
export async function draftSpec(
  model: string,
  file: { readonly name: string; readonly bytes: ByteSource },
  { labels, task: given }: { readonly labels?: readonly string[]; readonly task?: Task } = {},
): Promise<Draft> {
  const profile = await profileFile(file, labels);
  const { rows, bad, badRows } = profile;
  if (rows === 0) throw invalid(noRows(file.name, bad));
  try {
    return await draftOf(model, { ...file, ...profile }, { labels, task: given });
  } catch (error) {
    if (!isOfKind(error, 'invalid')) throw error;
    const notes = [
      ...(bad === undefined ? [] : [unreadable(bad, badRows, rows)]),
      ...titleNotes(file.name, profile.columns),
    ];
    throw invalid([reasonOf(error), ...notes].join('; '));
  }
}

type Profiled = Parameters<typeof profileFile>[0] & Awaited<ReturnType<typeof profileFile>>;

async function draftOf(
  model: string,
  file: Profiled,
  { labels, task: given }: { readonly labels?: readonly string[]; readonly task?: Task },
): Promise<Draft> {
  const { rows, isAll, bad, badRows, areSamples, hidden } = file;
  if (areSamples) assertIsLabelled(file.columns, labels);
  const doubts: string[] = [];
  const { columns, numbers } = readAsWritten(file.columns, doubts);
  const targets = targetsOf(columns, labels);
  if (!isAll) doubts.push(`the file has more than the ${rows} rows that were looked at`);
  if (bad !== undefined) doubts.push(unreadable(bad, badRows, rows));
  doubts.push(...headerDoubts(file.name, columns));
  for (const column of columns.values())
    doubts.push(...missingDoubts(column), ...groupDoubts(column));
  const weights = columns.get('weight');
  if (weights !== undefined && !targets.includes(weights)) doubts.push(weightDoubt(weights));
  if (labels === undefined && !areSamples)
    doubts.push(`label: ${targets[0].name} is the last column; --label names another`);
  for (const target of targets) assertHasLabels(target, doubts);
  const truths = given === undefined || given === 'binary' ? truthsOf(targets) : undefined;
  const own = given ?? (truths && 'binary');
  const task = own ?? (targets.length > 1 ? 'regression' : taskOf(targets[0], doubts));
  if (targets.length > 1 && task !== 'regression')
    throw invalid(`--task: several labels are those of a regression (found ${task})`);
  if ((given !== undefined && truths === undefined) || targets.length > 1)
    for (const target of targets) assertIsTask(target, task, targets.length > 1);
  if (truths !== undefined) doubts.push(truthDoubt(truths));
  if (task !== 'regression') doubts.push(...rareDoubts(targets[0]));
  else doubts.push(...targets.flatMap(meanDoubts));
  if (task === 'multiclass')
    doubts.push(...alikeDoubts(targets[0], { as: 'label', are: 'classes' }));
  const others = [...columns.values()].filter(
    (column) => !targets.includes(column) && reasonToLeave(column) === undefined,
  );
  const { doubts: seen, codes } = await lookAgain(file, others, targets, task);
  const findings = {
    doubts,
    words: new Set<string>(),
    meant: meantWords(targets),
    few: new Map(),
    flags: [],
    far: new Map(),
    codes,
  };
  const candidates = [...columns.values()].filter((column) => !targets.includes(column));
  const { features, left: unlearnt } = draftFeatures(candidates, { ...findings, task });
  const left = [...[...hidden].map(hiddenColumn), ...unlearnt];
  if (Object.keys(features).length === 0) throw invalid(nothingToLearn(file.name, left));
  doubts.push(...leaks(others, targets), ...seen);
  // (Of rows that are samples already, a feature that the spec does not know is refused.)
  const ignore = areSamples ? left.map(({ column }) => column) : [];
  const spec: SpecInput = {
    model,
    task,
    missing: 'learnt',
    features,
    ...(ignore.length > 0 && { ignore }),
    label: labelOf(targets, task, nameFor(targets[0].name, features)),
    network: { hidden: [32] },
    online: { experts: 'default' },
    ...cellsWith(findings.words, truths, numbers),
  };
  return { spec, rows, left, doubts };
}

function hiddenColumn(column: string): Draft['left'][number] {
  const reason = 'samples have a field of their own of that name; call the feature otherwise';
  return { column, reason };
}

/** The features that columns are, and the columns that are left out. */
function draftFeatures(
  columns: readonly Column[],
  findings: Findings,
): Pick<Draft, 'left'> & Pick<SpecInput, 'features'> {
  const { doubts, task } = findings;
  const left: Draft['left'][number][] = [];
  const drafted: Drafted[] = [];
  const features: Record<string, SpecInput['features'][string]> = {};
  for (const column of columns) {
    if (column.name === 'weight') continue;
    const isFull = Object.keys(features).length >= limits.features;
    const reason = isFull ? `a model has ${limits.features} features` : reasonToLeave(column);
    if (reason !== undefined) left.push({ column: column.name, reason });
    else {
      const name = nameFor(column.name, features);
      const renamed = name === column.name ? {} : { column: column.name };
      if (name !== column.name) doubts.push(`${column.name}: its feature is called ${name}`);
      const feature = isTime(column)
        ? timestampOf(column, doubts, task)
        : featureOf(column, findings);
      features[name] = { ...feature, ...renamed };
      drafted.push({ name, column, feature });
    }
  }
  for (const { name, of, feature } of valuesBeside(drafted)) {
    if (Object.keys(features).length >= limits.features) break;
    features[nameFor(name, features)] = feature;
    findings.few.delete(of.name);
  }
  doubts.push(...flagDoubts(findings.flags), ...fewDoubts(findings.few));
  doubts.push(...farDoubts(findings.far, task));
  return { features, left };
}

/** The words of a spec beside those that every one has. */
function cellsWith(
  missing: ReadonlySet<string>,
  truths: Truths | undefined,
  numbers: NumberStyle | undefined,
) {
  const usual = cellsSchema.parse({});
  const cells = {
    ...(missing.size > 0 && { missing: [...usual.missing, ...missing] }),
    ...(numbers && { numbers }),
    ...(truths && { true: [...usual.true, truths.true], false: [...usual.false, truths.false] }),
  };
  return Object.keys(cells).length === 0 ? {} : { cells };
}

/** Words that say something, as true and false do and values of the label, in small letters. */
function meantWords(targets: readonly Column[]): ReadonlySet<string> {
  const { true: yes, false: no } = cellsSchema.parse({});
  const said = targets.flatMap(({ values }) => [...values.keys()]);
  return new Set([...yes, ...no, ...said].map((text) => text.toLowerCase()));
}

/** @throws MillraceError kind `invalid` if rows that are samples have no label, or another is named */
function assertIsLabelled(
  columns: ReadonlyMap<string, Column>,
  labels: readonly string[] = ['label'],
): void {
  const isOwn = labels.length === 1 && labels[0] === 'label';
  if (isOwn && columns.has('label')) return;
  const found = isOwn ? 'none' : listNames(labels);
  throw invalid(
    `--label: rows with features are samples, whose label is their field label (found ${found}); ` +
      'write each feature as a column of its own to name another',
  );
}

/** @throws MillraceError kind `invalid` if the file has no such column, or it is named twice */
function targetsOf(
  columns: ReadonlyMap<string, Column>,
  labels: readonly string[] = [...columns.keys()].filter((name) => name !== '').slice(-1),
): readonly [Column, ...Column[]] {
  const found = listNames([...columns.keys()]);
  const targets = labels.map((label) => {
    const target = columns.get(label);
    if (target !== undefined) return target;
    throw invalid(`--label: the file has no column ${label} (found ${found})`);
  });
  const [first, ...others] = targets;
  if (first === undefined) throw invalid(`--label: name a column (found ${found})`);
  if (new Set(targets).size < targets.length) throw invalid('--label: names a column twice');
  if (others.length > 0) assertAreOutputs(labels);
  return [first, ...others];
}

/** @throws MillraceError kind `invalid` if a spec can have no outputs of these names */
function assertAreOutputs(names: readonly string[]): void {
  const checked = labelSchema.shape.outputs.safeParse(names);
  const [issue] = checked.error?.issues ?? [];
  if (issue === undefined) return;
  const which = typeof issue.path[0] === 'number' ? show(names[issue.path[0]]) : `${names.length}`;
  throw invalid(`--label: ${issue.message} (found ${which})`);
}

function labelOf(
  [target, ...others]: readonly [Column, ...Column[]],
  task: Task,
  name: string,
): NonNullable<SpecInput['label']> {
  if (others.length > 0) return { outputs: [target, ...others].map((each) => each.name) };
  return {
    name,
    ...(name === target.name ? {} : { column: target.name }),
    ...(task === 'multiclass' ? { classes: [...target.values.keys()].sort() } : {}),
  };
}

function unreadable({ line, reason }: BadRow, badRows: number, rows: number): string {
  return `${badRows} of ${rows + badRows} rows, which cannot be read (line ${line}: ${reason})`;
}

function nothingToLearn(name: string, left: Draft['left']): string {
  if (left.length === 0) return `${name}: it has no column beside the label to learn from`;
  const why = left.map(({ column, reason }) => `${column || 'one without a name'}: ${reason}`);
  return (
    `${name}: no column is left to learn from (${why.join('; ')}). If the letters of one say ` +
    'something, learn it as {"type": "text", "characters": [2, 4]} in a spec of your own'
  );
}

function noRows(name: string, bad: BadRow | undefined): string {
  const why = bad === undefined ? '' : `; line ${bad.line}: ${bad.reason}`;
  return `${name}: it has no rows to draft a spec from${why}`;
}

/** The name of a column, if a feature may have it; else one like it. */
function nameFor(column: string, taken: Readonly<Record<string, unknown>>): string {
  if (featureName.safeParse(column).success && !Object.hasOwn(taken, column)) return column;
  const plain =
    column
      .replace(/[^A-Za-z0-9_]+/g, '_')
      .replace(/^(?=\d)/, '_')
      .slice(0, 60) || '_';
  const isReserved = plain === '__proto__';
  let name = isReserved ? 'proto' : plain;
  for (let i = 2; Object.hasOwn(taken, name); i++) name = `${plain}_${i}`;
  return name;
}
