import { UntraceableError } from '../engine/trace/untraceable.ts';
import { invalid } from '../errors.ts';
import { currentModel } from '../fold/current-model.ts';
import { readHeader } from '../journal/reading.ts';
import { metricsOf } from '../metrics/stream-metrics.ts';
import type { Ports } from '../ports/ports.ts';
import { modelCard } from './card.ts';
import { type Exported, exportedOf } from './exported.ts';
import type { ExportFormat, Files } from './formats/format.ts';
import { inputsJson } from './inputs-json.ts';
import { kerasUsage, onnxUsage, safetensorsUsage, tfjsUsage } from './usage.ts';

type Format = {
  readonly write: (exported: Exported) => Promise<Files>;
  /** How its files are asked, as Markdown. */
  readonly usage: (exported: Exported) => string;
};

// A format's writer is loaded once it is asked for.
const formats: Readonly<Record<ExportFormat, Format>> = {
  tfjs: {
    write: async (exported) => (await import('./formats/tfjs.ts')).tfjsFiles(exported),
    usage: tfjsUsage,
  },
  onnx: {
    write: async (exported) => (await import('./formats/onnx.ts')).onnxFiles(exported),
    usage: onnxUsage,
  },
  safetensors: {
    write: async (exported) =>
      (await import('./formats/safetensors.ts')).safetensorsFiles(exported),
    usage: () => safetensorsUsage,
  },
  keras: {
    write: async (exported) => (await import('./formats/keras.ts')).kerasFiles(exported),
    usage: kerasUsage,
  },
};

/**
 * A model at the end of its journal as files that others read: the network with its statistics, a
 * model card (`README.md`) and what its inputs are (`inputs.json`).
 *
 * @throws MillraceError kind `invalid` if there is no such model, or the format cannot express it
 */
export async function exportModel(
  ports: Ports,
  name: string,
  format: ExportFormat,
): Promise<{ readonly sequence: number; readonly files: Files }> {
  const { model, state } = await currentModel(ports, name);
  const exported = await exportedOf(model, state);
  const { write, usage } = formats[format];
  const files = await write(exported).catch((error: unknown) => {
    if (!(error instanceof UntraceableError)) throw error;
    throw invalid(
      `${name} cannot be exported as ${format}: ${error.message}; try another format`,
      error,
    );
  });
  const { sequence } = state;
  const last = sequence === 0 ? undefined : await readHeader(ports.store, name, sequence);
  const texts = {
    'inputs.json': Buffer.from(inputsJson(exported)),
    'README.md': Buffer.from(
      modelCard(exported, {
        time: last?.time,
        stream: metricsOf(state, model.spec),
        usage: usage(exported),
      }),
    ),
  };
  return { sequence, files: { ...files, ...texts } };
}
