import { type Exported, type ExportedFeature, predictionName, takesIndex } from './exported.ts';

/** An example of an input, in the words of a language. */
type Write = (feature: ExportedFeature) => string;

/** How `model.json` is asked, as Markdown. */
export function tfjsUsage({ features }: Exported): string {
  const tensor: Write = (feature) => {
    const { width } = feature;
    if (takesIndex(feature)) return `tf.tensor2d([[1]], [1, 1], 'int32')`;
    return width === 1 ? `tf.tensor2d([[${example(feature)}]])` : `tf.zeros([1, ${width}])`;
  };
  return `In a browser or in Node, with \`@tensorflow/tfjs\`: an input for each row of the table, in its
order, [rows, width]. ${asIndices}

\`\`\`js
const model = await tf.loadLayersModel('model.json');
const answers = model.predict([
${features.map((feature) => `  ${tensor(feature)}, // ${feature.name}`).join('\n')}
]);
\`\`\`

${asFloat32}`;
}

/** How `model.onnx` is asked. */
export function onnxUsage(exported: Exported): string {
  const { features } = exported;
  const array: Write = (feature) => {
    if (!takesIndex(feature)) return numpyNumbers(feature);
    const [value] = (feature.kind === 'category' && feature.values) || [1];
    return `np.array([[${JSON.stringify(value)}]])`;
  };
  return `With ONNX Runtime, in any of its languages: numbers as float64, [rows, width]; categories with
texts for those with known values, int64 buckets for hashed ones and for mean labels, the hash
itself for those with a vocabulary, [rows, 1].

\`\`\`python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
[answers] = session.run(["${predictionName(exported)}"], {
${features.map((feature) => `    ${JSON.stringify(feature.name)}: ${array(feature)},`).join('\n')}
})
\`\`\``;
}

/** How `model.h5` is asked. */
export function kerasUsage({ features }: Exported): string {
  const array: Write = (feature) =>
    takesIndex(feature) ? 'np.array([[1]])' : numpyNumbers(feature);
  return `With Keras: an input for each row of the table, in its order, [rows, width].
${asIndices}

\`\`\`python
import keras
import numpy as np

model = keras.models.load_model("model.h5", compile=False)
answers = model.predict([
${features.map((feature) => `    ${array(feature)},  # ${feature.name}`).join('\n')}
])
\`\`\`

${asFloat32}`;
}

/** What `model.safetensors` holds. */
export const safetensorsUsage = `The weights by their names, \`weights/<layer>/<weight>\` as float32,
and what standardises the inputs, \`features/<name>/mean\` and \`scale\` as float64: the network
sees (value − mean) · scale, no further from 0 than \`most\` in \`inputs.json\` says. Of experts,
each has a part of the names,
\`weights/expert_1/<layer>/<weight>\`, and \`weights/mixture/…\` says how they are mixed:
Millrace's docs/python.md computes it. \`millrace import\` starts another model from it.

\`\`\`python
import safetensors.numpy

tensors = safetensors.numpy.load_file("model.safetensors")
\`\`\``;

const asIndices = `Categories are int32: the place of the value among those of
\`inputs.json\`, or of its hash among those, the first being 1, and 0 for any other; of a hashed one,
its bucket, and so of mean labels.`;

const asFloat32 = `Numbers and answers are float32 there, with some seven digits: of numbers that vary little beside
their size, such as seconds since 1970, the last ones are lost, and a tree may decide otherwise. An
export for ONNX has float64.`;

function numpyNumbers(feature: ExportedFeature): string {
  return feature.width === 1
    ? `np.array([[${example(feature)}]])`
    : `np.zeros((1, ${feature.width}))`;
}

/** A number as the feature has them. */
function example(feature: ExportedFeature): string {
  const [mean = 0] = feature.kind === 'numbers' ? feature.mean : [];
  return Number(mean.toPrecision(3)).toFixed(1);
}
