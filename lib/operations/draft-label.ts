import { invalid } from '../errors.ts';
import type { Task } from '../features/task.ts';
import { limits } from '../limits.ts';
import { listNames } from '../parse.ts';
import type { Column } from './column-profile.ts';
import { areCodes, mostlyNumbers, textsOf } from './draft-feature.ts';
import { areTruths, textsAmongNumbers, wordsToDeclare } from './draft-words.ts';

/** More classes than this are rather a number or a text. */
const mostClasses = 100;

/** So many are listed where somebody says that they are classes. */
const mostListed = 1_000;
/** Values of fewer rows each are hardly classes. */
const rowsOfClass = 5;

/** @throws MillraceError kind `invalid` if a column has no values that could be labels */
export function assertHasLabels(label: Column, doubts: string[]): void {
  const { name, present, values, missing } = label;
  if (present === 0) throw invalid(`--label: ${name} has no value in the first rows`);
  if (name === '') throw invalid('--label: the last column has no name; name another');
  if (label.longTexts === present)
    throw invalid(
      `--label: the texts of ${name} have more than ${limits.categoryCharacters} characters`,
    );
  const others = label.objects + [...label.vectors.values()].reduce((sum, rows) => sum + rows, 0);
  if (others === present)
    throw invalid(`--label: ${name} has objects or lists; a label is a number or a text`);
  if (others + label.longTexts > 0)
    doubts.push(
      `label: ${others + label.longTexts} values of ${name} are objects, lists, or texts of more ` +
        `than ${limits.categoryCharacters} characters; such rows are refused`,
    );
  if (label.tooLarge > 0)
    doubts.push(
      `label: ${label.tooLarge} of ${present} values of ${name} are beyond ±3.4e38; such rows are ` +
        'refused: divide them by a power of ten',
    );
  if (missing > 0)
    doubts.push(
      `label: ${missing === 1 ? '1 row has' : `${missing} rows have`} no ${name}; such rows are refused`,
    );
  if (values.size === 1)
    doubts.push(
      `label: ${name} is always the same in ${firstRows(present)}; there is nothing to learn, and ` +
        'if the file is sorted by it, shuffle it',
    );
}

function firstRows(count: number): string {
  return count === 1 ? 'the first row' : `the first ${count} rows`;
}

/** @throws MillraceError kind `invalid` if no row's label is one of a task */
export function assertIsTask(label: Column, task: Task, isOneOfSeveral = false): void {
  const { name, present, values, truths, numbers } = label;
  const found = `found ${listNames([...values.keys()].slice(0, 5))}`;
  if (task === 'regression' && numbers === 0) {
    const instead = areTruths(label) ? '; of such words the task is binary' : '';
    throw invalid(
      isOneOfSeveral
        ? `--label: of several labels each is a number, and ${name} has none (${found}); leave it out`
        : `--task: ${name} has no number for a regression (${found})${instead}`,
    );
  }
  if (task === 'binary' && truths < present)
    throw invalid(
      `--task: ${name} must be true or false, 1 or 0, yes or no (${found})` +
        (values.size === 2 ? `; ${wordsToDeclare([...values.keys()])}` : ''),
    );
  const most = mostListedOf(present);
  if (task === 'multiclass' && (values.size < 2 || values.size > most))
    throw invalid(
      `--task: ${name} must have 2 to ${most} classes in ${present} rows (found ${values.size}); ` +
        'label.maxClasses in a spec takes more as they come',
    );
}

/** How many classes are listed where somebody says that they are such. */
function mostListedOf(rows: number): number {
  return Math.min(mostListed, Math.max(mostClasses, Math.floor(rows / rowsOfClass)));
}

/** Numbers of no more values may be classes. */
const fewValues = 20;
/** How much more often one class may come than another, where numbers look like classes. */
const mostOften = 4;

/** Whether labels are 0, 1, 2 and so on, as classes are numbered: amounts come less and less. */
function areNumberedClasses({ values, present, whole }: Column): boolean {
  const counts = Array.from(values.keys(), (_, place) => values.get(String(place)) ?? 0);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return (
    whole === present &&
    values.size > 2 &&
    values.size <= fewValues &&
    least * mostOften >= most &&
    least > 1
  );
}

/** By the looks of its labels. */
export function taskOf(label: Column, doubts: string[]): Task {
  const { name, present, values, truths, numbers } = label;
  if (areCodes(label) && values.size <= mostClasses) return 'multiclass';
  if (truths === present) {
    if (values.size > 2)
      doubts.push(
        `label: ${name} is read as true or false (${listNames([...values.keys()])}); if they are ` +
          'classes: --task multiclass',
      );
    return 'binary';
  }
  if (areNumberedClasses(label)) {
    doubts.push(
      `label: ${name} has the values 0 to ${values.size - 1}, none by far the rarest, and they ` +
        'are taken for classes; if they are amounts: --task regression',
    );
    return 'multiclass';
  }
  if (numbers === present) {
    doubts.push(...textsAmongNumbers(label).doubts.map((doubt) => `label: ${doubt}`));
    if (values.size <= fewValues)
      doubts.push(
        `label: ${name} has only ${values.size} value${values.size === 1 ? '' : 's'}; if they are ` +
          'classes: --task multiclass',
      );
    return 'regression';
  }
  if (numbers > mostlyNumbers * present) {
    const { texts, read, doubts: told } = textsAmongNumbers(label);
    const others = present - numbers - read;
    doubts.push(...told.map((doubt) => `label: ${doubt}`));
    if (others > 0)
      doubts.push(
        `label: ${others} of ${present} values of ${name} are no numbers (${listNames(texts)}); ` +
          'such rows are refused',
      );
    return 'regression';
  }
  if (label.writtenNumbers + numbers > mostlyNumbers * present)
    throw invalid(
      `--label: the numbers of ${name} are written as ${textsOf(label)}; write them like 2503.28`,
    );
  if (values.size === 1)
    throw invalid(
      `--label: ${name} is always ${textsOf(label)} in ${firstRows(present)}; there is nothing ` +
        'to learn, and if the file is sorted by it, shuffle it',
    );
  if (values.size <= mostClasses) return 'multiclass';
  const areClasses =
    values.size <= mostListedOf(present)
      ? '--task multiclass'
      : 'label.maxClasses in a spec takes them as they come';
  throw invalid(
    `--label: ${name} is neither a number, nor true or false, nor one of at most ${mostClasses} ` +
      `classes (found ${values.size} texts, such as ${textsOf(label)}); if they are classes: ` +
      `${areClasses}; if they are numbers, write them as 2503.28`,
  );
}
