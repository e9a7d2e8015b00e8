/** Instructions without immediates, by their names in the specification. */
export const plain = {
  'i32.eqz': [0x45],
  'i32.eq': [0x46],
  'i32.ne': [0x47],
  'i32.lt_u': [0x49],
  'i32.ge_u': [0x4f],
  'i32.ctz': [0x68],
  'i32.add': [0x6a],
  'i32.sub': [0x6b],
  'i32.mul': [0x6c],
  'i32.and': [0x71],
  'i32.or': [0x72],
  'i32.xor': [0x73],
  'i32.shl': [0x74],
  'i32.shr_u': [0x76],
  'i8x16.splat': [0xfd, 0x0f],
  'i8x16.eq': [0xfd, 0x23],
  'i8x16.lt_s': [0xfd, 0x25],
  'i8x16.bitmask': [0xfd, 0x64],
  'v128.not': [0xfd, 0x4d],
  'v128.and': [0xfd, 0x4e],
  'v128.andnot': [0xfd, 0x4f],
  'v128.or': [0xfd, 0x50],
  'v128.xor': [0xfd, 0x51],
  'v128.bitselect': [0xfd, 0x52],
  'f32x4.eq': [0xfd, 0x41],
  'f32x4.ne': [0xfd, 0x42],
  'f32x4.lt': [0xfd, 0x43],
  'f32x4.gt': [0xfd, 0x44],
  'f32x4.le': [0xfd, 0x45],
  'f32x4.ge': [0xfd, 0x46],
  'f32x4.ceil': [0xfd, 0x67],
  'f32x4.floor': [0xfd, 0x68],
  'f32x4.nearest': [0xfd, 0x6a],
  'f32x4.abs': [0xfd, 0xe0, 0x01],
  'f32x4.neg': [0xfd, 0xe1, 0x01],
  'f32x4.sqrt': [0xfd, 0xe3, 0x01],
  'f32x4.add': [0xfd, 0xe4, 0x01],
  'f32x4.sub': [0xfd, 0xe5, 0x01],
  'f32x4.mul': [0xfd, 0xe6, 0x01],
  'f32x4.div': [0xfd, 0xe7, 0x01],
  'f32x4.pmin': [0xfd, 0xea, 0x01],
  'f32x4.pmax': [0xfd, 0xeb, 0x01],
  'f32x4.convert_i32x4_s': [0xfd, 0xfa, 0x01],
  'i32x4.eq': [0xfd, 0x37],
  'i32x4.lt_s': [0xfd, 0x39],
  'i32x4.gt_s': [0xfd, 0x3b],
  'i32x4.le_s': [0xfd, 0x3d],
  'i32x4.ge_s': [0xfd, 0x3f],
  'i32x4.neg': [0xfd, 0xa1, 0x01],
  'i32x4.shl': [0xfd, 0xab, 0x01],
  'i32x4.shr_s': [0xfd, 0xac, 0x01],
  'i32x4.shr_u': [0xfd, 0xad, 0x01],
  'i32x4.add': [0xfd, 0xae, 0x01],
  'i32x4.sub': [0xfd, 0xb1, 0x01],
  'i32x4.mul': [0xfd, 0xb5, 0x01],
  'i32x4.trunc_sat_f32x4_s': [0xfd, 0xf8, 0x01],
} as const;

/** An instruction without immediates. */
export type Instruction = keyof typeof plain;

/** The codes of types. */
export const typeCodes = { i32: 0x7f, v128: 0x7b } as const;

/** Lanes of a vector: float32, int32 or masks. */
export const lanes = 4;
/** Bytes of an element. */
export const elementBytes = 4;
/** Bytes of a vector. */
export const vectorBytes = lanes * elementBytes;

/** LEB128 of a number that is not negative. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low + 128 : low);
  } while (rest > 0);
  return bytes;
}

/** LEB128 of an int32. */
export function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const isDone = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(isDone ? low : low | 0x80);
    if (isDone) return bytes;
  }
}
