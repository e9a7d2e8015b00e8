import * as z from 'zod';
import { defineSpec, specSchema } from './spec.ts';

type Schema = z.core.JSONSchema.BaseSchema;

/** The JSON Schema of a spec, as an author writes it. */
function schemaOfSpec(): Schema {
  const schema = z.toJSONSchema(specSchema, { io: 'input', unrepresentable: 'any' });
  return { $id: 'millrace-spec', title: 'A Millrace spec', ...schema };
}

/** {@link schemaOfSpec} as the content of a file. */
export function specSchemaJson(): string {
  return `${JSON.stringify(schemaOfSpec(), null, 2)}\n`;
}

const head = `# The spec, field by field

Written by \`npm run docs\` from the schema that checks a spec (\`lib/spec/spec.ts\`); unknown fields
are refused by name. [spec.schema.json](spec.schema.json) is the same for editors.
\`npx millrace init <file>\` drafts a spec; [how a cell becomes a value](cells.md) says what data may
look like.

A default is what a stored spec without the field means. What a declaration (\`millrace create\`,
\`defineSpec\`) fills in besides:

`;

/** The reference of a spec, in Markdown. */
export function specReference(): string {
  const { optimizer, online } = defineSpec({
    model: 'm',
    task: 'binary',
    features: { x: { type: 'number' } },
  });
  const declared =
    `- \`optimizer\`: ${shown({ type: optimizer.type, rate: optimizer.rate })}\n` +
    `- \`online.minibatch\`: ${shown(online.minibatch)}\n` +
    `- \`online.experts\`: ${shown(online.experts)}, unless somebody\n` +
    '  tuned it: an optimizer, topology, initial weights, or a rate, schedule or replay is given\n' +
    '- `label.standardize`: `true` in regressions, unless their loss is `huber`';
  const rows = rowsOf(schemaOfSpec(), '');
  const table = [
    '| field | what may stand there | default | meaning |',
    '| --- | --- | --- | --- |',
  ];
  return `${head}${declared}\n\n${[...table, ...rows].join('\n')}\n`;
}

/** A row for each field below a schema, under the path that leads there. */
function rowsOf(schema: Schema, path: string): readonly string[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    // (What a form cannot have is none of its fields.)
    if (typeof field === 'boolean' || field.not !== undefined) return [];
    const own = path === '' ? name : `${path}.${name}`;
    return [rowOf(own, field, required.has(name)), ...rowsInside(field, own)];
  });
}

function rowsInside(field: Schema, path: string): readonly string[] {
  const { additionalProperties } = field;
  const inside = typeof additionalProperties === 'object' ? additionalProperties : undefined;
  if (inside !== undefined && path === 'features') return rowsInside(inside, `${path}.<name>`);
  const { items } = field;
  if (typeof items === 'object' && !Array.isArray(items)) return rowsInside(items, `${path}[]`);
  const branches = field.oneOf ?? field.anyOf;
  if (branches === undefined) return rowsOf(field, path);
  return branches.flatMap((branch) =>
    typeof branch === 'boolean' ? [] : rowsInside(branch, `${path}${kindOf(branch)}`),
  );
}

/** Which of several forms it is: `[adam]`. */
function kindOf(branch: Schema): string {
  const type = branch.properties?.type;
  return typeof type === 'object' && type.const !== undefined ? `[${String(type.const)}]` : '';
}

function rowOf(path: string, field: Schema, isRequired: boolean): string {
  const fallback =
    field.default === undefined ? (isRequired ? 'needed' : '–') : shown(field.default);
  const cells = [`\`${path}\``, allowed(field), fallback, field.description ?? ''];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** What may stand in a field, in a few words. */
function allowed(field: Schema): string {
  if (field.const !== undefined) return shown(field.const);
  if (field.enum !== undefined) return field.enum.map((each) => `\`${String(each)}\``).join(' ');
  const branches = field.oneOf ?? field.anyOf;
  if (branches !== undefined) {
    const kinds = branches.flatMap((branch) =>
      typeof branch === 'boolean' ? [] : [kindOf(branch)],
    );
    const named = kinds.filter((kind) => kind !== '');
    if (named.length > 0) return named.join(' ');
    const forms = branches.flatMap((branch) =>
      typeof branch === 'boolean' ? [] : [allowed(branch)],
    );
    return [...new Set(forms)].join(' or ');
  }
  if (field.type === 'array') return `list${counts(field)}${itemsOf(field)}`;
  const types = Array.isArray(field.type) ? field.type : [field.type ?? 'anything'];
  const noun = types.map((type) => nouns[String(type)] ?? String(type)).join(' or ');
  return `${noun}${range(field)}`;
}

/** How many items a list may have. */
function counts({ minItems = 0, maxItems, prefixItems }: Schema): string {
  if (Array.isArray(prefixItems)) return ` of ${prefixItems.length}`;
  if (maxItems === undefined) return minItems === 0 ? '' : ` of ${minItems} or more`;
  return ` of ${minItems} to ${maxItems}`;
}

/** What its items may be, unless they are objects, which have rows of their own. */
function itemsOf({ items, prefixItems }: Schema): string {
  const [first] = Array.isArray(prefixItems) ? prefixItems : [items];
  if (typeof first !== 'object' || Array.isArray(first)) return '';
  const isPlain = first.properties === undefined && (first.anyOf ?? first.oneOf) === undefined;
  return isPlain ? `: ${allowed(first)}` : '';
}

const nouns: Readonly<Record<string, string>> = {
  integer: 'whole number',
  string: 'text',
  boolean: '`true` `false`',
  array: 'list',
};

function range({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: Schema): string {
  const least = exclusiveMinimum === undefined ? minimum : exclusiveMinimum;
  const isOpen = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER;
  const most = exclusiveMaximum ?? (isOpen ? undefined : maximum);
  const from = least === undefined ? '' : ` ${exclusiveMinimum === undefined ? '≥' : '>'} ${least}`;
  const to = most === undefined ? '' : ` ${exclusiveMaximum === undefined ? '≤' : '<'} ${most}`;
  return from + to;
}

function shown(value: unknown): string {
  return `\`${JSON.stringify(value)}\``;
}
