import * as z from 'zod';
import { decodeSafetensors, encodeSafetensors } from '../../bucket/safetensors.ts';
import type { Spec } from '../../spec/spec.ts';
import {
  initialFrom,
  initialTensors,
  artifactName as nameOf,
  unreadable,
  workSchema,
} from '../artifacts.ts';
import type { Tensors, Work } from '../engine.ts';
import type { StepMask } from '../trace/trace.ts';
import { arithmeticOf, programSchema } from '../wasm/artifact.ts';
import type { Program as UpdateProgram } from '../wasm/program.ts';

/**
 * Name and version of this engine. It changes with tfjs, ONNX Runtime and the compiler, whenever
 * bits could change; `test/engine/onnx/artifact.test.ts` compares it with the installed packages.
 */
export const engineVersion = 'onnx-5 (tfjs 4.22.0, onnxruntime 1.30.0)';

/** A trainable weight of the state. */
export type Parameter = { readonly name: string; readonly shape: readonly number[] };

/** What every use of a model needs, compiled. */
export type ModelArtifact = {
  readonly outputs: number;
  /** Whether a row's output depends on the other rows of its minibatch. */
  readonly mixesRows: boolean;
  readonly work: Work;
  /** Whether training stays on one thread, whatever the machine has. */
  readonly isSerial: boolean;
  /** The masks of dropout that a training step takes. */
  readonly masks: readonly StepMask[];
  /** Weights that training has as one vector, in its order; none where it has them one by one. */
  readonly parameters: readonly Parameter[];
  /** The state's tensors before the first step. */
  readonly initial: Tensors;
  /** ONNX models: the predictions, and the training with the online minibatch. */
  readonly prediction: Uint8Array;
  readonly training: Uint8Array;
  /**
   * What goes over weights and slots, where that is not the training's: it makes gradients alone
   * then.
   */
  readonly update?: UpdateProgram;
};

/** What makes the bits of a model, but for the processor. */
export function versionOf({ update }: ModelArtifact): string {
  return update === undefined ? engineVersion : `${engineVersion}, ${arithmeticOf({})}`;
}

/** The name of a compiled thing: a hash of all that it depends on. */
export function artifactName(spec: Spec, part: string, apartFrom?: number): string {
  const apart = apartFrom === undefined ? {} : { apartFrom };
  return nameOf(spec, part, { engineVersion, form, ...apart });
}

/** Which form compiled things have; graphs of the first had wrong types for some integers. */
const form = 3;

const headerSchema = z.object({
  outputs: z.int().positive(),
  mixesRows: z.boolean(),
  work: workSchema,
  isSerial: z.boolean(),
  parameters: z.array(z.object({ name: z.string(), shape: z.array(z.int().nonnegative()) })),
  masks: z.array(z.object({ width: z.int().positive(), rate: z.number() })),
  update: programSchema.optional(),
});

/** An artifact as one safetensors file. */
export function encodeArtifact({
  outputs,
  mixesRows,
  work,
  isSerial,
  masks,
  parameters,
  initial,
  prediction,
  training,
  update,
}: ModelArtifact): Uint8Array {
  const { module, ...places } = update ?? {};
  return encodeSafetensors({
    tensors: {
      ...initialTensors(initial),
      prediction: { shape: [prediction.length], data: prediction },
      training: { shape: [training.length], data: training },
      ...(module === undefined ? {} : { update: { shape: [module.length], data: module } }),
    },
    metadata: {
      artifact: JSON.stringify({
        ...{ outputs, mixesRows, work, isSerial, masks, parameters },
        ...(update === undefined ? {} : { update: places }),
      }),
    },
  });
}

/** Reads {@link encodeArtifact}. @throws MillraceError kind `corrupt` */
export function decodeArtifact(file: Uint8Array): ModelArtifact {
  const { tensors, metadata } = decodeSafetensors(file);
  const header = headerSchema.safeParse(JSON.parse(metadata.artifact ?? 'null'));
  const [prediction, training] = [tensors.prediction?.data, tensors.training?.data];
  if (!header.success || !(prediction instanceof Uint8Array) || !(training instanceof Uint8Array))
    throw unreadable();
  const { update: places, ...data } = header.data;
  const module = tensors.update?.data;
  if ((places !== undefined) !== module instanceof Uint8Array) throw unreadable();
  const update = places && module instanceof Uint8Array ? { update: { ...places, module } } : {};
  return { ...data, initial: initialFrom(tensors), prediction, training, ...update };
}
