import * as z from 'zod';
import { asKeras2 } from './keras.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * The layers of a network as a user has them: what `model.toJSON()` answers (a text), or the content
 * of a tfjs `model.json` or of a Keras file. It becomes the topology alone.
 */
export const topologySchema = z
  .union([z.string(), z.looseObject({})])
  .superRefine((given, context) => {
    const found = topologyOf(given);
    if (typeof found === 'string') context.addIssue({ code: 'custom', message: found });
  })
  .transform((given): Json => {
    const found = topologyOf(given);
    return typeof found === 'string' ? {} : found;
  });

/** The topology in what was given; a text says what it should be. */
function topologyOf(given: unknown): Json | string {
  let value = given;
  if (typeof given === 'string') {
    try {
      value = JSON.parse(given);
    } catch {
      return 'must be JSON, as model.toJSON() answers it';
    }
  }
  for (const wrapper of ['modelTopology', 'model_config']) {
    if (isObject(value) && Object.hasOwn(value, wrapper)) value = value[wrapper];
  }
  if (isObject(value) && isObject(value.config)) return asKeras2(value);
  return 'must be what model.toJSON() answers, or the content of a model.json';
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
