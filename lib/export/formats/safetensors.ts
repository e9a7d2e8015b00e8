import { encodeSafetensors } from '../../bucket/safetensors.ts';
import { statisticsMetadata, statisticsTensors } from '../../state/statistics-file.ts';
import { type Exported, scaleVectors } from '../exported.ts';
import type { Files } from './format.ts';

/**
 * The weights under their names in the state, `weights/<layer>/<weight>` as float32; and
 * `features/<name>/mean` and `scale`, [width], `label/mean` and `deviation`, [1], as float64: a network
 * sees (value − mean) · scale, and of mean labels the value is a row of `features/<name>/table`,
 * [buckets, width]. Tensors of an expert are `weights/<expert>/<layer>/<weight>`, and
 * `weights/mixture/weights` says how much each counts. The running statistics behind them are there too: whoever starts
 * another model from the file goes on with them.
 */
export function safetensorsFiles({ model, state, features, labelScale }: Exported): Promise<Files> {
  const weights = Object.entries(state.tensors).filter(([name]) => name.startsWith('weights/'));
  const scales = features.flatMap((feature) =>
    feature.kind === 'category'
      ? []
      : [
          [`features/${feature.name}/mean`, vector(feature.mean)] as const,
          [`features/${feature.name}/scale`, vector(feature.scale)] as const,
          ...(feature.table === undefined
            ? []
            : [[`features/${feature.name}/table`, matrix(feature.table, feature.width)] as const]),
        ],
  );
  const label =
    labelScale === undefined
      ? []
      : [
          ['label/mean', vector(scaleVectors(labelScale).means)] as const,
          ['label/deviation', vector(scaleVectors(labelScale).deviations)] as const,
        ];
  const body = encodeSafetensors({
    tensors: {
      ...Object.fromEntries([...weights, ...scales, ...label]),
      ...statisticsTensors(state.statistics),
    },
    metadata: {
      format: 'millrace-export-1',
      model: model.name,
      sequence: String(state.sequence),
      ...statisticsMetadata(state.statistics),
      spec: JSON.stringify(model.spec),
    },
  });
  return Promise.resolve({ 'model.safetensors': body });
}

function matrix(data: Float64Array, width: number) {
  return { shape: [data.length / width, width], data };
}

function vector(data: Float64Array) {
  return { shape: [data.length], data };
}
