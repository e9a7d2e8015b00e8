import { z } from 'zod';

/** What somebody asks of AWS. */
export type Request = {
  readonly action: string;
  /** A key of the bucket, empty for the bucket itself; or a queue's logical id. */
  readonly resource: string;
  readonly context?: Readonly<Record<string, string>>;
};

const strings = z.union([z.string().transform((one) => [one]), z.array(z.string())]);

const statementSchema = z.object({
  Effect: z.enum(['Allow', 'Deny']),
  Action: strings,
  Resource: z.unknown(),
  Condition: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
});

/** A statement with its resources as patterns. */
export type Statement = {
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
};

/** Reads a statement of a synthesized policy. */
export function readStatement(raw: unknown): Statement {
  const { Effect, Action, Resource, Condition } = statementSchema.parse(raw);
  return {
    effect: Effect,
    actions: Action,
    resources: (Array.isArray(Resource) ? Resource : [Resource]).map(patternOf),
    conditions: Condition,
  };
}

/** `<bucket>/<pattern>`, or the logical id of another resource. */
export function patternOf(resource: unknown): string {
  if (typeof resource === 'string') return resource;
  const [[name, argument] = ['', undefined]] = Object.entries(resource as object);
  if (name === 'Ref') return String(argument);
  if (name === 'Fn::Select') return 'selected';
  if (name === 'Fn::GetAtt') return String((argument as string[])[0]);
  if (name === 'Fn::Join') return (argument as [string, unknown[]])[1].map(patternOf).join('');
  throw new Error(`a policy has a resource that is not understood: ${JSON.stringify(resource)}`);
}

function matches(pattern: string, text: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${escaped.replaceAll('?', '.')}$`).test(text);
}

/** Whether a statement speaks of a request. */
export function speaksOf(
  { actions, resources, conditions }: Statement,
  { action, resource, context = {} }: Request,
): boolean {
  return (
    actions.some((pattern) => matches(pattern, action)) &&
    resources.some((pattern) => matches(pattern, resource)) &&
    Object.entries(conditions).every(([operator, keys]) =>
      Object.entries(keys).every(([key, wanted]) => holds(operator, context[key], wanted)),
    )
  );
}

function holds(operator: string, found: string | undefined, wanted: unknown): boolean {
  switch (operator) {
    case 'Null':
      return String(found === undefined) === wanted;
    case 'Bool':
      return found === wanted;
    case 'ArnNotEquals':
      return found !== patternOf(wanted);
    default:
      throw new Error(`a policy has a condition that is not understood: ${operator}`);
  }
}

/** IAM's rule: whatever is denied is denied, and what is allowed by nobody too. */
export function isAllowed(statements: readonly Statement[], request: Request): boolean {
  const spoken = statements.filter((statement) => speaksOf(statement, request));
  return (
    spoken.some(({ effect }) => effect === 'Allow') &&
    spoken.every(({ effect }) => effect === 'Allow')
  );
}
