import { invalid } from '../errors.ts';
import { loadModel, type Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import type { Progress } from './progress.ts';

/** What a command works with. */
export type Io = {
  readonly ports: Ports;
  readonly print: (line: string) => void;
  /** Progress on a terminal; absent where the output is not one. */
  readonly progress?: Progress;
};

/** A count with its noun: `1 message`, `1,234 messages`. */
export const count = (value: number, noun: string) =>
  `${value.toLocaleString('en')} ${noun}${value === 1 ? '' : 's'}`;

/** The model that a command names. @throws MillraceError kind `invalid` if there is none */
export async function modelOf(ports: Ports, name: string): Promise<Model> {
  const model = await loadModel(ports, name);
  if (model === undefined) throw invalid(`there is no model ${name} in s3://${ports.store.bucket}`);
  return model;
}
