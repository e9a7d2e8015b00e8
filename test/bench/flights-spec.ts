import { airports } from '../../lib/examples/flights/airports.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

/**
 * The network of the flights in the tables of the bench, the same over releases: embedded
 * categories and one hidden layer, without what the example's spec takes from earlier flights.
 */
export const benchFlightsSpec = defineSpec({
  model: 'flights',
  task: 'binary',
  features: {
    hour: {
      type: 'category',
      values: Array.from({ length: 24 }, (_, hour) => String(hour)),
      dimensions: 4,
    },
    weekday: { type: 'category', values: ['0', '1', '2', '3', '4', '5', '6'], dimensions: 2 },
    distance: { type: 'number' },
    origin: { type: 'category', values: [...airports], dimensions: 8 },
    destination: { type: 'category', values: [...airports], dimensions: 8 },
  },
  label: { name: 'late' },
  network: { hidden: [32], activation: 'relu' },
  optimizer: { type: 'adam', rate: 0.003 },
  batch: { epochs: 3, minibatch: 256, validation: 0.05, slice: { epochs: 1, seconds: 300 } },
  online: { minibatch: 64 },
});
