/** Parquet's own structs are a few deep. */
const deepest = 32;

/** Types of Thrift's compact protocol, as Parquet has them. */
const types = { truth: 1, untruth: 2, byte: 3, i16: 4, i64: 6, double: 7, binary: 8, list: 9 };
const structType = 12;

/**
 * Looks at a struct in Thrift's compact protocol before it is read: hyparquet 1.31 makes room for
 * as many elements as a list says that it has.
 *
 * @param view ends behind the struct, or later
 * @throws Error if a list says more elements than there are bytes, or structs lie too deep
 */
export function assertStruct(view: DataView, start = 0): void {
  let at = start;
  const varint = () => {
    let number = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = view.getUint8(at++);
      number += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return number;
    }
  };
  const passText = () => {
    const length = varint();
    at += length;
  };
  const passList = (depth: number) => {
    const head = view.getUint8(at++);
    const size = head >> 4 === 15 ? varint() : head >> 4;
    const left = view.byteLength - at;
    if (size > left) throw new Error(`a list of ${size} elements in ${left} bytes`);
    // (In a list, true and false take a byte each.)
    const type = (head & 15) <= types.untruth ? types.byte : head & 15;
    for (let i = 0; i < size; i++) pass(type, depth);
  };
  const passStruct = (depth: number) => {
    if (depth > deepest) throw new Error('structs lie too deep in others');
    for (let head = view.getUint8(at++); (head & 15) !== 0; head = view.getUint8(at++)) {
      // The number of a field, unless it is told by its distance from the one before.
      if (head >> 4 === 0) varint();
      pass(head & 15, depth);
    }
  };
  const pass = (type: number, depth: number) => {
    if (type === types.truth || type === types.untruth) return;
    if (type === types.byte) at += 1;
    else if (type >= types.i16 && type <= types.i64) varint();
    else if (type === types.double) at += 8;
    else if (type === types.binary) passText();
    else if (type === types.list && depth <= deepest) passList(depth + 1);
    else if (type === structType) passStruct(depth + 1);
    else throw new Error(`a field of the type ${type}`);
  };
  passStruct(0);
}
