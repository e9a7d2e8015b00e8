import type * as z from 'zod';

/** What is wrong with a field. */
export type Problem = {
  readonly path: readonly PropertyKey[];
  readonly text: string;
  /** Whether the text names what was found. */
  readonly isComplete: boolean;
  /** Whether it is of another type, or none of some values. */
  readonly isOther?: boolean;
  /** How many fields it is of that are not known. */
  readonly unknown?: number;
};

/** Issues without those that follow from what is of another type: how long it is, and so on. */
export function withoutEchoes(issues: readonly z.core.$ZodIssue[]): readonly z.core.$ZodIssue[] {
  const others = issues.filter(({ code }) => code === 'invalid_type');
  const isEcho = (issue: z.core.$ZodIssue) =>
    issue.code !== 'invalid_type' &&
    others.some(({ path }) => path.join('\n') === issue.path.join('\n'));
  return issues.filter((issue) => !isEcho(issue));
}

/** An issue in plain words; of a choice, what is wrong with the nearest one. */
export function problemsOf(issue: z.core.$ZodIssue, input: unknown): readonly Problem[] {
  const { path } = issue;
  const problem = (text: string): Problem => ({ path, text, isComplete: false, isOther: true });
  switch (issue.code) {
    case 'unrecognized_keys':
      return [{ path, text: issue.message, isComplete: true, unknown: issue.keys.length }];
    case 'invalid_type':
      return [
        problem(isOwnText(issue.message) ? issue.message : `must be ${nounOf(issue.expected)}`),
      ];
    case 'invalid_value':
      return [problem(`must be ${listChoices(issue.values)}`)];
    case 'invalid_key':
      return [{ path, text: issue.issues[0]?.message ?? issue.message, isComplete: true }];
    case 'invalid_union':
      return problemsOfUnion(issue, input);
    default: {
      const text = plainMessage(issue.message);
      return [{ path, text, isComplete: text.includes('(found ') }];
    }
  }
}

/** Whether a schema says what is allowed in words of its own. */
function isOwnText(message: string): boolean {
  return message.startsWith('must be ');
}

function problemsOfUnion(
  issue: Extract<z.core.$ZodIssue, { code: 'invalid_union' }>,
  input: unknown,
): readonly Problem[] {
  const { path, errors, message } = issue;
  if ('options' in issue && Array.isArray(issue.options))
    return [
      { path, text: `must be ${listChoices(issue.options)}`, isComplete: false, isOther: true },
    ];
  const choices = errors.map((branch) =>
    withoutEchoes(branch).flatMap((each) =>
      problemsOf({ ...each, path: [...path, ...each.path] }, input),
    ),
  );
  const isHere = (each: Problem) => each.path.length === path.length;
  const isAbsent = (each: Problem) => !isHere(each) && valueAt(input, each.path) === undefined;
  // One that has the same fields is nearer than one that has others, or lacks some.
  const ofType = choices.filter(
    (each) => each.length > 0 && !each.some((one) => one.isOther && isHere(one)),
  );
  const near =
    ofType.find((each) => !each.some((one) => one.unknown || isAbsent(one))) ??
    ofType.find((each) => !each.some(isAbsent));
  if (near !== undefined) return near;
  const unknownIn = (each: readonly Problem[]) =>
    each.reduce((sum, { unknown = 0 }) => sum + unknown, 0);
  const fewest = Math.min(...ofType.map(unknownIn));
  const [nearest, ...others] = ofType.filter((each) => unknownIn(each) === fewest);
  if (nearest !== undefined && others.length === 0) return nearest;
  const lacking = ofType.map((each) => each.filter(isAbsent).map((one) => String(one.path.at(-1))));
  if (lacking.length > 1)
    return [
      {
        path,
        text: `must have ${lacking.map((names) => names.join(' and ')).join(', or ')}, and no others`,
        isComplete: false,
      },
    ];
  const texts = new Set(
    choices.flatMap((each) => each.map(({ text }) => text.replace(/^must be /, ''))),
  );
  const text = texts.size === 0 ? message : `must be ${[...texts].join(', or ')}`;
  return [{ path, text, isComplete: false, isOther: true }];
}

/** What a type is called in a sentence. */
function nounOf(type: string): string {
  const nouns: Readonly<Record<string, string>> = {
    array: 'a list',
    record: 'an object',
    tuple: 'a list',
    int: 'a whole number',
    string: 'a text',
    boolean: 'true or false',
  };
  return nouns[type] ?? (/^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`);
}

function listChoices(values: readonly unknown[]): string {
  const named = values.map(String);
  if (named.length === 1) return named[0] ?? '';
  return `${named.slice(0, -1).join(', ')} or ${named.at(-1)}`;
}

const bounds =
  /^Too (?:small|big): expected \w+ to (?:be|have) ?([<>]=?) ?(\S+?)(?: (item|character)s)?$/;

/** Zod's words for bounds, as a sentence goes on. */
function plainMessage(message: string): string {
  const found = bounds.exec(message);
  if (found === null) return message;
  const [, relation = '', bound = '', unit] = found;
  const most = { '>=': 'at least', '>': 'more than', '<=': 'at most', '<': 'less than' }[relation];
  if (unit === undefined) return `must be ${most} ${bound}`;
  return `must have ${most} ${bound} ${unit}${bound === '1' ? '' : 's'}`;
}

/** What an input has at a path; undefined if there is nothing. */
export function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}
