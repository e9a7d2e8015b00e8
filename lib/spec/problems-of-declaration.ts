import { invalid } from '../errors.ts';
import { type Cells, type CellWords, cellsOf, isFloat32 } from '../features/cells.ts';
import type { ClassWeights } from '../features/class-weights.ts';
import type { Feature } from '../features/kinds.ts';
import type { Task } from '../features/task.ts';
import { isRecord, show } from '../parse.ts';

/**
 * What a declaration names that no cell can be, that two of its words say alike, or that would tell
 * the label. Only a new declaration is asked: a stored spec stays as it is.
 */
export function problemsOfDeclaration({
  task,
  features,
  label,
  cells,
}: {
  readonly task: Task;
  readonly features: Readonly<Record<string, Feature>>;
  readonly label: {
    readonly name: string;
    readonly column?: string | undefined;
    readonly outputs?: readonly string[] | undefined;
    readonly classes?: readonly string[] | undefined;
    readonly maxClasses?: number | undefined;
    readonly classWeights?: ClassWeights | undefined;
  };
  readonly cells: CellWords;
}): readonly string[] {
  const reader = cellsOf(cells);
  const words = (texts: readonly string[]) => texts.map((text) => text.trim().toLowerCase());
  const no = new Set(words(cells.false));
  const both = words(cells.true).find((word) => no.has(word));
  const truths = new Set([...words(cells.true), ...no]);
  const neither = words(cells.missing).find((word) => truths.has(word));
  return [
    // (Where nothing is true or false, 0 and no may be missing.)
    ...(neither === undefined || task !== 'binary'
      ? []
      : [`cells.missing: ${show(neither)} is a word for true or false; a word stands for one`]),
    ...(both === undefined
      ? []
      : [`cells.false: ${show(both)} is among cells.true already; a word stands for one of both`]),
    ...labelColumns(features, label.outputs ?? [label.column ?? label.name]),
    ...alike('label.classes', label.classes ?? [], reader),
    ...(label.maxClasses === undefined ? [] : strangeWeights(label.classWeights, reader)),
    ...Object.entries(features).flatMap(([name, feature]) => {
      const at = `features.${name}`;
      if (feature.type === 'category')
        return [
          ...alike(`${at}.values`, feature.values ?? [], reader),
          ...(feature.missing === undefined || reader.text(feature.missing) !== undefined
            ? []
            : [`${at}.missing: no cell is ${show(feature.missing)}; name a text`]),
        ];
      if (feature.type !== 'number' || typeof feature.missing !== 'number') return [];
      return isFloat32(feature.missing)
        ? []
        : [`${at}.missing: must be finite in float32 (found ${show(feature.missing)})`];
    }),
  ];
}

/** Features that would read the label's own column. */
function labelColumns(
  features: Readonly<Record<string, Feature>>,
  columns: readonly string[],
): readonly string[] {
  return Object.entries(features).flatMap(([name, feature]) => {
    if ('of' in feature || feature.type === 'lag') return [];
    const column = feature.column ?? name;
    if (!columns.includes(column)) return [];
    return [`features.${name}.column: ${column} is the label's own column; name another`];
  });
}

/** Class weights under names that no label has as cells, where classes are known by those alone. */
function strangeWeights(weights: ClassWeights | undefined, { text: cellOf }: Cells) {
  return Object.keys(typeof weights === 'object' ? weights : {}).flatMap((name) => {
    const cell = cellOf(name);
    if (cell === name) return [];
    const found = cell === undefined ? 'no label is that' : `a label is ${show(cell)} then`;
    return [`label.classWeights: ${show(name)} is no class: ${found}`];
  });
}

/** Two of some texts that are one cell, such as 7 and 7.0. */
function alike(at: string, texts: readonly string[], { text: cellOf }: Cells): readonly string[] {
  const seen = new Map<string, string>();
  for (const text of texts) {
    const cell = cellOf(text);
    if (cell === undefined) return [`${at}: no cell is ${show(text)}; leave it out`];
    const other = seen.get(cell);
    if (other !== undefined)
      return [`${at}: ${show(other)} and ${show(text)} are one cell; leave one of them out`];
    seen.set(cell, text);
  }
  return [];
}

/** Fields that are objects where people write a text alone, and what of the object it is. */
const shorthands = [
  ['optimizer', 'type'],
  ['label', 'name'],
] as const;

/**
 * @throws MillraceError kind `invalid` where a field is a text instead of an object that holds it, or
 *   a network is declared in both ways
 */
export function assertObjects(input: unknown): void {
  if (!isRecord(input)) return;
  for (const [field, key] of shorthands) {
    const found = input[field];
    if (typeof found === 'string')
      throw invalid(`spec.${field}: must be an object: {"${key}": ${show(found)}}`);
  }
  if (isRecord(input.features))
    for (const [name, feature] of Object.entries(input.features))
      if (typeof feature === 'string')
        throw invalid(`spec.features.${name}: must be an object: {"type": ${show(feature)}}`);
  const { network } = input;
  if (!isRecord(network) || !('topology' in network)) return;
  const beside = Object.keys(network).find((key) => key !== 'topology');
  if (beside !== undefined)
    throw invalid(
      `spec.network: a topology has all of its layers itself (found ${beside} beside it); leave ` +
        'either out',
    );
}
