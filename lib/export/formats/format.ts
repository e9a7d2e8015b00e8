/** Files by their names. */
export type Files = Readonly<Record<string, Uint8Array>>;

/** The formats that a model can be exported in. */
export const exportFormats = ['tfjs', 'onnx', 'safetensors', 'keras'] as const;

/** One of {@link exportFormats}. */
export type ExportFormat = (typeof exportFormats)[number];
