import { type Instruction, plain, signed, unsigned } from './instructions.ts';

/** The type of a local: an integer or address, or four float32, int32 or mask lanes. */
export type LocalType = 'i32' | 'v128';

/** A local of a function by its index. */
export type Local = number;

/** An integer that is known while the function is made. */
export type Literal = { readonly literal: number };

/** The body of one function, as far as it is of integers: their arithmetic, memory, and loops. */
export class IntegerCode {
  /** How many integers the function takes: its first locals. */
  readonly parameters: number;
  protected readonly code: number[] = [];
  /** Beside its parameters. */
  protected readonly locals: LocalType[] = [];

  constructor(parameters: number) {
    this.parameters = parameters;
  }

  /** A new local, 0 at first. */
  local(type: LocalType): Local {
    this.locals.push(type);
    return this.parameters + this.locals.length - 1;
  }

  /** The integer that an instruction makes of others, or of vectors. */
  integer(instruction: Instruction, ...operands: readonly (Local | Literal)[]): Local {
    const result = this.local('i32');
    this.assign(result, instruction, ...operands);
    return result;
  }

  /** Sets a local to what an instruction makes of others. */
  assign(target: Local, instruction: Instruction, ...operands: readonly (Local | Literal)[]): void {
    for (const operand of operands) {
      if (typeof operand === 'number') this.pushIndex(0x20, operand);
      else this.pushInteger(operand.literal);
    }
    this.code.push(...plain[instruction]);
    this.pushIndex(0x21, target);
  }

  /** Loads a byte as an integer. */
  loadByte(target: Local, address: Local | undefined, offset: number): void {
    this.pushAddress(address);
    this.code.push(0x2d, 0x00, ...unsigned(offset));
    this.pushIndex(0x21, target);
  }

  /** Loads an integer. */
  loadInteger(target: Local, address: Local | undefined, offset: number): void {
    this.pushAddress(address);
    this.code.push(0x28);
    this.pushOffset(offset);
    this.pushIndex(0x21, target);
  }

  /** Stores an integer. */
  storeInteger(address: Local | undefined, offset: number, value: Local): void {
    this.pushAddress(address);
    this.pushIndex(0x20, value);
    this.code.push(0x36);
    this.pushOffset(offset);
  }

  /** Sets an integer. */
  setInteger(target: Local, value: number): void {
    this.pushInteger(value);
    this.pushIndex(0x21, target);
  }

  /** `target = source · factor + addend`. */
  multiply(target: Local, source: Local, factor: number, addend = 0): void {
    this.pushIndex(0x20, source);
    if (factor !== 1) {
      this.pushInteger(factor);
      this.code.push(...plain['i32.mul']);
    }
    if (addend !== 0) {
      this.pushInteger(addend);
      this.code.push(...plain['i32.add']);
    }
    this.pushIndex(0x21, target);
  }

  /** `target += amount`. */
  add(target: Local, amount: number): void {
    if (amount !== 0) this.assign(target, 'i32.add', target, { literal: amount });
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
    this.#loopWhile(left, () => {
      body();
      this.add(left, -1);
    });
  }

  #loopWhile(left: Local, body: () => void): void {
    this.code.push(0x03, 0x40);
    body();
    this.pushIndex(0x20, left);
    this.code.push(0x0d, 0x00, 0x0b);
  }

  /** Runs `body` until it leaves 0 in a local; not at all if that is 0 before. */
  repeatUntilZero(left: Local, body: () => void): void {
    this.when(left, () => this.#loopWhile(left, body));
  }

  /** Runs `body` if an integer is not 0, else `otherwise`. */
  when(condition: Local, body: () => void, otherwise?: () => void): void {
    this.pushIndex(0x20, condition);
    this.code.push(0x04, 0x40);
    body();
    if (otherwise !== undefined) {
      this.code.push(0x05);
      otherwise();
    }
    this.code.push(0x0b);
  }

  /** Ends the function. */
  leave(): void {
    this.code.push(0x0f);
  }

  /** Calls a function of the module. */
  call(index: number, ...operands: readonly Local[]): void {
    for (const operand of operands) this.pushIndex(0x20, operand);
    this.pushIndex(0x10, index);
  }

  /** Pushes an address; without one, the integer that would be added to it. */
  protected pushAddress(address: Local | undefined, extra = 0): void {
    if (address === undefined) {
      this.pushInteger(extra);
      return;
    }
    this.pushIndex(0x20, address);
    if (extra === 0) return;
    this.pushInteger(extra);
    this.code.push(...plain['i32.add']);
  }

  protected pushOffset(offset: number): void {
    // Elements lie at multiples of their size, vectors do not.
    this.code.push(0x02, ...unsigned(offset));
  }

  protected pushIndex(code: number, index: number): void {
    this.code.push(code, ...unsigned(index));
  }

  protected pushInteger(value: number): void {
    this.code.push(0x41, ...signed(value));
  }
}
