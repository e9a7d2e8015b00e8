import * as z from 'zod';
import { decodeSafetensors, encodeSafetensors } from '../../bucket/safetensors.ts';
import type { Spec } from '../../spec/spec.ts';
import { initialFrom, initialTensors, unreadable, workSchema } from '../artifacts.ts';
import type { Tensors, Work } from '../engine.ts';
import type { StepMask } from '../trace/trace.ts';
import { UntraceableError } from '../trace/untraceable.ts';
import type { Program } from './program.ts';
import type { Region } from './versions.ts';

/**
 * The arithmetic of this engine: the bits that it makes depend on nothing else. It changes with
 * tfjs and the compiler, whenever bits could change. Where a spec asks for fused products, it holds
 * on processors that can fuse.
 */
export function arithmeticOf({ engine }: Pick<Spec, 'engine'>): string {
  return engine === 'wasm-fma' ? 'wasm-1-fma' : 'wasm-1';
}

/** Which form compiled models have: it changes with all that they hold beside the same bits. */
export const form = 4;

/** A table whose states are not copied as a whole. */
export type LargeTable = {
  /** The category column that names its rows. */
  readonly column: number;
  /** Its weights, and its part of each slot. */
  readonly regions: readonly Region[];
};

/** A compiled model. */
export type ProgramArtifact = Program & {
  readonly outputs: number;
  /** Whether a row's output depends on the other rows of its minibatch. */
  readonly mixesRows: boolean;
  readonly work: Work;
  /** Large tables, of which a call changes a few rows. */
  readonly tables: readonly LargeTable[];
  /** The masks of dropout that a training step takes. */
  readonly masks: readonly StepMask[];
  /** The state's tensors before the first step. */
  readonly initial: Tensors;
};

const place = z.object({ address: z.int().positive(), size: z.int().nonnegative() });

/** Where everything of a program lies, as JSON. */
export const programSchema = z.object({
  states: z.record(z.string(), place),
  calls: z.record(
    z.string(),
    z.object({
      steps: z.int().positive(),
      minibatch: z.int().positive(),
      arrays: z.record(z.string(), place),
      result: place,
    }),
  ),
});

const headerSchema = programSchema.extend({
  outputs: z.int().positive(),
  mixesRows: z.boolean(),
  work: workSchema,
  tables: z.array(
    z.object({
      column: z.int().nonnegative(),
      regions: z.array(
        place.omit({ size: true }).extend({
          part: z.string(),
          offset: z.int().nonnegative(),
          rows: z.int().positive(),
          width: z.int().positive(),
        }),
      ),
    }),
  ),
  masks: z.array(z.object({ width: z.int().positive(), rate: z.number() })),
});

/** An artifact as one safetensors file. */
export function encodeArtifact({ module, initial, ...header }: ProgramArtifact): Uint8Array {
  return encodeSafetensors({
    tensors: {
      ...initialTensors(initial),
      module: { shape: [module.length], data: module },
    },
    metadata: { artifact: JSON.stringify(header) },
  });
}

/** That a model cannot be compiled, and why: so that not every process tries it again. */
export function encodeRefusal(reason: string): Uint8Array {
  return encodeSafetensors({ tensors: {}, metadata: { refused: reason } });
}

/**
 * Reads {@link encodeArtifact}.
 *
 * @throws UntraceableError if it is an {@link encodeRefusal}
 * @throws MillraceError kind `corrupt`
 */
export function decodeArtifact(file: Uint8Array): ProgramArtifact {
  const { tensors, metadata } = decodeSafetensors(file);
  if (metadata.refused !== undefined) throw new UntraceableError(metadata.refused);
  const header = headerSchema.safeParse(JSON.parse(metadata.artifact ?? 'null'));
  const module = tensors.module?.data;
  if (!header.success || !(module instanceof Uint8Array)) throw unreadable();
  return { ...header.data, initial: initialFrom(tensors), module };
}
