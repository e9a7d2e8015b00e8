/** A module that runs: its memory, and its functions of integers. */
export type Instance = {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly call: (name: string, ...operands: readonly number[]) => void;
};

type Exports = { readonly exports: Readonly<Record<string, unknown>> };

/** What is used of JavaScript's WebAssembly, whose types come with a browser's alone. */
type Api = {
  readonly instantiate: (module: Uint8Array) => Promise<{ readonly instance: Exports }>;
  readonly Module: new (module: Uint8Array) => object;
  readonly Instance: new (module: object) => Exports;
};

const api: Api = Reflect.get(globalThis, 'WebAssembly');

/** Compiles a module and starts it. */
export async function instantiate(module: Uint8Array): Promise<Instance> {
  return instanceOf((await api.instantiate(module)).instance);
}

/** The same of a small module, at once. */
export function instantiateSmall(module: Uint8Array): Instance {
  return instanceOf(new api.Instance(new api.Module(module)));
}

function instanceOf({ exports }: Exports): Instance {
  const functions = exports as Readonly<Record<string, (...operands: readonly number[]) => void>>;
  return {
    memory: exports.memory as Instance['memory'],
    call: (name, ...operands) => functions[name]?.(...operands),
  };
}
