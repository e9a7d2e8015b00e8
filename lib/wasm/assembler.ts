import { elementBytes, type Instruction, lanes, unsigned } from './instructions.ts';
import { IntegerCode, type Literal, type Local, type LocalType } from './integer-code.ts';

/** Settings of a function. */
export type FunctionSettings = {
  /** How many integers it takes: its first locals. */
  readonly parameters?: number;
  /** Whether terms are added without rounding them first, on processors that can. */
  readonly isFused?: boolean;
};

/**
 * The body of one function. Operands are locals; each instruction on vectors makes a new one, and
 * V8 keeps them in registers.
 */
export class FunctionBuilder extends IntegerCode {
  readonly #isFused: boolean;
  /** Sets the constants, before everything else. */
  readonly #constants: number[] = [];
  readonly #known = new Map<string, Local>();

  constructor({ parameters = 0, isFused = false }: FunctionSettings = {}) {
    super(parameters);
    this.#isFused = isFused;
  }

  /** The vector that an instruction makes of vectors. */
  vector(instruction: Instruction, ...operands: readonly (Local | Literal)[]): Local {
    const result = this.local('v128');
    this.assign(result, instruction, ...operands);
    return result;
  }

  /** `sum += a · b`, as the terms of a product of matrices are added up. */
  addProduct(sum: Local, a: Local, b: Local): void {
    if (!this.#isFused) {
      this.assign(sum, 'f32x4.add', sum, this.vector('f32x4.mul', a, b));
      return;
    }
    for (const operand of [a, b, sum]) this.pushIndex(0x20, operand);
    // f32x4.relaxed_madd
    this.code.push(0xfd, 0x85, 0x02);
    this.pushIndex(0x21, sum);
  }

  /** Shifts the int32 lanes of a vector. */
  shift(instruction: 'i32x4.shl' | 'i32x4.shr_s' | 'i32x4.shr_u', x: Local, bits: number): Local {
    return this.vector(instruction, x, { literal: bits });
  }

  /** A vector of the same float32 in all lanes. */
  constant(value: number): Local {
    return this.#constant(Float32Array.of(value, value, value, value));
  }

  /** A vector of the same int32 in all lanes. */
  integers(...values: readonly [number] | readonly [number, number, number, number]): Local {
    const [a, b = a, c = a, d = a] = values;
    return this.#constant(Int32Array.of(a, b, c, d));
  }

  #constant(values: Float32Array | Int32Array): Local {
    const bytes = [...new Uint8Array(values.buffer)];
    const known = this.#known.get(bytes.join());
    if (known !== undefined) return known;
    const result = this.local('v128');
    this.#constants.push(0xfd, 0x0c, ...bytes, 0x21, ...unsigned(result));
    this.#known.set(bytes.join(), result);
    return result;
  }

  /** Lanes of two vectors as one: 0 to 3 are those of `a`, 4 to 7 those of `b`. */
  shuffle(a: Local, b: Local, ...picked: readonly [number, number, number, number]): Local {
    const result = this.local('v128');
    this.pushIndex(0x20, a);
    this.pushIndex(0x20, b);
    this.code.push(0xfd, 0x0d);
    for (const lane of picked) {
      for (let byte = 0; byte < elementBytes; byte++) this.code.push(lane * elementBytes + byte);
    }
    this.pushIndex(0x21, result);
    return result;
  }

  /** Four elements from `address + offset` on; without an address, from `offset` on. */
  load(address: Local | undefined, offset: number): Local {
    return this.#load([0xfd, 0x00], address, offset);
  }

  /** One element in all lanes. */
  loadSplat(address: Local | undefined, offset: number): Local {
    return this.#load([0xfd, 0x09], address, offset);
  }

  /** Elements that lie `stride` bytes apart, in the first `count` lanes. */
  loadStrided(
    address: Local | undefined,
    offset: number,
    { stride, count }: { readonly stride: number; readonly count: number },
  ): Local {
    let result = this.#load([0xfd, 0x5c], address, offset);
    for (let lane = 1; lane < count; lane++) {
      const next = this.local('v128');
      // (A stride may be negative: the address is added up first.)
      this.pushAddress(address, lane * stride);
      this.pushIndex(0x20, result);
      this.code.push(0xfd, 0x56);
      this.pushOffset(offset);
      this.code.push(lane);
      this.pushIndex(0x21, next);
      result = next;
    }
    return result;
  }

  #load(code: readonly number[], address: Local | undefined, offset: number): Local {
    const result = this.local('v128');
    this.pushAddress(address);
    this.code.push(...code);
    this.pushOffset(offset);
    this.pushIndex(0x21, result);
    return result;
  }

  /** Stores the first `count` lanes of a vector. */
  store(address: Local | undefined, offset: number, value: Local, count: number = lanes): void {
    if (count === lanes) this.#store(0x0b, address, offset, value);
    if (count === 2 || count === 3) this.#store(0x5b, address, offset, value, 0);
    if (count === 3) this.#store(0x5a, address, offset + 2 * elementBytes, value, 2);
    if (count === 1) this.#store(0x5a, address, offset, value, 0);
  }

  /** Stores the first `count` lanes of a vector, `stride` bytes apart. */
  storeStrided(
    address: Local | undefined,
    offset: number,
    value: Local,
    { stride, count }: { readonly stride: number; readonly count: number },
  ): void {
    for (let lane = 0; lane < count; lane++)
      this.#store(0x5a, address, offset + lane * stride, value, lane);
  }

  #store(code: number, address: Local | undefined, ...where: [number, Local, number?]): void {
    const [offset, value, lane] = where;
    this.pushAddress(address);
    this.pushIndex(0x20, value);
    this.code.push(0xfd, code);
    this.pushOffset(offset);
    if (lane !== undefined) this.code.push(lane);
  }

  /** Its locals, beside its parameters, and its instructions. */
  get body(): { readonly locals: readonly LocalType[]; readonly code: readonly number[] } {
    return { locals: this.locals, code: [...this.#constants, ...this.code] };
  }
}
