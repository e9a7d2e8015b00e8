import { Writer } from 'protobufjs/minimal.js';
import type {
  Attribute,
  Constant,
  Domain,
  ElementType,
  Graph,
  Node,
  Value,
} from '../trace/graph.ts';

/** ONNX' numbers of the element types (TensorProto.DataType). */
const dataTypes: Readonly<Record<ElementType, number>> = {
  float32: 1,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float64: 11,
};
/** ONNX' numbers of the attribute types (AttributeProto.AttributeType). */
const attributeTypes = { float: 1, int: 2, string: 3, graph: 5, ints: 7, strings: 8 } as const;

const irVersion = 9;
const opset = 18;
const domainVersions: Readonly<Record<Domain, number>> = { 'com.microsoft': 1, 'ai.onnx.ml': 2 };

/**
 * A graph as an ONNX model (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): the fields
 * that Millrace uses, by their numbers there.
 *
 * @param domains beside ONNX' own that its operators may be of
 */
export function encodeModel(
  graph: Graph,
  domains: readonly Domain[] = ['com.microsoft'],
): Uint8Array {
  const writer = Writer.create();
  writer.uint32(tag(1, varint)).int64(irVersion);
  writer.uint32(tag(2, bytes)).string('millrace');
  message(writer, 7, (inner) => encodeGraph(inner, graph));
  for (const [domain, version] of [['', opset] as const, ...domains.map(versionOf)]) {
    message(writer, 8, (inner) => {
      inner.uint32(tag(1, bytes)).string(domain);
      inner.uint32(tag(2, varint)).int64(version);
    });
  }
  return writer.finish();
}

function versionOf(domain: Domain): readonly [Domain, number] {
  return [domain, domainVersions[domain]];
}

const varint = 0;
const bytes = 2;
const fixed32 = 5;

function tag(field: number, wireType: number): number {
  return field * 8 + wireType;
}

function message(writer: Writer, field: number, write: (inner: Writer) => void): void {
  writer.uint32(tag(field, bytes)).fork();
  write(writer);
  writer.ldelim();
}

function encodeGraph(writer: Writer, graph: Graph): void {
  const outputs = new Map(
    [...graph.outputs].map(([name, value]) => [name, { ...value, name }] as const),
  );
  const identities = [...graph.outputs].flatMap(([name, value]): Node[] =>
    name === value.name
      ? []
      : [{ op: 'Identity', inputs: [value.name], outputs: [{ ...value, name }], attributes: {} }],
  );
  for (const node of [...graph.nodes, ...identities])
    message(writer, 1, (inner) => encodeNode(inner, node));
  writer.uint32(tag(2, bytes)).string('graph');
  for (const constant of graph.constants.values())
    message(writer, 5, (inner) => encodeTensor(inner, constant));
  for (const value of graph.inputs) message(writer, 11, (inner) => encodeValue(inner, value));
  for (const value of outputs.values()) message(writer, 12, (inner) => encodeValue(inner, value));
}

function encodeNode(writer: Writer, { op, domain, inputs, outputs, attributes }: Node): void {
  for (const name of inputs) writer.uint32(tag(1, bytes)).string(name);
  for (const { name } of outputs) writer.uint32(tag(2, bytes)).string(name);
  writer.uint32(tag(4, bytes)).string(op);
  for (const [name, value] of Object.entries(attributes)) {
    message(writer, 5, (inner) => encodeAttribute(inner, name, value));
  }
  if (domain !== undefined) writer.uint32(tag(7, bytes)).string(domain);
}

function encodeAttribute(writer: Writer, name: string, value: Attribute): void {
  writer.uint32(tag(1, bytes)).string(name);
  const type = (number: number) => writer.uint32(tag(20, varint)).int32(number);
  if (typeof value === 'number') {
    writer.uint32(tag(3, varint)).int64(value);
    type(attributeTypes.int);
  } else if (typeof value === 'string') {
    writer.uint32(tag(4, bytes)).string(value);
    type(attributeTypes.string);
  } else if ('float' in value) {
    writer.uint32(tag(2, fixed32)).float(value.float);
    type(attributeTypes.float);
  } else if ('texts' in value) {
    for (const text of value.texts) writer.uint32(tag(9, bytes)).string(text);
    type(attributeTypes.strings);
  } else if ('nodes' in value) {
    message(writer, 6, (inner) => encodeGraph(inner, value));
    type(attributeTypes.graph);
  } else {
    for (const integer of value) writer.uint32(tag(8, varint)).int64(integer);
    type(attributeTypes.ints);
  }
}

function encodeTensor(writer: Writer, { name, type, shape, data }: Constant): void {
  for (const dimension of shape) writer.uint32(tag(1, varint)).int64(dimension);
  writer.uint32(tag(2, varint)).int32(dataTypes[type]);
  writer.uint32(tag(8, bytes)).string(name);
  writer.uint32(tag(9, bytes)).bytes(rawBytes(type, data));
}

/** Elements as ONNX keeps them raw: little-endian, int64 in 8 bytes, booleans in 1. */
function rawBytes(type: ElementType, data: Constant['data']): Uint8Array {
  if (type === 'int64')
    return new Uint8Array(BigInt64Array.from(data, (element) => BigInt(element)).buffer);
  if (type === 'bool') return Uint8Array.from(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function encodeValue(writer: Writer, { name, type, shape }: Value): void {
  writer.uint32(tag(1, bytes)).string(name);
  message(writer, 2, (typeWriter) =>
    message(typeWriter, 1, (tensor) => {
      tensor.uint32(tag(1, varint)).int32(dataTypes[type]);
      message(tensor, 2, (shapeWriter) => {
        shape.forEach((dimension, i) => {
          message(shapeWriter, 1, (dimensionWriter) => {
            if (dimension >= 0) dimensionWriter.uint32(tag(1, varint)).int64(dimension);
            else dimensionWriter.uint32(tag(2, bytes)).string(`${name}_${i}`);
          });
        });
      });
    }),
  );
}
