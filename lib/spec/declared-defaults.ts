import { isRecord } from '../parse.ts';

/**
 * What a declaration fills in: it learns a stream within some hundred samples, in messages of any
 * size. (What a stored spec leaves out is filled in by the schema, as it was when it was stored.)
 */
const optimizer = { type: 'adagrad' as const, rate: 0.1 };
const minibatch = 4;

/** A declaration with them; what is no declaration stays as it is, to be refused. */
export function withDeclaredDefaults(input: unknown): unknown {
  if (!isRecord(input)) return input;
  const { online = {} } = input;
  return {
    optimizer,
    ...input,
    online: isRecord(online) ? { minibatch, ...online } : online,
  };
}
