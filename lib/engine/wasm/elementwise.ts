import type { FunctionBuilder } from '../../wasm/assembler.ts';
import type { Instruction } from '../../wasm/instructions.ts';
import type { Local } from '../../wasm/integer-code.ts';
import type { Constant, Node } from '../trace/graph.ts';
import {
  cosine,
  errorFunction,
  exponential,
  exponentialMinusOne,
  hyperbolicTangent,
  logarithm,
  logistic,
  select,
  softplus,
} from './functions.ts';

/** What an elementwise operator makes of four elements of each of its inputs. */
type Emit = (f: FunctionBuilder, inputs: readonly Local[], node: Node) => Local;

const unary =
  (emit: (f: FunctionBuilder, x: Local, node: Node) => Local): Emit =>
  (f, [x = 0], node) =>
    emit(f, x, node);

const binary =
  (instruction: Instruction): Emit =>
  (f, [a = 0, b = 0]) =>
    f.vector(instruction, a, b);

const isFloat = (node: Node) => node.attributes[operandType] !== 'int32';

/** The attribute by which the plan says what type the operands of a comparison have. */
export const operandType = 'operandType';

const eitherType =
  (ofFloats: Instruction, ofIntegers: Instruction): Emit =>
  (f, [a = 0, b = 0], node) =>
    f.vector(isFloat(node) ? ofFloats : ofIntegers, a, b);

/** A number of an attribute. */
function numberOf(node: Node, name: string, otherwise: number): number {
  const value = node.attributes[name];
  if (typeof value === 'number') return value;
  return typeof value === 'object' && 'float' in value ? Number(value.float) : otherwise;
}

/** y where x < 0, x elsewhere. */
function whereNegative(f: FunctionBuilder, x: Local, y: Local): Local {
  return select(f, f.vector('f32x4.lt', x, f.constant(0)), y, x);
}

function scaled(f: FunctionBuilder, x: Local, factor: number): Local {
  return f.vector('f32x4.mul', x, f.constant(factor));
}

/** Scale and α of SELU (Klambauer et al. 2017), as ONNX and tfjs have them. */
const selu = { scale: 1.0507009873554805, alpha: 1.6732632423543772 };

/** Operators that work element by element. */
export const elementwise: Readonly<Record<string, Emit>> = {
  Identity: unary((_, x) => x),
  Abs: unary((f, x) => f.vector('f32x4.abs', x)),
  Ceil: unary((f, x) => f.vector('f32x4.ceil', x)),
  Floor: unary((f, x) => f.vector('f32x4.floor', x)),
  Neg: unary((f, x) => f.vector('f32x4.neg', x)),
  Sqrt: unary((f, x) => f.vector('f32x4.sqrt', x)),
  Reciprocal: unary((f, x) => f.vector('f32x4.div', f.constant(1), x)),
  Cos: unary(cosine),
  Exp: unary(exponential),
  Log: unary(logarithm),
  Sigmoid: unary(logistic),
  Erf: unary(errorFunction),
  Softplus: unary(softplus),
  Tanh: unary(hyperbolicTangent),
  Not: unary((f, x) => f.vector('v128.not', x)),
  Relu: unary((f, x) => f.vector('f32x4.pmax', x, f.constant(0))),
  Elu: unary((f, x) => whereNegative(f, x, exponentialMinusOne(f, x))),
  Selu: unary((f, x) => {
    const negative = scaled(f, exponentialMinusOne(f, x), selu.alpha);
    return scaled(f, whereNegative(f, x, negative), selu.scale);
  }),
  LeakyRelu: unary((f, x, node) =>
    whereNegative(f, x, scaled(f, x, numberOf(node, 'alpha', 0.01))),
  ),
  Sign: unary((f, x) => {
    const [zero, one] = [f.constant(0), f.constant(1)];
    const positive = f.vector('v128.and', f.vector('f32x4.gt', x, zero), one);
    const negative = f.vector('v128.and', f.vector('f32x4.lt', x, zero), one);
    return f.vector('f32x4.sub', positive, negative);
  }),
  /** Of slope 3e38, the way in which the trace writes a step function. */
  HardSigmoid: unary((f, x, node) => {
    const [alpha, beta] = [numberOf(node, 'alpha', 0.2), numberOf(node, 'beta', 0.5)];
    const [zero, one] = [f.constant(0), f.constant(1)];
    if (alpha > 1e38) return f.vector('v128.and', f.vector('f32x4.gt', x, zero), one);
    const line = f.vector('f32x4.add', scaled(f, x, alpha), f.constant(beta));
    return f.vector('f32x4.pmin', f.vector('f32x4.pmax', line, zero), one);
  }),
  /** x where |x| > λ, as the trace flushes denormal numbers. */
  Shrink: unary((f, x, node) => {
    const least = f.constant(numberOf(node, 'lambd', 0.5));
    return f.vector('v128.and', x, f.vector('f32x4.gt', f.vector('f32x4.abs', x), least));
  }),
  Clip: (f, [x = 0, least = 0, most = 0]) =>
    f.vector('f32x4.pmin', f.vector('f32x4.pmax', x, least), most),
  Where: (f, [mask = 0, a = 0, b = 0]) => select(f, mask, a, b),

  Add: eitherType('f32x4.add', 'i32x4.add'),
  Sub: eitherType('f32x4.sub', 'i32x4.sub'),
  Mul: eitherType('f32x4.mul', 'i32x4.mul'),
  Div: binary('f32x4.div'),
  Max: binary('f32x4.pmax'),
  Min: binary('f32x4.pmin'),
  Sum: (f, [first = 0, ...rest]) => rest.reduce((sum, x) => f.vector('f32x4.add', sum, x), first),
  And: binary('v128.and'),
  Or: binary('v128.or'),
  Equal: eitherType('f32x4.eq', 'i32x4.eq'),
  Greater: eitherType('f32x4.gt', 'i32x4.gt_s'),
  GreaterOrEqual: eitherType('f32x4.ge', 'i32x4.ge_s'),
  Less: eitherType('f32x4.lt', 'i32x4.lt_s'),
  LessOrEqual: eitherType('f32x4.le', 'i32x4.le_s'),

  Cast: (f, [x = 0], node) => {
    const from = node.attributes[operandType];
    const to = node.attributes.to === 1 ? 'float32' : node.attributes.to === 9 ? 'bool' : 'int32';
    if (from === to) return x;
    if (from === 'bool')
      return f.vector('v128.and', x, to === 'float32' ? f.constant(1) : f.integers(1));
    if (to === 'float32') return f.vector('f32x4.convert_i32x4_s', x);
    if (to === 'int32') return f.vector('i32x4.trunc_sat_f32x4_s', x);
    const isZero =
      from === 'float32'
        ? f.vector('f32x4.eq', x, f.constant(0))
        : f.vector('i32x4.eq', x, f.integers(0));
    return f.vector('v128.not', isZero);
  },
  /** Of an index, and of the number of each class. */
  OneHot: (f, [index = 0, place = 0, off = 0, on = 0]) =>
    select(f, f.vector('i32x4.eq', index, place), on, off),
};

/** What xʸ is for the constant exponents that networks have; undefined for others. */
export function powerOf(exponent: Constant | undefined): Emit | undefined {
  const data = exponent?.data;
  if (data?.length !== 1) return undefined;
  const multiply = (f: FunctionBuilder, a: Local, b: Local) => f.vector('f32x4.mul', a, b);
  switch (data[0]) {
    case 1:
      return unary((_, x) => x);
    case 2:
      return unary((f, x) => multiply(f, x, x));
    case 3:
      return unary((f, x) => multiply(f, multiply(f, x, x), x));
    case 0.5:
      return unary((f, x) => f.vector('f32x4.sqrt', x));
    case -0.5:
      return unary((f, x) => f.vector('f32x4.div', f.constant(1), f.vector('f32x4.sqrt', x)));
    case -1:
      return unary((f, x) => f.vector('f32x4.div', f.constant(1), x));
    default:
      return undefined;
  }
}

/** Whether a node works element by element. */
export function isElementwise({ op, inputs }: Node): boolean {
  return Object.hasOwn(elementwise, op) || (op === 'Pow' && inputs.length === 2);
}
