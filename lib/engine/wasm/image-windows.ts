import type { Node } from '../trace/graph.ts';

/** Operators that slide windows over images. */
export const windowOperators = new Set(['Conv', 'ConvTranspose', 'MaxPool', 'AveragePool']);

/** What is known of a node of windows. */
export type Windows = {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** [top, left, bottom, right] */
  readonly pads: readonly number[];
  readonly groups: number;
};

/** The windows of a node of {@link windowOperators}. */
export function windowsOf({ attributes }: Node): Windows {
  const numbers = (name: string, otherwise: readonly number[]) => {
    const value = attributes[name];
    return Array.isArray(value) ? value.map(Number) : otherwise;
  };
  return {
    kernel: numbers('kernel_shape', [1, 1]),
    strides: numbers('strides', [1, 1]),
    dilations: numbers('dilations', [1, 1]),
    pads: numbers('pads', [0, 0, 0, 0]),
    groups: Number(attributes.group ?? 1),
  };
}

/** The attributes of views of windows, and of what is folded back. */
export function attributesOf({ kernel, strides, dilations }: Windows): Node['attributes'] {
  return { kernel_shape: kernel, strides, dilations };
}
