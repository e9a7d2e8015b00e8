/** A module that runs: its memory, and its functions of one integer. */
export type Instance = {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly call: (name: string, argument: number) => void;
};

/** What is used of JavaScript's WebAssembly, whose types come with a browser's alone. */
type Api = {
  readonly instantiate: (module: Uint8Array) => Promise<{
    readonly instance: { readonly exports: Readonly<Record<string, unknown>> };
  }>;
};

const api: Api = Reflect.get(globalThis, 'WebAssembly');

/** Compiles a module and starts it. */
export async function instantiate(module: Uint8Array): Promise<Instance> {
  const { exports } = (await api.instantiate(module)).instance;
  const functions = exports as Readonly<Record<string, (argument: number) => void>>;
  return {
    memory: exports.memory as Instance['memory'],
    call: (name, argument) => functions[name]?.(argument),
  };
}
