import { coveredPixels } from '../trace/covered-pixels.ts';
import { type Graph, isSameShape, type Node, producers, type Value } from '../trace/graph.ts';
import { GraphBuilder } from './graph-builder.ts';
import { attributesOf, windowsOf } from './image-windows.ts';

/**
 * Puts what slides windows over images into terms of what they are: images whose windows are views
 * of them (`Unfold`), and sums of products over those. Images lie in memory with their channels
 * last, as tfjs has them.
 */
export function lowerImages(graph: Graph): Graph {
  const lowering = new ImageLowering(graph);
  for (const node of graph.nodes) lowering.lower(node);
  return lowering.graph;
}

/**
 * Images as they lie in memory, and which of its dimensions [count, channels, height, width] are.
 */
type Images = { readonly source: Value; readonly perm: readonly number[] };

/** Lowers the nodes of a graph one after another. */
class ImageLowering {
  readonly #makers: ReadonlyMap<string, Node>;
  readonly #builder: GraphBuilder;
  /** Gradients of maxima that are scattered over a vector, as the images that they are. */
  readonly #scattered = new Map<string, Value>();

  constructor(graph: Graph) {
    this.#makers = producers(graph);
    this.#builder = new GraphBuilder(graph, 'image');
  }

  get graph(): Graph {
    return this.#builder.graph;
  }

  /** Adds a node, or what it is put into. */
  lower(node: Node): void {
    const [output] = node.outputs;
    const scattered = this.#scattered.get(node.inputs[0] ?? '');
    if (output === undefined) return;
    if (node.op === 'Conv') this.#builder.replace(output, this.#convolve(node, output));
    else if (node.op === 'ConvTranspose') this.#builder.replace(output, this.#spread(node, output));
    else if (node.op === 'MaxPool')
      this.#builder.replace(output, this.#largest(node, output).pooled);
    else if (node.op === 'AveragePool') this.#builder.replace(output, this.#average(node, output));
    else if (node.op === 'ScatterElements') this.#maxPoolGrad(node, output);
    else if (node.op === 'Reshape' && scattered && isSameShape(scattered.shape, output.shape))
      this.#builder.replace(output, scattered);
    else this.#builder.keep(node);
  }

  /** A sum of products of each window and the filter. */
  #convolve(node: Node, output: Value): Value {
    const windows = windowsOf(node);
    const { groups, kernel } = windows;
    const [x, filter] = [this.#builder.input(node, 0), this.#builder.input(node, 1)];
    const padded = this.#pad(this.#imagesOf(x), windows.pads, 0);
    const [count = 1, , rows = 1, columns = 1] = output.shape;
    const [outputs = 1, inputs = 1] = filter.shape;
    const last = this.#channelsLast(padded);
    const height = last.shape[1] ?? 1;
    const width = last.shape[2] ?? 1;
    const grouped = this.#builder.reshape(last, [count, height, width, groups, inputs]);
    const unfolded = this.#builder.node('Unfold', [grouped], {
      shape: [count, rows, columns, ...kernel, groups, inputs],
      attributes: attributesOf(windows),
    });
    const filters = this.#builder.transpose(
      this.#builder.reshape(filter, [groups, outputs / groups, inputs, ...kernel]),
      [3, 4, 0, 2, 1],
    );
    // The result lies in memory as the images do, whichever of their dimensions are which.
    const { perm } = padded;
    const dimensions = [
      { name: 'n', size: count, place: perm[0] ?? 0, axis: 0 },
      { name: 'y', size: rows, place: perm[2] ?? 0, axis: 2 },
      { name: 'x', size: columns, place: perm[3] ?? 0, axis: 3 },
    ].toSorted((one, other) => one.place - other.place);
    const sizes = dimensions.map(({ size }) => size);
    const product = this.#builder.node('Einsum', [unfolded, filters], {
      shape: [...sizes, groups, outputs / groups],
      attributes: {
        equation: `nyxhwgi,hwgio->${dimensions.map(({ name }) => name).join('')}go`,
      },
    });
    const order = [...dimensions.map(({ axis }) => axis), 1];
    return this.#builder.transpose(
      this.#builder.reshape(product, [...sizes, outputs]),
      [0, 1, 2, 3].map((axis) => order.indexOf(axis)),
    );
  }

  /** The transpose of a convolution: what came out of windows, spread over what went in. */
  #spread(node: Node, output: Value): Value {
    const windows = windowsOf(node);
    const { groups, kernel, strides, dilations, pads } = windows;
    const [dy, filter] = [this.#builder.input(node, 0), this.#builder.input(node, 1)];
    const [count = 1, outputs = 1, rows = 1, columns = 1] = dy.shape;
    const [, inputs = 1] = filter.shape;
    const [, , height = 1, width = 1] = output.shape;
    const size = [height, width].map((side, axis) => {
      const steps = ([rows, columns][axis] ?? 1) - 1;
      const extent = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1);
      return Math.max(steps * (strides[axis] ?? 1) + extent + 1, (pads[axis] ?? 0) + side);
    });
    const gradients = this.#builder.reshape(this.#channelsLast(this.#imagesOf(dy)), [
      ...[count, rows, columns],
      ...[groups, outputs / groups],
    ]);
    const filters = this.#builder.transpose(
      this.#builder.reshape(filter, [groups, outputs / groups, inputs, ...kernel]),
      [3, 1, 4, 0, 2],
    );
    const channels = groups * inputs;
    const folded = this.#builder.node(
      'Fold',
      [gradients, this.#builder.node('Identity', [filters], filters)],
      {
        shape: [count, ...size, channels],
        attributes: {
          ...attributesOf(windows),
          groups,
          equation: `nyxgo,howgi->nyxhw${groups > 1 ? 'gi' : 'i'}`,
        },
      },
    );
    const [top = 0, left = 0] = pads;
    return this.#builder.transpose(this.#crop(folded, [top, left], [height, width]), [0, 3, 1, 2]);
  }

  /** The largest of each window, and what it is made of. */
  #largest(node: Node, { shape: [count = 1, channels = 1, rows = 1, columns = 1] }: Value) {
    const windows = windowsOf(node);
    const images = this.#imagesOf(this.#builder.input(node, 0));
    const last = this.#channelsLast(this.#pad(images, windows.pads, Number.NEGATIVE_INFINITY));
    const unfolded = this.#builder.node('Unfold', [last], {
      shape: [count, rows, columns, ...windows.kernel, channels],
      attributes: attributesOf(windows),
    });
    const axes = this.#builder.integers([3, 4]);
    const shape = [count, rows, columns, channels];
    const largest = this.#builder.node('ReduceMax', [unfolded, axes], {
      shape,
      attributes: { keepdims: 0 },
    });
    return { windows, last, largest, pooled: this.#builder.transpose(largest, [0, 3, 1, 2]) };
  }

  /** The sum of each window by how many of its pixels are none of the border. */
  #average(node: Node, { shape: [count = 1, channels = 1, rows = 1, columns = 1] }: Value): Value {
    const windows = windowsOf(node);
    const x = this.#builder.input(node, 0);
    const [, , height = 1, width = 1] = x.shape;
    const last = this.#channelsLast(this.#pad(this.#imagesOf(x), windows.pads, 0));
    const unfolded = this.#builder.node('Unfold', [last], {
      shape: [count, rows, columns, ...windows.kernel, channels],
      attributes: attributesOf(windows),
    });
    const shape = [count, rows, columns, channels];
    const sum = this.#builder.node('ReduceSum', [unfolded, this.#builder.integers([3, 4])], {
      shape,
      attributes: { keepdims: 0 },
    });
    const covered = this.#builder.constant(
      'float32',
      coveredPixels(windows, [height, width], [rows, columns]),
      [...[1, rows, columns, 1]],
    );
    return this.#builder.transpose(
      this.#builder.node('Div', [sum, covered], { shape }),
      [0, 3, 1, 2],
    );
  }

  /** What is scattered to the places of maxima is their gradient. */
  #maxPoolGrad(node: Node, output: Value): void {
    const [, indices = ''] = node.inputs;
    const places = this.#sourceOf(indices, 'Reshape') ?? indices;
    const pool = this.#makers.get(places);
    const [pooled] = pool?.outputs ?? [];
    if (pool?.op !== 'MaxPool' || pooled === undefined) {
      this.#builder.keep(node);
      return;
    }
    const { windows, last, largest } = this.#largest(pool, pooled);
    const dy = this.#channelsLast(this.#imagesOf(this.#inputAs(node, 2, pooled.shape)));
    const gradient = this.#builder.node('MaxPoolGrad', [last, largest, dy], {
      shape: last.shape,
      attributes: attributesOf(windows),
    });
    const [, , height = 1, width = 1] = this.#builder.input(pool, 0).shape;
    const [top = 0, left = 0] = windows.pads;
    const images = this.#builder.transpose(
      this.#crop(gradient, [top, left], [height, width]),
      [0, 3, 1, 2],
    );
    this.#scattered.set(output.name, images);
    this.#builder.replace(output, this.#builder.reshape(images, output.shape));
  }

  /** An input in another shape; what it was before it was reshaped, if that had it. */
  #inputAs(node: Node, place: number, shape: readonly number[]): Value {
    const x = this.#builder.input(node, place);
    const before = this.#builder.find(this.#sourceOf(x.name, 'Reshape') ?? '');
    if (before !== undefined && isSameShape(before.shape, shape)) return before;
    return this.#builder.reshape(x, shape);
  }

  /** What a value was before it was moved. */
  #sourceOf(name: string, op: 'Reshape' | 'Transpose'): string | undefined {
    const maker = this.#makers.get(name);
    return maker?.op === op ? maker.inputs[0] : undefined;
  }

  #imagesOf(x: Value): Images {
    const source = this.#builder.find(this.#sourceOf(x.name, 'Transpose') ?? '');
    if (source === undefined) return { source: x, perm: [0, 1, 2, 3] };
    return { source, perm: this.#makers.get(x.name)?.attributes.perm as readonly number[] };
  }

  #channelsLast({ source, perm }: Images): Value {
    return this.#builder.transpose(
      source,
      [0, 2, 3, 1].map((axis) => perm[axis] ?? axis),
    );
  }

  /** Images with a border, in the order in which they lie in memory. */
  #pad({ source, perm }: Images, pads: readonly number[], value: number): Images {
    if (pads.every((each) => each === 0)) return { source, perm };
    const border = Array.from({ length: 8 }, () => 0);
    for (const axis of [0, 1]) {
      border[perm[axis + 2] ?? 0] = pads[axis] ?? 0;
      border[4 + (perm[axis + 2] ?? 0)] = pads[axis + 2] ?? 0;
    }
    const shape = source.shape.map((size, i) => size + (border[i] ?? 0) + (border[4 + i] ?? 0));
    const begin = this.#builder.constant('float32', Float32Array.of(value), []);
    const pads8 = this.#builder.integers(border);
    return { source: this.#builder.node('Pad', [source, pads8, begin], { shape }), perm };
  }

  /** A part of images with their channels last. */
  #crop(x: Value, from: readonly [number, number], size: readonly [number, number]): Value {
    const [count = 1, , , channels = 1] = x.shape;
    const shape = [count, ...size, channels];
    if (isSameShape(shape, x.shape)) return x;
    const ends = [from[0] + size[0], from[1] + size[1]];
    const bounds = [from, ends, [1, 2]].map((each) => this.#builder.integers(each));
    return this.#builder.node('Slice', [x, ...bounds], { shape });
  }
}
