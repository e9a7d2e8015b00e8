import { elementBytes, type Instruction, lanes, plain, signed, unsigned } from './instructions.ts';

/** The type of a local: an integer or address, or four float32, int32 or mask lanes. */
export type LocalType = 'i32' | 'v128';

/** A local of a function by its index. */
export type Local = number;

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
export class FunctionBuilder {
  readonly #parameters: number;
  readonly #isFused: boolean;
  readonly #locals: LocalType[] = [];
  readonly #code: number[] = [];
  /** Sets the constants, before everything else. */
  readonly #constants: number[] = [];
  readonly #known = new Map<string, Local>();

  constructor({ parameters = 0, isFused = false }: FunctionSettings = {}) {
    this.#parameters = parameters;
    this.#isFused = isFused;
  }

  /** How many integers the function takes. */
  get parameters(): number {
    return this.#parameters;
  }

  /** A new local, 0 at first. */
  local(type: LocalType): Local {
    this.#locals.push(type);
    return this.#parameters + this.#locals.length - 1;
  }

  /** The vector that an instruction makes of vectors. */
  vector(instruction: Instruction, ...operands: readonly Local[]): Local {
    const result = this.local('v128');
    this.assign(result, instruction, ...operands);
    return result;
  }

  /** Sets a local to what an instruction makes of others. */
  assign(target: Local, instruction: Instruction, ...operands: readonly Local[]): void {
    for (const operand of operands) this.#index(0x20, operand);
    this.#code.push(...plain[instruction]);
    this.#index(0x21, target);
  }

  /** `sum += a · b`, as the terms of a product of matrices are added up. */
  addProduct(sum: Local, a: Local, b: Local): void {
    if (!this.#isFused) {
      this.assign(sum, 'f32x4.add', sum, this.vector('f32x4.mul', a, b));
      return;
    }
    for (const operand of [a, b, sum]) this.#index(0x20, operand);
    // f32x4.relaxed_madd
    this.#code.push(0xfd, 0x85, 0x02);
    this.#index(0x21, sum);
  }

  /** Shifts the int32 lanes of a vector. */
  shift(instruction: 'i32x4.shl' | 'i32x4.shr_s' | 'i32x4.shr_u', x: Local, bits: number): Local {
    const result = this.local('v128');
    this.#index(0x20, x);
    this.#integer(bits);
    this.#code.push(...plain[instruction]);
    this.#index(0x21, result);
    return result;
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
    this.#index(0x20, a);
    this.#index(0x20, b);
    this.#code.push(0xfd, 0x0d);
    for (const lane of picked) {
      for (let byte = 0; byte < elementBytes; byte++) this.#code.push(lane * elementBytes + byte);
    }
    this.#index(0x21, result);
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
      this.#address(address, lane * stride);
      this.#index(0x20, result);
      this.#code.push(0xfd, 0x56);
      this.#memory(offset);
      this.#code.push(lane);
      this.#index(0x21, next);
      result = next;
    }
    return result;
  }

  #load(code: readonly number[], address: Local | undefined, offset: number): Local {
    const result = this.local('v128');
    this.#address(address);
    this.#code.push(...code);
    this.#memory(offset);
    this.#index(0x21, result);
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
    this.#address(address);
    this.#index(0x20, value);
    this.#code.push(0xfd, code);
    this.#memory(offset);
    if (lane !== undefined) this.#code.push(lane);
  }

  /** Loads an integer. */
  loadInteger(target: Local, address: Local | undefined, offset: number): void {
    this.#address(address);
    this.#code.push(0x28);
    this.#memory(offset);
    this.#index(0x21, target);
  }

  /** Stores an integer. */
  storeInteger(address: Local | undefined, offset: number, value: Local): void {
    this.#address(address);
    this.#index(0x20, value);
    this.#code.push(0x36);
    this.#memory(offset);
  }

  /** Sets an integer. */
  setInteger(target: Local, value: number): void {
    this.#integer(value);
    this.#index(0x21, target);
  }

  /** `target = source · factor + addend`. */
  multiply(target: Local, source: Local, factor: number, addend = 0): void {
    this.#index(0x20, source);
    if (factor !== 1) {
      this.#integer(factor);
      this.#code.push(...plain['i32.mul']);
    }
    if (addend !== 0) {
      this.#integer(addend);
      this.#code.push(...plain['i32.add']);
    }
    this.#index(0x21, target);
  }

  /** `target += amount`. */
  add(target: Local, amount: number): void {
    if (amount === 0) return;
    this.#index(0x20, target);
    this.#integer(amount);
    this.#code.push(...plain['i32.add']);
    this.#index(0x21, target);
  }

  /** Runs `body` a number of times that is known now. */
  repeat(count: number, body: () => void): void {
    if (count <= 0) return;
    if (count === 1) {
      body();
      return;
    }
    const left = this.local('i32');
    this.setInteger(left, count);
    this.#loop(left, body);
  }

  /** Runs `body` as often as a local says, which counts down; 0 is never. */
  repeatWhile(left: Local, body: () => void): void {
    this.when(left, () => this.#loop(left, body));
  }

  #loop(left: Local, body: () => void): void {
    this.#code.push(0x03, 0x40);
    body();
    this.add(left, -1);
    this.#index(0x20, left);
    this.#code.push(0x0d, 0x00, 0x0b);
  }

  /** Runs `body` if an integer is not 0, else `otherwise`. */
  when(condition: Local, body: () => void, otherwise?: () => void): void {
    this.#index(0x20, condition);
    this.#code.push(0x04, 0x40);
    body();
    if (otherwise !== undefined) {
      this.#code.push(0x05);
      otherwise();
    }
    this.#code.push(0x0b);
  }

  /** Calls a function of the module. */
  call(index: number, ...operands: readonly Local[]): void {
    for (const operand of operands) this.#index(0x20, operand);
    this.#index(0x10, index);
  }

  /** Its locals, beside its parameters, and its instructions. */
  get body(): { readonly locals: readonly LocalType[]; readonly code: readonly number[] } {
    return { locals: this.#locals, code: [...this.#constants, ...this.#code] };
  }

  #address(address: Local | undefined, extra = 0): void {
    if (address === undefined) {
      this.#integer(extra);
      return;
    }
    this.#index(0x20, address);
    if (extra === 0) return;
    this.#integer(extra);
    this.#code.push(...plain['i32.add']);
  }

  #memory(offset: number): void {
    // Elements lie at multiples of their size, vectors do not.
    this.#code.push(0x02, ...unsigned(offset));
  }

  #index(code: number, index: number): void {
    this.#code.push(code, ...unsigned(index));
  }

  #integer(value: number): void {
    this.#code.push(0x41, ...signed(value));
  }
}
