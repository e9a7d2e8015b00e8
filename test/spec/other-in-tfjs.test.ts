import { describe, expect, it } from 'vitest';
import { whyOtherInTfjs } from '../../lib/spec/other-in-tfjs.ts';

type Layer = readonly [className: string, config?: object, more?: object];

const model = (...layers: readonly Layer[]) => ({
  class_name: 'Sequential',
  config: {
    layers: layers.map(([name, config = {}, more = {}], i) => ({
      class_name: name,
      config: { name: `layer_${i}`, ...config },
      ...more,
    })),
  },
});
const dense: Layer = ['Dense', { units: 1 }];
const mask: Layer = ['Masking', { mask_value: 0 }];
const backwards = (activation: string) => ({
  layer: { class_name: 'LSTM', config: { name: 'there', activation: 'tanh' } },
  backward_layer: { class_name: 'LSTM', config: { name: 'back', activation, go_backwards: true } },
});
const sequences = { return_sequences: true };

describe('a network of Keras', () => {
  it.each<readonly [string, readonly Layer[]]>([
    [
      'UpSampling2D with interpolation "bilinear"',
      [['UpSampling2D', { interpolation: 'bilinear' }]],
    ],
    ['Concatenate with the axis -2', [['Concatenate', { axis: -2 }]]],
    [
      'AveragePooling1D with data_format',
      [['AveragePooling1D', { data_format: 'channels_first' }]],
    ],
    ['DepthwiseConv2D with a dilation_rate', [['DepthwiseConv2D', { dilation_rate: [2, 2] }]]],
    ['Conv2DTranspose with a dilation_rate', [['Conv2DTranspose', { dilation_rate: 2 }]]],
    ['Bidirectional with a backward_layer', [['Bidirectional', backwards('relu')]]],
    ['no negative_slope and no threshold', [['ReLU', { negative_slope: 0.5 }]]],
    ['no negative_slope and no threshold', [['ReLU', { threshold: 0.4 }]]],
    ['type mixed_float16', [['Dense', { dtype: { config: { name: 'mixed_float16' } } }]]],
    ['an initial_state', [['LSTM', {}, { inbound_nodes: [{ kwargs: { initial_state: [{}] } }] }]]],
    ['GlobalAveragePooling1D behind a mask', [mask, dense, ['GlobalAveragePooling1D']]],
    ['LSTM behind a mask', [['Embedding', { mask_zero: true }], ['Conv1D'], ['LSTM']]],
    [
      'Flatten with what zero_output_for_mask leaves',
      [mask, ['LSTM', { ...sequences, zero_output_for_mask: true }], dense, ['Flatten']],
    ],
    ['Sequential behind a mask', [['Sequential', model(mask, dense).config], ['LSTM']]],
    ['LSTM behind a mask', [mask, ['Reshape'], ['LSTM']]],
    ['Conv1D with data_format', [['Conv1D', { data_format: 'channels_first' }]]],
    ['Conv2DTranspose with an output_padding', [['Conv2DTranspose', { output_padding: 1 }]]],
    ['UpSampling2D', [['Sequential', model(['UpSampling2D', { interpolation: 'bilinear' }])]]],
    [
      'UpSampling2D',
      [['TimeDistributed', { layer: model(['UpSampling2D', { interpolation: 'x' }]) }]],
    ],
  ])('is another in tfjs: %s', (why, layers) => {
    expect(whyOtherInTfjs(model(...layers, dense))).toContain(why);
  });

  it.each<readonly [string, readonly Layer[]]>([
    [
      'usual settings',
      [
        ['UpSampling2D', { interpolation: 'nearest' }],
        ['Concatenate', { axis: -1 }],
      ],
    ],
    [
      'no dilation',
      [
        ['DepthwiseConv2D', { dilation_rate: [1, 1] }],
        ['ReLU', { negative_slope: 0 }],
      ],
    ],
    ['both ways alike', [['Bidirectional', backwards('tanh')]]],
    [
      'zeros for a mask that is not there',
      [['LSTM', { ...sequences, zero_output_for_mask: true }]],
    ],
    ['a mask that a recurrence takes', [mask, dense, ['LSTM'], ['GlobalAveragePooling1D']]],
    [
      'a mask in sequences',
      [mask, ['Bidirectional', { layer: { class_name: 'GRU', config: sequences } }], ['LSTM']],
    ],
    ['a mask that nothing takes', [mask, ['Conv1D'], ['Flatten']]],
    [
      'zeros that the next one passes over',
      [mask, ['LSTM', { ...sequences, zero_output_for_mask: true }], ['GRU']],
    ],
    ['no state', [['LSTM', {}, { inbound_nodes: [{ kwargs: { initial_state: null } }] }]]],
  ])('is the same in tfjs: %s', (_, layers) => {
    expect(whyOtherInTfjs(model(...layers, dense))).toBeUndefined();
  });

  it('is told of by the calls of its layers where it has such', () => {
    const called = (...names: readonly string[]) => ({
      inbound_nodes: [names.map((name) => [name, 0, 0, {}])],
    });
    const branches = (from: string) =>
      model(
        ['InputLayer', { name: 'x' }],
        ['Masking', { name: 'masked' }, called('x')],
        ['LSTM', { name: 'state' }, called('masked')],
        ['Conv1D', { name: 'windows' }, called(from)],
        ['GRU', { name: 'other' }, called('windows')],
        ['Concatenate', { name: 'both' }, called('state', 'other')],
      );
    expect(whyOtherInTfjs(branches('x'))).toBeUndefined();
    expect(whyOtherInTfjs(branches('masked'))).toContain('GRU behind a mask');
  });
});
